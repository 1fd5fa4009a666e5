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
import time
from collections.abc import Callable, Sequence
from pathlib import Path

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
        return script, ["--paths", str(file), "--dataset", "wechat", *GRID, "--jobs", "2"]
    return scenes.step_of(file, script, scene.question, *words)


def start(command: Command) -> subprocess.Popen:
    """Start a command in a session of its own, by which its processes are found."""
    script, words = command
    return subprocess.Popen(
        [sys.executable, str(measure.ROOT / f"{script}.py"), *words], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait(process: subprocess.Popen, command: Command) -> Ran:
    """Wait for the end of a command; end it where that takes too long."""
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Ran(*command, 1, out, f"{err}\nnot at its end after {LONGEST:.0f} s")
    return Ran(*command, process.returncode, out, err)


def run(command: Command) -> Ran:
    """Run a command to its end in a process of its own."""
    return wait(start(command), command)


@functools.cache
def usual_times(script: str, reference: Path) -> tuple[float, float]:
    """Return the seconds that a script takes for its imports, and to its end, with nothing to do."""
    scene = Scene(reference, reference, LONG, random.Random(0))
    command, times = command_of(scene, script, reference / "path.json"), []
    for words in (["--help"], command[1]):
        started = time.perf_counter()
        run((script, words))
        times.append(time.perf_counter() - started)
    return times[0], times[1]


def moment(scene: Scene, script: str) -> float:
    """Draw a moment at which a command is at work."""
    imports, whole = usual_times(script, scene.reference)
    extra = {"mlp": 1.5, "adjust_hyperparameter": 4.0}.get(script, 0.15)  # what it takes longer with work to do
    return scene.chance.uniform(0.9 * imports, max(whole, imports) + extra)


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


def of_grid(scene: Scene, ran: Ran) -> Verdict:
    """Judge the lines that the grid left in results.csv."""
    found, expected = (verdicts.grid_lines(folder / "saved") for folder in (scene.folder, scene.reference))
    return verdicts.of_result(found, expected, [ran], (), ())


def go_on(scene: Scene, script: str) -> list[Verdict]:
    """Run the same command again, then the rest; judge what it gives and what is left over."""
    again = run(command_of(scene, script, scene.file))
    verdict = verdicts.of_end(again, ["(it has to go on)"]) or verdicts.of_files(scene.folder) or Verdict("same")
    if script == "adjust_hyperparameter" and verdict.name == "same":
        return [of_grid(scene, again)]
    rest = scenes.run_all(scenes.everything(scene.file, scene.question))
    return [verdict, verdicts.of_commands(scene, rest, ["(it has to go on)"])]


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
        command, after = command_of(scene, script, scene.file), moment(scene, script)
        process = start(command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        process.send_signal(number)
        found = [of_signal(wait(process, command), number), of_left_over(process.pid)]
        if script in scenes.STEPS:
            asked = scenes.run_all([scenes.asked(scene.file, scene.question)])
            found.append(verdicts.of_commands(scene, asked, [str(scene.folder)])._replace(why=""))
        return [*found, *go_on(scene, script)]

    return play


def at_once(scene: Scene, script: str) -> list[Verdict]:
    """Run a command twice at once."""
    begin(scene, script)
    command = command_of(scene, script, scene.file)
    first = start(command)
    time.sleep(scene.chance.uniform(0, 0.2))
    second = start(command)
    ended = [of_second(scene, wait(process, command)) for process in (first, second)]
    return [*ended, *(of_left_over(process.pid) for process in (first, second)), *go_on(scene, script)]


def paused(scene: Scene, script: str) -> list[Verdict]:
    """Stop a command for a while, in which the same one runs with other settings; then let it go on."""
    begin(scene, script)
    command, other = (command_of(scene, script, scene.folder / name) for name in ("path.json", "changed.json"))
    process, after = start(command), moment(scene, script)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    process.send_signal(signal.SIGSTOP)
    between = of_second(scene, run(other))
    process.send_signal(signal.SIGCONT)
    ended = [between, of_second(scene, wait(process, command))]
    asked = scenes.run_all([scenes.asked(scene.file, scene.question)])
    return [*ended, verdicts.of_commands(scene, asked, [str(scene.folder)]), *go_on(scene, script)]


def rewritten(scene: Scene, script: str) -> list[Verdict]:
    """Let steps write with other settings, and then with the old ones, while mlp.py reads."""
    command = command_of(scene, "mlp", scene.file)
    imports, _ = usual_times("mlp", scene.reference)
    process = start(command)
    time.sleep(scene.chance.uniform(0.6 * imports, 1.2 * imports))
    others = [scenes.step_of(scene.folder / "changed.json", step, scene.question) for step in scenes.STEPS]
    ran = [run(other) for other in others[: 1 + scenes.STEPS.index(script)]]
    ended = wait(process, command)
    return [*(of_second(scene, one) for one in (*ran, ended)), *go_on(scene, script)]


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
