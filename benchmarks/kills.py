"""The cases of the campaign in which commands are stopped by signals, or run two at a time.

The commands are processes of their own. Moments are drawn within the time that a command usually is at work: from the
first file that it touches to its end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import scenes
import verdicts
from commands import Command, Running, left_over, run, start, touched, wait, wait_for_work
from scenes import GRID, QUESTIONS, Question, Ran, Scene
from verdicts import Verdict

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONG = QUESTIONS[-1]
DYING = 10.0  # seconds that the processes of a killed command may take to end
COMMANDS = (*scenes.STEPS, "mlp", "adjust_hyperparameter")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind: its name, what is called, and what is done to it."""

    name: str
    script: str
    play: Callable[[Scene, str], list[Verdict]]


def command_of(scene: Scene, script: str, file: Path, *words: str) -> Command:
    """Return the command of a script for the question of a scene."""
    if script == "mlp":
        return scenes.asked(file, scene.question)
    if script == "adjust_hyperparameter":
        return script, ["--paths", str(file), "--dataset", "wechat", *GRID]
    return scenes.step_of(file, script, scene.question, *words)


@functools.cache
def usual_times(script: str, reference: Path) -> tuple[float, float]:
    """Return the seconds until a script changes something, and from there to its end."""
    with tempfile.TemporaryDirectory() as folder:
        scenes.copy(reference, "built", Path(folder) / "copy")
        scene = Scene(reference, Path(folder) / "copy", LONG, random.Random(0))
        begin(scene, script)
        before, started = touched(scene.folder), time.perf_counter()
        running = start(command_of(scene, script, scene.file))
        wait_for_work(running, scene.folder, before)
        begun = time.perf_counter()
        wait(running)
        return begun - started, time.perf_counter() - begun


def stop_at_work(scene: Scene, script: str, number: signal.Signals) -> tuple[Running, bool]:
    """Start a command and send it a signal, mostly when it is at work, at times before; tell which."""
    until_work, work = usual_times(script, scene.reference)
    before, running = touched(scene.folder), start(command_of(scene, script, scene.file))
    at_work = scene.chance.random() < 0.8
    if at_work:
        wait_for_work(running, scene.folder, before)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.wait(scene.chance.uniform(0, work if at_work else until_work))
    running.process.send_signal(number)
    return running, at_work


def of_left_over(session: int) -> Verdict:
    """Judge whether the processes of a command have ended with it; end those that have not."""
    end = time.monotonic() + DYING
    while (left := left_over(session)) and time.monotonic() < end:
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return Verdict("LEFT OVER", f"{len(left)} processes after {DYING:.0f} s") if left else Verdict("same")


# ---- what is judged


def of_signal(ran: Ran, number: signal.Signals, at_work: bool) -> Verdict:
    """Judge how a command ended by a signal that can be caught: in one line, unless the signal came before its work."""
    said = f"{ran.script} after {number.name}: {ran.status}, {ran.err.strip()[-300:]!r}"
    if ran.status == 0 or number == signal.SIGKILL or not at_work:
        return Verdict("same")
    if "Traceback (most recent call last)" in ran.err:
        return Verdict("TRACEBACK", said)
    one_line = ran.err.count("\n") == 1 and "run the same command" in ran.err
    return Verdict("same") if ran.status == 128 + number and one_line else Verdict("OTHER STATUS", said)


def of_second(scene: Scene, ran: Ran) -> Verdict:
    """Judge a command that ran beside another one: it ends well, or refuses in a line that says who is in the way."""
    names = ["in use by", "run the same command again", str(scene.folder)]
    return verdicts.of_end(ran, names) or Verdict("same")


def of_going_on(ran: Ran) -> Verdict:
    """Judge a command that is run again after all that: nothing may be in its way."""
    refused = Verdict("OTHER STATUS", f"{ran.script} does not go on: {ran.err.strip()[-300:]}")
    return refused if ran.status == 2 else verdicts.of_end(ran, ()) or Verdict("same")


def of_grid(scene: Scene, ran: Ran) -> Verdict:
    """Judge the lines that the grid left in results.csv."""
    found, expected = (verdicts.grid_lines(folder / "saved") for folder in (scene.folder, scene.reference))
    return verdicts.of_result(found, expected, [ran], (), ())


def do_the_rest(scene: Scene) -> list[Verdict]:
    """Run every step, and ask the question; the result has to be the undisturbed one."""
    ran = scenes.run_all(scenes.everything(scene.file, scene.question))
    return [of_going_on(ran[-1]), verdicts.of_commands(scene, ran, ()) if not ran[-1].status else Verdict("same")]


def go_on(scene: Scene, script: str) -> list[Verdict]:
    """Run the same command again, then the rest; judge what it gives and what is left over."""
    again = run(command_of(scene, script, scene.file))
    found = [of_going_on(again), verdicts.of_files(scene.folder) or Verdict("same")]
    if again.status == 0 and script == "adjust_hyperparameter":
        return [*found, of_grid(scene, again)]
    return [*found, *do_the_rest(scene)]


def ask(scene: Scene) -> Verdict:
    """Ask the question as things stand: a refusal is right, and so is the undisturbed result."""
    return verdicts.of_commands(scene, scenes.run_all([scenes.asked(scene.file, scene.question)]), [str(scene.folder)])


# ---- what is done


def begin(scene: Scene, script: str) -> None:
    """Bring a scene to where a command has something to do: what it writes is not there, or of other settings."""
    if script in scenes.STEPS and scene.chance.random() < 0.5:
        place = scenes.STEPS.index(script) + 1
        for step in scenes.STEPS[:place]:
            scenes.run_in_peace([scenes.step_of(scene.folder / "changed.json", step, scene.question)])
        for step in scenes.STEPS[: place - 1]:
            scenes.run_in_peace([scenes.step_of(scene.file, step, scene.question)])
    elif script in scenes.STEPS:
        for file in scene.records():
            if file.name.startswith(f"{script}_"):
                file.unlink()


def stopped_by(number: signal.Signals) -> Callable[[Scene, str], list[Verdict]]:
    """Return what stops a command by a signal and goes on."""

    def play(scene: Scene, script: str) -> list[Verdict]:
        begin(scene, script)
        running, at_work = stop_at_work(scene, script, number)
        found = [of_signal(wait(running), number, at_work), of_left_over(running.process.pid)]
        asked = [ask(scene)] if script in scenes.STEPS else []
        return [*found, *asked, *go_on(scene, script)]

    return play


def at_once(scene: Scene, script: str) -> list[Verdict]:
    """Run a command twice at once."""
    begin(scene, script)
    command = command_of(scene, script, scene.file)
    first = start(command)
    time.sleep(scene.chance.uniform(0, 0.2))
    both = first, start(command)
    ended = [of_second(scene, wait(running)) for running in both]
    return [*ended, *(of_left_over(running.process.pid) for running in both), *go_on(scene, script)]


def write_otherwise(scene: Scene, script: str) -> list[Verdict]:
    """Run the steps up to one with other settings, on the same folders."""
    steps = scenes.STEPS[: scenes.STEPS.index(script) + 1]
    return [of_second(scene, run(command_of(scene, step, scene.folder / "changed.json"))) for step in steps]


def paused(scene: Scene, script: str) -> list[Verdict]:
    """Stop a command for a while, in which others write with other settings; then let it go on."""
    begin(scene, script)
    running, _ = stop_at_work(scene, script, signal.SIGSTOP)
    between = write_otherwise(scene, script)
    running.process.send_signal(signal.SIGCONT)
    return [*between, of_second(scene, wait(running)), ask(scene), *do_the_rest(scene)]


def rewritten(scene: Scene, script: str) -> list[Verdict]:
    """Let steps write with other settings while mlp.py reads."""
    running = start(command_of(scene, "mlp", scene.file))
    time.sleep(scene.chance.uniform(0.6, 1.2) * usual_times("mlp", scene.reference)[0])
    between = write_otherwise(scene, script)
    return [*between, of_second(scene, wait(running)), *do_the_rest(scene)]


KINDS = [
    *(Kind(f"{number.name}: {script}", script, stopped_by(number)) for script in COMMANDS for number in SIGNALS),
    *(Kind(f"two at once: {script}", script, at_once) for script in COMMANDS),
    *(Kind(f"paused while another writes: {script}", script, paused) for script in scenes.STEPS[:3]),
    *(Kind(f"mlp reads while others write: {script}", script, rewritten) for script in scenes.STEPS[:3]),
]


def kind_of(number: int, seed: int) -> Kind:
    """Return the kind of a case, counted from 1: each in turn, in an order that follows from the seed."""
    return random.Random(f"{seed} kills").sample(KINDS, len(KINDS))[(number - 1) % len(KINDS)]


def question_of(kind: Kind, chance: random.Random) -> Question:
    """Return what is asked in a case of a kind; training has to last where it is to be stopped."""
    wechat = [one for one in scenes.SHORT_QUESTIONS if one.dataset == "wechat"]
    return LONG if kind.script in ("mlp", "adjust_hyperparameter") else chance.choice(wechat)


def play(reference: Path, folder: Path, number: int, seed: int) -> tuple[str, str, Verdict]:
    """Play one case in a folder of its own; return its kind, what was done, and the verdict."""
    kind, chance = kind_of(number, seed), random.Random(f"{seed} kill {number}")
    scenes.copy(reference, "built", folder)
    scene = Scene(reference, folder, question_of(kind, chance), chance)
    return kind.name, " ".join(scene.question[:3]), verdicts.worst(kind.play(scene, kind.script))
