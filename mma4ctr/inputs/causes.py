"""Why a part of a task's rows has no row or a single class, and what to do about it: the first cause that holds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from mma4ctr.cli import UserError
from mma4ctr.data.registry import dataset_of, task_of
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading

THRESHOLD = "click_threshold"  # the key of path.json of a data set whose clicks are a mean of weighted actions
FEW_USERS = 10  # fewer are too few for a cut at 80 % and 90 %: a part has the rows of one of them


@dataclasses.dataclass(frozen=True)
class Situation:
    """A part that lacks a class, and all that its cause is looked for in."""

    settings: Settings
    task: str
    protocol: str
    feature: str
    found: TaskRows
    part: str

    @property
    def dataset(self) -> str:
        """The data set of the task."""
        return self.settings.dataset_of(self.task)

    @property
    def label(self) -> str:
        """The column that says what a click is."""
        return task_of(self.settings, self.task).label

    @property
    def drawn(self) -> bool:
        """Whether rows without a click were drawn, which the log has none of."""
        return dataset_of(self.settings, self.dataset).negatives is not None

    @functools.cached_property
    def log(self) -> dict[str, int]:
        """The rows of the unfiltered log and the positive rows of each action."""
        return reading.load_json(self.settings, "actions", dataset=self.dataset)

    @property
    def threshold(self) -> Any:
        """The threshold of a click, a number; None where the log says what is one."""
        return self.settings.own_of(self.dataset).get(THRESHOLD)

    @property
    def clicks(self) -> np.ndarray:
        """The clicks (n,) of all rows of the task."""
        return self.found.rows[:, 2]

    @functools.cached_property
    def covered(self) -> np.ndarray:
        """The clicks (m,) of the rows whose item has the feature."""
        return np.concatenate([self.found.part(name)[:, 2] for name in self.found.parts])

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """The rows (users,) of each user."""
        return np.unique(self.found.rows[:, 0], return_counts=True)[1]

    @property
    def least(self) -> int:
        """The rows of a user of which any are validation and test rows."""
        return PROTOCOLS[self.protocol].least_rows

    @property
    def remedy(self) -> str:
        """What gives more rows to every part: a lower min_interactions only where it would keep further users."""
        histogram = reading.load(self.settings, "user_lengths", dataset=self.dataset)
        long_enough = int(histogram[histogram[:, 0] >= self.least, 1].sum())
        if long_enough > len(reading.load(self.settings, "users", dataset=self.dataset)):
            minimum = self.settings.min_interactions[self.dataset]
            return f"lower min_interactions of {self.dataset} in path.json, which is {minimum}, or use a longer log"
        return "use a longer log: a lower min_interactions would keep no further user that helps"


Test = Callable[[Situation], bool]
Words = Callable[[Situation], str]
# In this order: whether it is the cause, and what is said of it.
CAUSES: tuple[tuple[Test, Words], ...] = (
    (lambda of: of.threshold is not None and not any(of.log[name] for name in of.log if name != "rows"),
     lambda of: "no row of the whole log has any action; look whether its columns of actions are filled"),
    (lambda of: of.log.get(of.label) == 0 and of.threshold is not None,
     lambda of: f"no row of the whole log reaches {THRESHOLD}, which is {of.threshold:g}; lower it in path.json"),
    (lambda of: of.log.get(of.label) == 0,
     lambda of: f"no row of the whole log has {of.label} 1, so that there is no click; look whether the column is "
                "filled"),
    (lambda of: of.log.get(of.label) == of.log["rows"] and of.threshold is not None,
     lambda of: f"every row of the whole log reaches {THRESHOLD}, which is {of.threshold:g}; raise it in path.json"),
    (lambda of: of.log.get(of.label) == of.log["rows"] and not of.drawn,
     lambda of: f"every row of the whole log has {of.label} 1, so that there is nothing but clicks; look whether the "
                "log is whole"),
    (lambda of: not 0 < of.clicks.sum() < len(of.clicks),
     lambda of: f"the {len(of.lengths):,} kept users have {of.clicks.sum():,} clicks in {len(of.clicks):,} rows; "
                f"{of.remedy}"),
    (lambda of: len(of.covered) == 0,
     lambda of: f"no row is of an item that has {of.feature}; look whether the feature files belong to this log"),
    (lambda of: not 0 < of.covered.sum() < len(of.covered),
     lambda of: f"of {of.clicks.sum():,} clicks in {len(of.clicks):,} rows, {of.covered.sum():,} in "
                f"{len(of.covered):,} rows are of items that have {of.feature}; look whether the feature files are "
                "whole, or choose another feature"),
    (lambda of: of.part != "training" and (of.lengths >= of.least).sum() == 0,
     lambda of: f"under {of.protocol} the {of.part} rows come from users with {of.least} rows or more, which 0 of "
                f"{len(of.lengths):,} users have (the longest has {of.lengths.max():,}); use a longer log, or another "
                "protocol"),
    (lambda of: of.least > 1 and (of.lengths >= of.least).sum() < FEW_USERS,
     lambda of: f"under {of.protocol} validation and test rows come from users with {of.least} rows or more, which "
                f"only {(of.lengths >= of.least).sum():,} of {len(of.lengths):,} users have; {of.remedy}"),
    (lambda of: of.least == 1 and len(of.lengths) < FEW_USERS,
     lambda of: f"there are only {len(of.lengths):,} users, too few to be cut at 80 % and 90 % of the rows; "
                f"{of.remedy}"),
    (lambda of: True,
     lambda of: f"there are only {of.covered.sum():,} clicks in {len(of.covered):,} rows, too few for every part to "
                f"have some and other rows; {of.remedy}"),
)  # fmt: skip


def cause_of(situation: Situation) -> str:
    """Return why a part lacks a class, and what to do about it."""
    try:
        return next(words(situation) for applies, words in CAUSES if applies(situation))
    except UserError as error:  # the statistics of step 1 are missing or damaged
        return str(error)


def require_both_classes(found: TaskRows, settings: Settings, task: str, protocol: str, feature: str) -> None:
    """Raise `UserError`, which names the cause, if a part has no row or a single class."""
    for name in PARTS:
        rows, clicks = len(found.parts[name]), int(found.part(name)[:, 2].sum())
        if not 0 < clicks < rows:
            cause = cause_of(Situation(settings, task, protocol, feature, found, name))
            raise UserError(f"{task}, {feature}, {protocol}: the {name} part has {rows} rows and {clicks} clicks, "
                            f"expected both classes; {cause}")  # fmt: skip
