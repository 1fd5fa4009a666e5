"""The publication's experiments as one table: what is trained, for how long, and in which published table it stands.

Section 4 (sensitivity to hyper-parameters) runs without validation interruption and halving of the learning rate,
sections 5 (ablation) and 6 (performance) with both.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mma4ctr.catalogue import MODALITIES, USER_REDUCTIONS, default_feature, feature_named, features_among
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.schedule import Schedule
from mma4ctr.settings import CAUSAL, Settings, embedding_name

if TYPE_CHECKING:
    from mma4ctr.runs.run import Run

# What other models are tried at, each from one seed: the budget of each.
EVERY = "all"
RATES = (0.0003, 0.001, 0.003)


@dataclasses.dataclass(frozen=True)
class Setting:
    """How one row of a table is trained, for however many epochs; the defaults are the published ones."""

    feature: str
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
# Variant -> the same with user embeddings of the rows before each row, which the publication does not have.
CAUSAL_OF = {one: Variant(one.protocol, embedding_name(one.reduction, CAUSAL)) for one in VARIANTS}


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

    def number(self, subsection: str | None) -> str | None:
        """Return the number of the published table of a task, by its subsection; None if there is none."""
        return None if subsection is None else self.table.format(subsection)


def varying(key: str, values: Iterable[object], base: Setting) -> dict[str, Setting]:
    """Return `base` once for each value of `key`, named ``key=value``."""
    return {f"{key}={value}": dataclasses.replace(base, **{key: value}) for value in values}  # type: ignore[arg-type]


LEARNING_RATES = ("0.01", "0.005", "0.002", "0.001", "0.0005", "0.0002", "0.0001", "0.00005", "0.00002", "0.00001")
BATCH_SIZES = (32768, 16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64)
LENGTHS = (0, 5, 11, 15, 21, 30)
SHORT_AND_LONG = (10, 30)


def adaptive(modalities: tuple[str, ...]) -> Setting:
    """Return the published settings of sections 5 and 6, for items that may have these modalities."""
    return Setting(default_feature(modalities))


def features_with(modalities: tuple[str, ...], fusion: str, sizes: range) -> list[str]:
    """Return the features of some modalities that are made of so many of them, without the default one."""
    known = ((name, feature_named(name)) for name in features_among(modalities))
    found = (name for name, row in known if row.fusion == fusion and len(row.modalities) in sizes)
    return [name for name in found if name != default_feature(modalities)]


@functools.cache
def experiments_of(modalities: tuple[str, ...]) -> dict[str, Experiment]:
    """Return the experiments by name, for items that may have these modalities; of three they are the published ones.

    Of four and five, what the publication does with pairs is done with every part of them.
    """
    ours = adaptive(modalities)
    plain, reference = dataclasses.replace(ours, lr_change=False, interruption=False), (ours, None)
    some, three = range(2, len(modalities)), range(3, len(modalities) + 1)
    pairs = range(2, 3)
    features = {
        "two_modal_concat": ("5.{}.1", "Two modalities, concatenated", features_with(modalities, "concat", some)),
        "two_modal_cross": ("5.{}.2", "Two modalities, crossed", features_with(modalities, "cross", pairs)),
        "three_modal_cross": ("5.{}.3", "Three modalities, crossed", features_with(modalities, "cross", three)),
        "single_modal": ("5.{}.4", "Single modality", list(modalities)),
    }  # fmt: skip
    found = {
        "epochs": Experiment("4.{}.1", "Epochs", {"": plain}, tuple(range(5, 101, 5)), (plain, 10)),
        "learning_rate": Experiment(
            "4.{}.2", "Learning rate",
            {f"learning_rate={text}": dataclasses.replace(plain, learning_rate=float(text)) for text in LEARNING_RATES},
            SHORT_AND_LONG, (plain, None),
        ),
        "batch_size": Experiment(
            "4.{}.3", "Batch size", varying("batch_size", BATCH_SIZES, plain), SHORT_AND_LONG, (plain, None)
        ),
        **{name: Experiment(table, title, varying("feature", names, ours), SHORT_AND_LONG, reference)
           for name, (table, title, names) in features.items()},
        "embedding_length": Experiment(
            "5.{}.5", "Length of the user embedding", varying("user_embedding_length", LENGTHS, ours),
            SHORT_AND_LONG, reference,
        ),
        "interruption": Experiment(
            "5.{}.6", "Validation interruption and halving of the learning rate",
            {"interruption_and_halving=with": ours, "interruption_and_halving=without": plain}, (30,), reference,
        ),
        "performance": Experiment(
            "6.{} performance", "Performance, AUC and LogLoss", {"": ours}, (10, 20, 30, 50), (ours, 10)
        ),
        "performance_by_epoch": Experiment(
            "6.{} epochs", "Performance by epoch", {"": ours}, tuple(range(10, 101, 10)), (ours, 10)
        ),
    }  # fmt: skip
    return {name: experiment for name, experiment in found.items() if experiment.rows}


# The published ones.
EXPERIMENTS = experiments_of(MODALITIES)
ADAPTIVE = adaptive(MODALITIES)
PLAIN = dataclasses.replace(ADAPTIVE, lr_change=False, interruption=False)


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
        from mma4ctr.runs.run import native  # late: the table of experiments is asked for by --help

        own, protocol = self.settings(settings), self.variant.protocol
        return native(own, self.task, self.setting.feature, protocol, self.schedule(eval_every), device)


def points(
    settings: Settings, tasks: Iterable[str], variants: Iterable[Variant], names: Iterable[str], seeds: int,
    longest: int,
) -> list[Point]:  # fmt: skip
    """Return every figure that the named experiments need, after at most `longest` epochs, each once.

    A task whose items have too few modalities for an experiment has none of it.
    """
    from mma4ctr.data.registry import modalities_of

    found = []
    for task, variant, seed, name in itertools.product(tasks, variants, range(seeds), names):
        experiment = experiments_of(modalities_of(settings, task)).get(name)
        if experiment is not None:
            found += [Point(task, variant, setting, seed, epochs)
                      for setting in (*experiment.rows.values(), experiment.reference[0])
                      for epochs in experiment.epochs if epochs <= longest]  # fmt: skip
    return list(dict.fromkeys(found))
