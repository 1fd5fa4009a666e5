"""The model that the package adds: every other one set against it, and what each of its parts is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from mma4ctr.evaluation import calibration
from mma4ctr.inputs.rows import load_fused
from mma4ctr.report.cells import BLANK, DIFFERENT, auc_cell, difference_lines, marked, number_cell, signed, words
from mma4ctr.report.leaderboard import chosen
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import Ours, TaskRuns
from mma4ctr.report.standings import label_rates, of_others, standings
from mma4ctr.runs.comparison import Difference, difference, difference_among, gauc_difference, summarise
from mma4ctr.runs.finished import Evaluation
from mma4ctr.runs.tested import Tested

MODELS = ("mma4ctr_plus", "mma4ctr_plus_small")
RARE_ITEM, NEW_USER = 20, 30  # fewer training rows than that make an item a rare one, and a user a new one
AGAINST_NOTE = (
    "Each model less {}, under the clean protocol, with the paired 95 % interval over test users: each after the "
    "epochs, and at the learning rate, that its validation rows chose. ≠ marks intervals without 0."
)
CAUSAL_NOTE = (
    "Whole: the published embedding, of all rows of a user that the protocol lets it see, so that a training row finds "
    "its own click in it. Causal: of the rows before each row. Δ is causal less whole."
)
PARTS_NOTE = (
    "Every row is trained anew, at the same learning rate and from the seeds that its AUC names; Δ is its difference "
    "from the whole model. Rare items have fewer than {} training rows, new users fewer than {}. Whole tables, which "
    "know a training row's own click, are an ablation that leaks: on training rows they say more than they can on test "
    "rows."
)


def delta_cell(found: Difference) -> Cell:
    """Return a difference as a cell of its own, marked where its interval excludes 0."""
    if np.isnan(found.auc):
        return BLANK
    cell = Cell(signed(found.auc), found.auc, (difference_lines(found)[0].removeprefix("Δ "),))
    return marked(cell, DIFFERENT) if found.is_one else cell


def of_model(runs: TaskRuns, model: str) -> Tested | None:
    """Return a model as it was run without settings of its own, None where it was not."""
    return next((one for one in of_others(runs, "clean") if one.native and one.model == model), None)


def against_table(runs: TaskRuns, plus: Tested) -> Table:
    """Return every model of the clean protocol set against one of the package's own."""
    own = chosen(plus)[1]
    others = [one for one in standings(runs, "clean") if one.evaluations != own]
    others += label_rates(runs, others).values()
    rows = [
        (
            Cell(one.name), auc_cell(one.evaluations), delta_cell(difference(one.evaluations, own)),
            number_cell(one.summary.figures["gauc"]), delta_cell(gauc_difference(one.evaluations, own)),
        )
        for one in others
    ]  # fmt: skip
    title = f"{runs.task}: every model set against {plus.model}"
    return Table(title, ("model", "AUC", "Δ AUC", "GAUC", "Δ GAUC"), tuple(rows), AGAINST_NOTE.format(plus.model))


def rare(runs: TaskRuns) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what tells test rows (rows, 3) of rare items, and of new users, by their training rows alone."""
    training = load_fused(runs.results.settings, runs.task, "clean").part("training")

    def few(column: int, fewest: int) -> Callable[[np.ndarray], np.ndarray]:
        counts = np.bincount(training[:, column])
        counts = np.append(counts, 0)  # of whoever has none
        return lambda rows: counts[np.minimum(rows[:, column], len(counts) - 1)] < fewest

    return {"rare items": few(1, RARE_ITEM), "new users": few(0, NEW_USER)}


@dataclasses.dataclass(frozen=True)
class Part:
    """One row: the whole model, or an ablation of it."""

    what: str
    evaluations: Sequence[Evaluation]
    whole: Sequence[Evaluation]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.evaluations == self.whole

    def delta(self, compare: Callable[[Sequence[Evaluation], Sequence[Evaluation]], Difference]) -> Cell:
        """Return the difference from the whole model, blank for the whole model itself."""
        return BLANK if self.is_whole else delta_cell(compare(self.evaluations, self.whole))


def part_cells(part: Part, groups: dict[str, Callable[[np.ndarray], np.ndarray]]) -> tuple[Cell, ...]:
    """Return the row of the whole model or of an ablation."""
    figures = summarise(part.evaluations).figures
    cells = [*words(part.what), auc_cell(part.evaluations), part.delta(difference),
             number_cell(figures["gauc"]), part.delta(gauc_difference)]  # fmt: skip
    for few in groups.values():
        own, found = difference_among(part.evaluations, part.whole, few)
        said = (f"{found.rows:,} rows",) if part.is_whole else difference_lines(found)[:1]
        cell = dataclasses.replace(number_cell(own), details=said)
        cells.append(marked(cell, DIFFERENT) if found.is_one and not part.is_whole else cell)
    return (*cells, number_cell(figures[calibration.NAME]))


def parts_table(runs: TaskRuns, plus: Tested) -> Table | None:
    """Return what each part of a model is worth; None where no ablation of it has run."""
    ablations = runs.ablations(plus.model)
    if not ablations:
        return None
    whole, groups = chosen(plus)[1], rare(runs)
    parts = [Part("the whole model", whole, whole)]
    parts += [Part(one.ablation, chosen(one)[1], whole) for one in ablations]
    heads = ("", "AUC", "Δ AUC", "GAUC", "Δ GAUC", *(f"AUC, {name}" for name in groups), "LogLoss, calibrated")
    return Table(f"{runs.task}: what the parts of {plus.model} are worth", heads,
                 tuple(part_cells(part, groups) for part in parts), PARTS_NOTE.format(RARE_ITEM, NEW_USER))  # fmt: skip


def causal_table(runs: TaskRuns) -> Table | None:
    """Return what user embeddings of the rows before each row change for MMa4CTR; None where none has run."""
    rows = []
    for whole, causal in runs.causal.items():
        theirs, ours = (Ours(runs, variant, runs.adaptive) for variant in (whole, causal))
        for epochs in sorted(set(theirs.epochs) & set(ours.epochs)):
            pair = [one.evaluations(epochs) for one in (theirs, ours)]
            gaucs = [number_cell(summarise(one).figures["gauc"]) for one in pair]
            rows.append((*words(whole, epochs), *map(auc_cell, pair), delta_cell(difference(*reversed(pair))), *gaucs,
                         delta_cell(gauc_difference(*reversed(pair)))))  # fmt: skip
    heads = ("", "epochs", "AUC, whole", "AUC, causal", "Δ AUC", "GAUC, whole", "GAUC, causal", "Δ GAUC")
    return Table(f"{runs.task}: MMa4CTR with user embeddings of the rows before each row", heads, tuple(rows),
                 CAUSAL_NOTE) if rows else None  # fmt: skip


def tables(runs: TaskRuns) -> list[Table]:
    """Return what causal embeddings change, then both tables of each of the package's own models that has run."""
    found: list[Table | None] = [causal_table(runs)]
    for plus in filter(None, (of_model(runs, model) for model in MODELS)):
        found += [against_table(runs, plus), parts_table(runs, plus)]
    return [table for table in found if table is not None]
