"""A data set that is declared: what its declaration says, as `mma4ctr.data.contract.DataSet` has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from mma4ctr.catalogue import Task
from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.blocks import Modality, RawModality, reduced
from mma4ctr.data.contract import DataSet, Negatives
from mma4ctr.data.declared import explaining, kinds, log_files, rows, scanning, sources
from mma4ctr.data.declared.schema import CLICK, Declaration
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor
from mma4ctr.published.logs import Facts
from mma4ctr.store.records import INTER, MULTIMODAL, identity

VERSION = 1  # raised when the same declaration reads the same files otherwise
PLACE = 200  # after the data sets of code
OF_INTERACTIONS = ("interactions", "user", "item", "time", "device", "session", "context", "labels", "negatives")
OF_MODALITIES = ("item", "modalities")


def reduced_modality(name: str, declaration: Declaration, folder: Path, kept: Any, key: str) -> Modality:
    """Read one modality of the kept items, and reduce it."""
    return reduced(sources.raw_modality(name, declaration.modalities[name], folder, kept, key))


def _derived() -> Any:
    return dataclasses.field(init=False, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Declared(DataSet):
    """The data set `name` of a declaration; all else follows from it."""

    name: str
    declaration: Declaration = dataclasses.field(hash=False, repr=False)
    folder: str = _derived()
    tasks: tuple[Task, ...] = _derived()
    minimum: int = _derived()
    actions: tuple[str, ...] = _derived()
    modalities: tuple[str, ...] = _derived()
    context: tuple[str, ...] = _derived()
    negatives: Negatives | None = _derived()  # noqa: RUF009
    published: Facts | None = _derived()  # noqa: RUF009
    refuses_one_class: bool = dataclasses.field(init=False, repr=False, compare=False, default=True)
    place: int = dataclasses.field(init=False, repr=False, compare=False, default=PLACE)

    def __post_init__(self) -> None:
        """Fill in what follows."""
        of, drawn, facts = self.declaration, self.declaration.negatives, self.declaration.published
        labels = tuple(of.labels) or (CLICK,)
        names = {label: self.name if len(labels) == 1 else f"{self.name}_{label}" for label in labels}
        derived: dict[str, object] = {
            "folder": of.folder or f"dataset/{self.name}",
            "tasks": tuple(Task(names[label], self.name, label) for label in labels),
            "minimum": of.min_interactions,
            "actions": labels,
            "modalities": tuple(of.modalities),
            "context": of.context,
            "negatives": drawn and Negatives(drawn.ratio, drawn.popularity_power, drawn.seed),
            "published": facts and Facts(source=facts.source, rows=facts.rows, users=facts.users, items=facts.items),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type[Declared], tuple[str, Declaration]]:
        """Return how it is made again on a worker, where all else follows as it does here."""
        return Declared, (self.name, self.declaration)

    def version_for(self, script: str) -> str:
        """Return a digest of that part of the declaration that a step depends on."""
        keys = {INTER: OF_INTERACTIONS, MULTIMODAL: OF_MODALITIES}.get(script, (*OF_INTERACTIONS, "modalities"))
        said = {key: msgspec.to_builtins(getattr(self.declaration, key)) for key in keys}
        # As pairs: what `identity` sorts is the same in any order, but that of labels and modalities counts.
        ordered = {
            key: list(value.items()) if key in ("labels", "modalities") else value for key, value in said.items()
        }
        return f"{VERSION}-{identity(ordered)}"

    def interaction_files(self, folder: Path) -> list[Path]:
        """Return the files that ``interactions.files`` finds in `folder`, in its order.

        Raises
        ------
        UserError
            If a name or a pattern finds nothing, or an ending says no format.
        """
        files = log_files.found(self.declaration.interactions.files, folder, self.key)
        for file in files:
            log_files.format_of(file, self.declaration.interactions)
        return files

    def parts(self, executor: Executor, files: Sequence[Path]) -> list[Part]:
        """Return the parts of the files, which know the kinds of their columns.

        In this process, a part is a file. On a cluster, plain text is cut at line ends, unless there is a quote in it.

        Raises
        ------
        UserError
            If a file lacks a column, or its end; if files disagree, or an expression cannot be evaluated.
        """
        for file in files:
            log_files.check_whole(file)
        found = kinds.of_files(files, self.declaration)
        rows.probe(self.declaration, kinds.heads(files[0], self.declaration), found, self.name)
        for file in files:
            log_files.check_end(file, self.declaration.interactions)
        if executor.is_local:
            return [kinds.part_of(file, found) for file in files]
        return [
            kinds.part_of(part.file, found, part.start, part.end)
            for file in files for part in self._ranges(file.resolve(), executor.part_bytes)
        ]  # fmt: skip

    def _ranges(self, file: Path, size: int) -> list[Part]:
        table = self.declaration.interactions
        if log_files.is_packed(file) or not log_files.is_text(file, table):
            return [Part(file)]
        if log_files.is_quoted(file, table) and log_files.has_quotes(file):
            return [Part(file)]
        return raw_files.parts_of(file, size)

    def _kinds(self, part: Part) -> dict[str, str]:
        found = dict(part.kinds) if isinstance(part, scanning.TablePart) else {}
        return found or kinds.of_files([part.file], self.declaration)

    def interactions(self, part: Part, own: Mapping[str, Any]) -> pl.LazyFrame:
        """Scan a part of a file lazily: see the contract.

        The time is in numbers of its unit, a date in seconds; without one it is 0 throughout, and so is the device.
        """
        table, found = self.declaration.interactions, self._kinds(part)
        typed = kinds.part_of(part.file, found, part.start, part.end)
        schema, is_text = scanning.schema_of(part.file, table), log_files.is_text(part.file, table)
        frame = scanning.scan(typed, table, schema, found, list(found))
        scanned = {**schema, **scanning.dtypes_of(part.file, table, found)}
        return rows.Rows(self.declaration, scanned, found, filled=is_text).read(frame)

    def order(self, file: Path) -> str:
        """Say by what the rows of a user are sorted: the declared column, or the place in the file."""
        time = self.declaration.time
        if time is None:
            return "place in the file, since no time is declared"
        return f"{time.column}, equal times by place in the file"

    def explain(self, file: Path) -> None:
        """Raise the `UserError` that names the first row of a file that cannot be read."""
        explaining.broken(file, self.declaration, kinds.of_files([file], self.declaration))

    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return the files of each modality that has some.

        Raises
        ------
        UserError
            If there are none at all, or one is not as it should be.
        """
        there = {name: source for name, source in self.declaration.modalities.items()
                 if sources.are_there(source, folder)}  # fmt: skip
        if not there:
            names = ", ".join(source.file for source in self.declaration.modalities.values())
            raise UserError(f"{folder}: has none of the files of modalities, {names:.300}; put one there, or change "
                            f"{self.key} in path.json")  # fmt: skip
        return {name: sources.files_of(source, folder, self.key) for name, source in there.items()}

    def raw_modality(
        self, name: str, folder: Path, kept: np.ndarray | pl.Series, values: Mapping[str, Any], executor: Executor
    ) -> RawModality:
        """Read one modality."""
        return sources.raw_modality(name, self.declaration.modalities[name], folder, kept, self.key)

    def read_modalities(
        self, folder: Path, kept: np.ndarray | pl.Series, values: Mapping[str, Any], executor: Executor
    ) -> Iterator[Modality]:
        """Read and reduce the modalities one after another; on a cluster each of them is one task."""
        names, shared = list(self.feature_files(folder)), kept
        if isinstance(kept, pl.Series):  # arrays are shared by themselves
            shared = executor.share(pl.Series, kept)
        yield from executor.map(reduced_modality, names, self.declaration, folder.resolve(), shared, self.key)
