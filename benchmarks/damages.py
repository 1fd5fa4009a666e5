"""The cases of the campaign in which something is damaged before scripts are run on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import feature_damages
import raw_damages
import scenes
import settings_damages
import stored_damages
import verdicts
from kinds import Damaged, Kind
from scenes import Question, Ran, Scene
from verdicts import Verdict

KINDS: Sequence[Kind] = (
    *stored_damages.KINDS, *raw_damages.KINDS, *feature_damages.KINDS, *settings_damages.KINDS
)  # fmt: skip


def report(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Write the report again."""
    return [scenes.run("viewer", ["--paths", str(scene.file), "--dataset", "wechat"])]


def ask(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Ask the scene's question."""
    return scenes.run_all([scenes.asked(scene.file, scene.question)])


def do_everything(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Run every step, and ask the question."""
    return scenes.run_all(scenes.everything(scene.file, scene.question))


def run_command(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Run the command that the damage is about."""
    return [scenes.run(*damaged.command, damaged.environment)]


NEXT: dict[str, Callable[[Scene, Damaged], list[Ran]]] = {
    "mlp": ask, "steps": do_everything, "viewer": report, "command": run_command,
}  # fmt: skip


def nothing(scene: Scene, ran: Ran, **_: object) -> dict[str, object]:
    """Return the result that is expected of a command that must be refused."""
    return {"result": "none: it had to be refused"}


def kind_of(number: int, seed: int) -> Kind:
    """Return the kind of a case, counted from 1: each in turn, in an order that follows from the seed."""
    return random.Random(f"{seed} kinds").sample(KINDS, len(KINDS))[(number - 1) % len(KINDS)]


def question_of(kind: Kind, chance: random.Random) -> Question:
    """Return what is asked in a case of a kind."""
    return chance.choice([one for one in scenes.SHORT_QUESTIONS if kind.dataset in (None, one.dataset)])


def judge(scene: Scene, kind: Kind) -> tuple[str, Verdict]:
    """Damage a scene, run what a user would run next, and return what was done and what came of it."""
    damaged = kind.damage(scene)
    found = []
    for then in kind.then:
        ran = NEXT[then](scene, damaged)
        expected = nothing if then == "command" else verdicts.of_reference
        found.append(verdicts.of_commands(
            scene, ran, damaged.names, kind.allowed, expected=expected,
            arrays=kind.state != "finished", with_run=kind.state != "raw",
        ))  # fmt: skip
    return damaged.said, verdicts.worst(found)


def play(reference: Path, folder: Path, number: int, seed: int) -> tuple[str, str, Verdict]:
    """Play one case in a folder of its own; return its kind, what was done, and the verdict."""
    kind, chance = kind_of(number, seed), random.Random(f"{seed} damage {number}")
    scenes.copy(reference, kind.state, folder)
    scene = Scene(reference, folder, question_of(kind, chance), chance)
    said, verdict = judge(scene, kind)
    return kind.name, f"{said}; then {', '.join(kind.then)}; {' '.join(scene.question[:3])}", verdict
