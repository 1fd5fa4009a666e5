"""What a data set is: what a file in `mma4ctr/data/datasets/` has as its ``DATASET``, or what a declaration makes.

Everything else follows: its key ``<name>_dataset_path`` in path.json, what ``--dataset`` of the steps takes, its
records, and its place in the report. README.md shows a declaration, without code, docs/data_set_class.md a class.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from mma4ctr.catalogue import MODALITIES, Task
from mma4ctr.data import raw_files
from mma4ctr.data.blocks import Modality, RawModality
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor
from mma4ctr.keys import Key
from mma4ctr.published.logs import Facts
from mma4ctr.sampling.sample import Sample
from mma4ctr.settings import RAW_FOLDER


@dataclasses.dataclass(frozen=True)
class Negatives:
    """How rows without a click are drawn for a log that has none.

    Attributes
    ----------
    ratio : int
        Drawn rows for each row of the log.
    popularity_power : float
        Items are drawn in proportion to how often they occur, to this power: 0 draws all alike.
    seed : int
    """

    ratio: int
    popularity_power: float = 0.75
    seed: int = 0


class DataSet(abc.ABC):
    """One data set: what it is called and what it holds, and how its raw logs are read.

    An object travels to workers: what is declared belongs to its class, or to fields that can be pickled.

    Attributes
    ----------
    name : str
        What ``--dataset`` of steps 1 to 5 takes.
    folder : str
        The default of ``<name>_dataset_path``: where its raw logs lie, below `parent_folder`.
    tasks : tuple of Task
        What is predicted: labels among the columns of `interactions`.
    minimum : int
        The default of ``min_interactions``: how many rows a user has to have.
    actions : tuple of str
        Columns of `interactions`, 0 or 1, whose positives the statistics count.
    modalities : tuple of str
        What items may have features of, one to five names without underscores.
    context : tuple of str
        Further columns of `interactions`, int64 or text, that say in which circumstances a row came about.
    negatives : Negatives or None
        How rows without a click are drawn, for a log that has none: its rows are all clicks.
    version : int
        Raised when the same raw files are read otherwise; see CONTRIBUTING.md.
    place : int
        Where it stands among the data sets; those of equal place follow their names.
    settings : mapping of str to Key
        Keys of path.json of its own, which `interactions` depends on.
    modality_settings : tuple of str
        Keys of path.json that `read_modalities` depends on.
    minimum_counts : tuple of str
        What makes two rows of a user one where `minimum` is counted: columns among item and labels; without any, every
        raw row counts.
    needs_kept_items : bool
        Whether modalities are read for the items of kept users alone.
    refuses_one_class : bool
        Whether step 1 refuses a log in which a label has one class only; otherwise training does.
    weights : mapping of str to int
        The weights of actions that make a click together.
    published : Facts or None
        What is known of its full log.
    sample : Sample or None
        What writes sample logs in its format.
    """

    name: str
    folder: str
    tasks: tuple[Task, ...]
    minimum: int
    actions: tuple[str, ...]
    modalities: tuple[str, ...] = MODALITIES
    context: tuple[str, ...] = ()
    negatives: Negatives | None = None
    version: int = 1
    place: int = 100
    settings: Mapping[str, Key] = MappingProxyType({})
    modality_settings: tuple[str, ...] = ()
    minimum_counts: tuple[str, ...] = ()
    needs_kept_items: bool = True
    refuses_one_class: bool = False
    weights: Mapping[str, int] = MappingProxyType({})
    published: Facts | None = None
    sample: Sample | None = None

    @property
    def key(self) -> str:
        """The key of path.json that leads to its raw logs."""
        return RAW_FOLDER.format(self.name)

    def version_for(self, script: str) -> int | str:
        """Return what changes when a step would read the same raw files otherwise."""
        return self.version

    def parts(self, executor: Executor, files: Sequence[Path]) -> list[Part]:
        """Return the parts of interaction files that `interactions` takes, in order."""
        return raw_files.parts(executor, files, streamed=True)

    @abc.abstractmethod
    def interaction_files(self, folder: Path) -> list[Path]:
        """Return the raw files in `folder` that hold the interactions, in the order in which they are read."""

    @abc.abstractmethod
    def interactions(self, part: Part, own: Mapping[str, Any]) -> pl.LazyFrame:
        """Scan a part of an interaction file lazily, one row an interaction, in the order of the file.

        Parameters
        ----------
        part : Part
        own : mapping of str to object
            The values of `settings`.

        Returns
        -------
        polars.LazyFrame
            Columns ``user``, ``item``, ``device``, ``time`` and those of `actions` and of the tasks' labels, int64, and
            those of `context`. Users and items may be text instead: then artefacts know them by their place among
            those that are kept, in alphabetical order. Rows of a user are sorted by time, those of equal time keep
            their order. In a row that cannot be read ``user`` is null.
        """

    def order(self, file: Path) -> str:
        """Say by what the rows of a user are sorted, in words: by the time that the log has, or what it lacks.

        Parameters
        ----------
        file : Path
            An interaction file.
        """
        return "time, equal times by place in the file"

    def explain(self, file: Path) -> None:  # noqa: B027 - a data set may leave it at the name of the file
        """Raise the `UserError` that names the first line of an interaction file that cannot be read."""

    @abc.abstractmethod
    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return the raw files in `folder` that hold the features of each modality, without modalities that have none.

        Raises
        ------
        UserError
            If there are none at all, or one cannot be what it should be.
        """

    def raw_modality(
        self, name: str, folder: Path, kept: Any, values: Mapping[str, Any], executor: Executor
    ) -> RawModality | None:
        """Return one modality as `read_modalities` reads it, not yet reduced; None where it is not kept apart."""
        return None

    @abc.abstractmethod
    def read_modalities(
        self, folder: Path, kept: Any, values: Mapping[str, Any], executor: Executor
    ) -> Iterator[Modality]:
        """Read and reduce the modalities that have files, one after another.

        Parameters
        ----------
        folder : Path
        kept : (items,) int64 array, or polars.Series of str
            The items of kept users as the log calls them, sorted; empty unless `needs_kept_items`. Where they are
            text, a modality knows the items by their places among them.
        values : mapping of str to object
            The values of `modality_settings`.
        executor : Executor
            Where the work is done (see `mma4ctr.executor`).
        """
