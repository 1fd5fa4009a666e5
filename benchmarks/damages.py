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

# How many of a hundred cases each table has.
SHARES: Sequence[tuple[int, Sequence[Kind]]] = (
    (18, stored_damages.ARTEFACTS), (11, stored_damages.RECORDS), (13, stored_damages.RUNS),
    (6, stored_damages.CHECKPOINTS), (10, raw_damages.FILES), (14, raw_damages.TABLES), (16, feature_damages.KINDS),
    (12, settings_damages.KINDS),
)  # fmt: skip


def report(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Write the report again."""
    return [scenes.run("viewer", ["--paths", str(scene.file), "--dataset", "wechat"])]


def ask(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Ask the scene's question."""
    return [scenes.run(*scenes.asked(scene.file, scene.question), damaged.environment)]


def do_everything(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Run every step, and ask the question."""
    return scenes.run_all(scenes.everything(scene.file, scene.question))


def run_command(scene: Scene, damaged: Damaged) -> list[Ran]:
    """Run the command that the damage is about."""
    return [scenes.run(*damaged.command)]


NEXT: dict[str, Callable[[Scene, Damaged], list[Ran]]] = {
    "mlp": ask, "steps": do_everything, "viewer": report, "command": run_command,
}  # fmt: skip


def nothing(scene: Scene, ran: Ran, **_: object) -> dict[str, object]:
    """Return the result that is expected of a command that must be refused."""
    return {"result": "none: it had to be refused"}


def kind_of(number: int, seed: int) -> Kind:
    """Return the kind of a case, counted from 1: those of a table in turn, in an order that follows from the seed."""
    order = [table for table, (share, _) in enumerate(SHARES) for _ in range(share)]
    random.Random(f"{seed} tables").shuffle(order)
    hundreds, place = divmod(number - 1, len(order))
    share, kinds = SHARES[order[place]]
    turn = hundreds * share + order[:place].count(order[place])
    return random.Random(f"{seed} kinds").sample(kinds, len(kinds))[turn % len(kinds)]


def question_of(kind: Kind, chance: random.Random) -> Question:
    """Return what is asked in a case of a kind: of raw files what depends on every modality."""
    fitting = [one for one in scenes.SHORT_QUESTIONS if kind.dataset in (None, one.dataset)]
    return chance.choice([one for one in fitting if kind.state != "raw" or one.feature == "vat_concat"])


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
