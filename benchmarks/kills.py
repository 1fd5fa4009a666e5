"""The cases of the campaign in which commands are stopped by signals, or run two at a time.

The commands are processes of their own. A moment is drawn between the end of a command's imports and its usual end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import measure
import scenes
import verdicts
from scenes import GRID, QUESTIONS, Question, Ran, Scene
from verdicts import Verdict

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDED_BY = {signal.SIGTERM: (-signal.SIGTERM, 143), signal.SIGINT: (-signal.SIGINT, 130), signal.SIGKILL: (-9,)}
LONG = QUESTIONS[-1]
LONGEST = 120.0  # seconds that a command may take
DYING = 10.0  # seconds that the processes of a killed command may take to end
COMMANDS = (*scenes.STEPS, "mlp", "adjust_hyperparameter")
Command = tuple[str, Sequence[str]]


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


class Running(NamedTuple):
    """A command at work. Its output goes to files: a pipe ends only with the last process that has it."""

    command: Command
    process: subprocess.Popen
    out: IO[str]
    err: IO[str]


def start(command: Command) -> Running:
    """Start a command in a session of its own, by which its processes are found."""
    script, words = command
    out, err = (tempfile.TemporaryFile("w+", errors="replace") for _ in range(2))  # noqa: SIM115, `wait` closes them
    program = [sys.executable, str(measure.ROOT / f"{script}.py"), *words]
    return Running(command, subprocess.Popen(program, start_new_session=True, stdout=out, stderr=err), out, err)


def wait(running: Running) -> Ran:
    """Wait for the end of a command; end it where that takes too long."""
    try:
        status, late = running.process.wait(LONGEST), ""
    except subprocess.TimeoutExpired:
        running.process.kill()
        status, late = running.process.wait(), f"not at its end after {LONGEST:.0f} s"
    with running.out as out, running.err as err:
        out.seek(0), err.seek(0)
        return Ran(*running.command, status, out.read(), err.read() + late)


def run(command: Command) -> Ran:
    """Run a command to its end in a process of its own."""
    return wait(start(command))


@functools.cache
def usual_times(script: str, reference: Path) -> tuple[float, float]:
    """Return the seconds that a script takes for its imports, and to its end with nothing to do."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        scenes.copy(reference, "finished", Path(folder) / "copy")
        scene = Scene(reference, Path(folder) / "copy", LONG, random.Random(0))
        for words in (["--help"], command_of(scene, script, scene.file)[1]):
            started = time.perf_counter()
            run((script, words))
            times.append(time.perf_counter() - started)
    return times[0], times[1]


def stop_at_work(scene: Scene, script: str, running: Running, number: signal.Signals) -> None:
    """Send a signal to a command, at a moment when it is at work."""
    imports, whole = usual_times(script, scene.reference)
    longer = {"mlp": 1.5, "adjust_hyperparameter": 4.0}.get(script, 0.15)  # than with nothing to do, in seconds
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.wait(scene.chance.uniform(0.9 * imports, max(whole, imports) + longer))
    running.process.send_signal(number)


def left_over(session: int) -> list[int]:
    """Return the processes of a session that are still there (by /proc, so on Linux)."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()  # state, parent, group, session
            if fields[0] != "Z" and int(fields[3]) == session:
                found.append(int(file.parent.name))
    return found


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


def of_signal(ran: Ran, number: signal.Signals) -> Verdict:
    """Judge how a command ended by a signal: in one line, but for what nobody can catch."""
    in_main = "\n    main()" in ran.err  # before, Python imports, and says so in its own words
    if "Traceback (most recent call last)" in ran.err and in_main:
        return Verdict("TRACEBACK", f"{ran.script} after {number.name}: {ran.err.strip()[-300:]!r}")
    if ran.status not in (0, *ENDED_BY[number]) and not (number == signal.SIGINT and not in_main):
        return Verdict("OTHER STATUS", f"{ran.script} after {number.name}: {ran.status}, {ran.err.strip()[-300:]!r}")
    return Verdict("same")


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
        running = start(command_of(scene, script, scene.file))
        stop_at_work(scene, script, running, number)
        found = [of_signal(wait(running), number), of_left_over(running.process.pid)]
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
    running = start(command_of(scene, script, scene.file))
    stop_at_work(scene, script, running, signal.SIGSTOP)
    between = write_otherwise(scene, script)
    running.process.send_signal(signal.SIGCONT)
    return [*between, of_second(scene, wait(running)), ask(scene), *do_the_rest(scene)]


def rewritten(scene: Scene, script: str) -> list[Verdict]:
    """Let steps write with other settings while mlp.py reads."""
    running = start(command_of(scene, "mlp", scene.file))
    imports, _ = usual_times("mlp", scene.reference)
    time.sleep(scene.chance.uniform(0.6 * imports, 1.2 * imports))
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
