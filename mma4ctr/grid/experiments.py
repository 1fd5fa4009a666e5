"""The publication's experiments as one table: what is trained, for how long, and in which published table it stands.

Section 4 (sensitivity to hyper-parameters) runs without validation interruption and halving of the learning rate,
sections 5 (ablation) and 6 (performance) with both.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable

from mma4ctr.catalogue import USER_REDUCTIONS, features_of
from mma4ctr.data.registry import TASKS
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs.run import Run, native
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings


@dataclasses.dataclass(frozen=True)
class Setting:
    """How one row of a table is trained, for however many epochs; the defaults are the published ones."""

    feature: str = "vat_concat"
    user_embedding_length: int = 21
    learning_rate: float = 0.001
    batch_size: int = 8192
    lr_change: bool = True
    interruption: bool = True


@dataclasses.dataclass(frozen=True)
class Variant:
    """What the published tables do not tell apart, so that every variant has columns of its own."""

    protocol: str
    reduction: str

    def __str__(self) -> str:
        return f"{self.protocol}, {self.reduction}"


# The first one is what the published scripts ran, and is set against the published figures.
VARIANTS = tuple(Variant(protocol, reduction) for protocol in PROTOCOLS for reduction in reversed(USER_REDUCTIONS))

PLAIN = Setting(lr_change=False, interruption=False)
ADAPTIVE = Setting()


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One published table.

    Attributes
    ----------
    table : str
        Its number, with ``{}`` for the subsection of the task.
    title : str
    rows : dict of str to Setting
        The settings compared, by what is written in `mma4ctr/published/tables.csv`; "" where only the epochs differ.
    epochs : tuple of int
        After how many epochs each setting is tested.
    reference : tuple of (Setting, int or None)
        What every row is compared with by a paired bootstrap: this setting after so many epochs (None: after as many
        as the row).
    """

    table: str
    title: str
    rows: dict[str, Setting]
    epochs: tuple[int, ...]
    reference: tuple[Setting, int | None]

    def number(self, task: str) -> str | None:
        """Return the number of the published table of `task`, None if there is none."""
        subsection = TASKS[task].subsection
        return None if subsection is None else self.table.format(subsection)


def varying(key: str, values: Iterable[object], base: Setting) -> dict[str, Setting]:
    """Return `base` once for each value of `key`, named ``key=value``."""
    return {f"{key}={value}": dataclasses.replace(base, **{key: value}) for value in values}  # type: ignore[arg-type]


LEARNING_RATES = ("0.01", "0.005", "0.002", "0.001", "0.0005", "0.0002", "0.0001", "0.00005", "0.00002", "0.00001")
BATCH_SIZES = (32768, 16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64)
LENGTHS = (0, 5, 11, 15, 21, 30)
SHORT_AND_LONG = (10, 30)
EXPERIMENTS = {
    "epochs": Experiment("4.{}.1", "Epochs", {"": PLAIN}, tuple(range(5, 101, 5)), (PLAIN, 10)),
    "learning_rate": Experiment(
        "4.{}.2", "Learning rate",
        {f"learning_rate={text}": dataclasses.replace(PLAIN, learning_rate=float(text)) for text in LEARNING_RATES},
        SHORT_AND_LONG, (PLAIN, None),
    ),
    "batch_size": Experiment(
        "4.{}.3", "Batch size", varying("batch_size", BATCH_SIZES, PLAIN), SHORT_AND_LONG, (PLAIN, None)
    ),
    "two_modal_concat": Experiment(
        "5.{}.1", "Two modalities, concatenated", varying("feature", features_of(None, "dou_concat"), ADAPTIVE),
        SHORT_AND_LONG, (ADAPTIVE, None),
    ),
    "two_modal_cross": Experiment(
        "5.{}.2", "Two modalities, crossed", varying("feature", features_of(None, "dou_cross"), ADAPTIVE),
        SHORT_AND_LONG, (ADAPTIVE, None),
    ),
    "three_modal_cross": Experiment(
        "5.{}.3", "Three modalities, crossed", varying("feature", features_of(None, "tri_cross"), ADAPTIVE),
        SHORT_AND_LONG, (ADAPTIVE, None),
    ),
    "single_modal": Experiment(
        "5.{}.4", "Single modality", varying("feature", features_of(None, "only_one"), ADAPTIVE),
        SHORT_AND_LONG, (ADAPTIVE, None),
    ),
    "embedding_length": Experiment(
        "5.{}.5", "Length of the user embedding", varying("user_embedding_length", LENGTHS, ADAPTIVE),
        SHORT_AND_LONG, (ADAPTIVE, None),
    ),
    "interruption": Experiment(
        "5.{}.6", "Validation interruption and halving of the learning rate",
        {"interruption_and_halving=with": ADAPTIVE, "interruption_and_halving=without": PLAIN}, (30,),
        (ADAPTIVE, None),
    ),
    "performance": Experiment(
        "6.{} performance", "Performance, AUC and LogLoss", {"": ADAPTIVE}, (10, 20, 30, 50), (ADAPTIVE, 10)
    ),
    "performance_by_epoch": Experiment(
        "6.{} epochs", "Performance by epoch", {"": ADAPTIVE}, tuple(range(10, 101, 10)), (ADAPTIVE, 10)
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Point:
    """One figure of the tables: a setting, trained for a task under a variant from a seed, after some epochs."""

    task: str
    variant: Variant
    setting: Setting
    seed: int
    epochs: int

    def schedule(self, eval_every: int | None = None) -> Schedule:
        """Return how the run that gives this figure is trained."""
        setting = self.setting
        return Schedule(
            epochs=self.epochs, eval_every=eval_every, learning_rate=setting.learning_rate,
            batch_size=setting.batch_size, lr_change=setting.lr_change, seed=self.seed,
            interruption=setting.interruption,
        )  # fmt: skip

    def settings(self, settings: Settings) -> Settings:
        """Return `settings` with the user embeddings of this figure."""
        return settings.with_embedding(self.variant.reduction, self.setting.user_embedding_length)

    def run(self, settings: Settings, device: str, eval_every: int | None = None) -> Run:
        """Return the run that gives this figure.

        Raises
        ------
        UserError
            If an earlier step has not run for its settings, or not since they changed.
        """
        own, protocol = self.settings(settings), self.variant.protocol
        return native(own, self.task, self.setting.feature, protocol, self.schedule(eval_every), device)


def points(
    tasks: Iterable[str], variants: Iterable[Variant], experiments: Iterable[str], seeds: int, longest: int
) -> list[Point]:
    """Return every figure that the chosen experiments need, after at most `longest` epochs, each once."""
    found = [
        Point(task, variant, setting, seed, epochs)
        for task, variant, seed, name in itertools.product(tasks, variants, range(seeds), experiments)
        for setting in (*EXPERIMENTS[name].rows.values(), EXPERIMENTS[name].reference[0])
        for epochs in EXPERIMENTS[name].epochs
        if epochs <= longest
    ]
    return list(dict.fromkeys(found))
