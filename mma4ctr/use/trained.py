"""A finished run as an object: it predicts, ranks and shows what it was tested on, with the ids of the logs."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import torch

from mma4ctr.cli import UserError
from mma4ctr.features import newcomers
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models.contract import Model
from mma4ctr.runs import described, finished, fit, folder
from mma4ctr.training.devices import device_of
from mma4ctr.use import new_items, scoring, tables, who
from mma4ctr.use.rebuilt import run_of
from mma4ctr.use.shown import Shown

Progress = Callable[[int], object]


def load_run(path: str | Path) -> TrainedRun:
    """Return the finished run in a folder, ``.../saved/<run>``.

    The model is rebuilt from the folder's model.json, on the GPU if it was trained on one and there is one.

    Raises
    ------
    UserError
        If it is not the folder of a finished run, the run is of another version of the code, or what it was built on
        is no longer there.
    """
    place = Path(path).resolve()
    if not (place / folder.METRICS).exists():
        raise UserError(f"{path}: is not the folder of a finished run (no {folder.METRICS}); give .../saved/<run>")
    if finished.native_model(folder.metrics_in(place)) is None:
        raise UserError(f"{path}: is a run of click rates or of RecBole, expected one of a model of the package")
    return TrainedRun(place)


class TrainedRun:
    """A finished run.

    Attributes
    ----------
    folder : Path
    description : dict
        What model.json says.
    run : Run
    metrics : dict
        What the run found.
    """

    def __init__(self, place: Path, device: str | None = None) -> None:
        self.folder, self.description, self.metrics = place, described.read(place), folder.metrics_in(place)
        self.run = run_of(place, self.description)
        wanted = device or ("auto" if self.run.device == "cuda" else "cpu")
        self.device = device_of(wanted)
        self._new: tuple[pl.Series, np.ndarray] | None = None

    # ---- what was found

    @functools.cached_property
    def history(self) -> pl.DataFrame:
        """One row for each epoch: losses, validation figures, rates, seconds."""
        return pl.DataFrame(folder.load_json(self.folder, "history"), infer_schema_length=None)

    @functools.cached_property
    def test_rows(self) -> pl.DataFrame:
        """The test rows: user, item, label, and the probability that the run gave it."""
        rows = folder.load_array(self.folder, "test_rows")
        return pl.DataFrame({
            "user": self._ids("users").of(rows[:, 0]), "item": self._ids("items").of(rows[:, 1]),
            "label": rows[:, 2], "probability": folder.load_array(self.folder, "predictions"),
        })  # fmt: skip

    # ---- what it is made of

    @property
    def dataset(self) -> str:
        """The data set of the run's task."""
        return self.run.settings.dataset_of(self.run.task)

    @functools.cache  # noqa: B019
    def _ids(self, what: str) -> who.Ids:
        return who.of(self.run.settings, self.dataset, what)

    @property
    def _item_ids(self) -> who.Ids:
        return self._ids("items") if self._new is None else self._ids("items").with_more(self._new[0])

    @functools.cached_property
    def _rebuilt(self) -> tuple[Inputs, Model]:
        inputs, model = fit.finished_model(self.run, self.device)
        sizes = dataclasses.asdict(inputs.sizes)
        if orjson.loads(orjson.dumps(sizes)) != self.description["sizes"]:
            raise UserError(f"{self.folder}: the artefacts give the sizes {sizes}, {described.MODEL} says "
                            f"{self.description['sizes']}; run the same mlp.py command again")  # fmt: skip
        return inputs, model

    @property
    def inputs(self) -> Inputs:
        """What the model needs of the rows it was trained and tested on."""
        return self._rebuilt[0]

    @functools.cached_property
    def model(self) -> Model:
        """The model as the run ended, with room for unknown users and the new items."""
        model = self._rebuilt[1]
        self._admits = model.admit(0 if self._new is None else len(self._new[1]))
        return model.to(self.device)

    @functools.cached_property
    def shown(self) -> Shown:
        """Users and items as the model is shown them."""
        items = None if self._new is None else self._new[1]
        return Shown(self.inputs, self.run.protocol, self.device, items)

    @functools.cached_property
    def _stranger(self) -> bool:
        """Whether an unknown user can be scored; the content of one is computed when the first is met."""
        run, shown = self.run, self.shown
        if not self.model or not self._admits:
            return False
        if "content" in self.inputs.needs:
            if run.settings.user_embedding_length == 0:  # content is the id itself, which says nothing of others
                return False
            with run.reading():
                user = newcomers.user_without_rows(run.settings, run.task, run.feature, run.protocol)
            shown.take_user(user)
        return True

    @functools.cached_property
    def _scorable(self) -> np.ndarray:
        """Whether each item index can be scored: those that have content, in the end the new ones."""
        inputs, shown = self.inputs, self.shown
        known = inputs.content.places >= 0 if inputs.content else np.ones(inputs.items, dtype=bool)
        more = np.full(shown.items - inputs.items, bool(self.model and self._admits))
        more[0] = False
        return np.concatenate([known, more])

    @property
    def number_of_candidates(self) -> int:
        """How many items can be recommended: those with content."""
        return int(self._scorable.sum())

    # ---- new items

    def modalities(self) -> dict[str, int]:
        """Return the modalities of which a new item needs a vector, and how many numbers each has."""
        return new_items.widths_of(self.run)

    def add_items(self, table: pl.DataFrame, told: str = "items") -> int:
        """Let new items be scored, in place of those that were added before; return how many there are.

        Parameters
        ----------
        table : polars.DataFrame
            A column ``item`` of ids, and for each modality of the run's feature a column of lists of numbers: called
            like it, what step 2's matrix ``multi_modal/<data set>_<modality>.npy`` has for an item; or called
            ``<modality>_raw``, what the raw files have, before step 2 reduces it.
        told : str
            What it is called in errors.

        Raises
        ------
        UserError
            If a column is missing, vectors are of another width, or an id is there twice.
        """
        ids = tables.ids_in(table["item"], "item")
        if ids.n_unique() < len(ids):
            raise UserError(f"{told}: item {ids.filter(ids.is_duplicated())[0]:.60} is there twice; leave one out")
        known = self._ids("items").places(ids) >= 0
        if known.any():
            warnings.warn(f"{told}: {known.sum():,} of {len(ids):,} items are those of the logs, and keep the content "
                          "that they have", stacklevel=2)  # fmt: skip
        table, ids = table.filter(~known), ids.filter(~known)
        with self.run.reading():
            made = new_items.features_of(self.run, table, told, together="content" in self.description["needs"])
        for name in ("_rebuilt", "model", "shown", "_stranger", "_scorable"):
            self.__dict__.pop(name, None)
        self._new = ids, made
        return len(ids)

    # ---- scoring

    def _users(self, ids: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the index of each user (n,), unknown ones as the last, and whether it can be scored (n,)."""
        places = self._ids("users").places(ids)
        unknown = places < 0
        can = ~unknown
        if unknown.any():
            told = f"unknown users: {ids.filter(pl.Series(unknown)).n_unique():,}"
            if self._stranger:
                warnings.warn(f"{told}, scored as users without any history", stacklevel=3)
                can[:] = True
            else:
                warnings.warn(f"{told}, left out, because this model knows users by their ids alone", stacklevel=3)
        return np.where(unknown, self.shown.users - 1, places), can

    def predict(self, pairs: Any, done: Progress = lambda rows: None) -> pl.DataFrame:
        """Return the probability of a click for pairs, as if each were shown after all training rows.

        An unknown user has no history. An item that is unknown, or has no content in the run's feature, gets no
        probability (null). Both are counted in a warning.

        Parameters
        ----------
        pairs : data frame of polars or pandas with the columns user and item, or an iterable of (user, item)
            Ids as the logs have them.
        done : callable, optional
            Told of numbers of pairs that are scored.

        Returns
        -------
        polars.DataFrame
            user, item, probability: in the order of the pairs.
        """
        given = tables.frame_of(pairs)
        user_ids, item_ids = (tables.ids_in(given[name], name) for name in ("user", "item"))
        users, can = self._users(user_ids)
        items = self._item_ids.places(item_ids)
        has_content = (items >= 0) & self._scorable[items]
        if not has_content.all():
            lacking = item_ids.filter(pl.Series(~has_content)).n_unique()
            warnings.warn(f"items that are unknown or have no content: {lacking:,}; {(~has_content).sum():,} of "
                          f"{len(items):,} pairs get no probability", stacklevel=2)  # fmt: skip
        can = can & has_content
        scores = scoring.log_odds_of_pairs(self.model, self.shown, users[can], items[can], done)
        probabilities = np.full(len(users), np.nan, dtype=np.float32)
        probabilities[can] = sigmoid(scores)
        told = pl.Series("probability", probabilities).fill_nan(None)
        return given.select("user", "item").with_columns(told)

    def top_k(self, users: Any = None, k: int = 10, *, unseen: bool = False) -> pl.DataFrame:
        """Return the k items that each user most likely clicks, best first.

        Parameters
        ----------
        users : iterable of ids, optional
            By default every user of the data set.
        k : int
        unseen : bool
            Whether items that the user met in any row of the task are left out.

        Returns
        -------
        polars.DataFrame
            user, rank (from 1), item, probability.
        """
        return pl.concat(list(self.top_chunks(users, k, unseen=unseen)))

    def top_chunks(self, users: Any = None, k: int = 10, *, unseen: bool = False) -> Iterator[pl.DataFrame]:
        """Yield what `top_k` returns, some users at a time."""
        known = self._ids("users").known
        ids = known if users is None else pl.Series("user", list(users))
        places, can = (np.arange(len(known)), np.ones(len(known), bool)) if users is None else self._users(
            tables.ids_in(ids, "user"))  # fmt: skip
        ids, places = ids.filter(pl.Series(can)), places[can]
        candidates, item_ids, begin = np.flatnonzero(self._scorable), self._item_ids, 0
        numbers = {"rank": pl.Series([], dtype=pl.Int64), "probability": pl.Series([], dtype=pl.Float32)}
        empty = pl.DataFrame({"user": ids.clear(), "item": item_ids.known.clear(), **numbers})
        empty = empty.select("user", "rank", "item", "probability")
        yield empty
        seen = functools.partial(scoring.met_by, self.inputs.task.rows) if unseen else None
        for some, best, scores in scoring.top_items(self.model, self.shown, places, candidates, k, seen):
            row, rank = np.nonzero(best >= 0)
            own = ids.slice(begin, len(some))
            begin += len(some)
            yield pl.DataFrame({
                "user": own.gather(row), "rank": (rank + 1).astype(np.int64), "item": item_ids.of(best[row, rank]),
                "probability": sigmoid(scores[row, rank]),
            })  # fmt: skip


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Return the probabilities (n,) float32 of log-odds (n,), as the test has them."""
    return torch.sigmoid(torch.from_numpy(log_odds)).numpy()
