"""Read artefacts, each checked against the checksum that the record of its step has of it."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, disk, records
from mma4ctr.store.disk import Known

_NOTED: contextvars.ContextVar[list[Path] | None] = contextvars.ContextVar("noted", default=None)


@contextlib.contextmanager
def noted() -> Iterator[list[Path]]:
    """Give a list to which the file of every artefact is added that is read meanwhile."""
    files: list[Path] = []
    token = _NOTED.set(files)
    try:
        yield files
    finally:
        _NOTED.reset(token)


def _record_keys(script: str, keys: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of the record that a step leaves for an artefact with these keys."""
    names = records.STEPS[script].keys
    return {name: keys[name] for name in names}


def _expected(settings: Settings, name: str, keys: Mapping[str, object]) -> tuple[Path, Known]:
    """Return where an artefact lies, and what the record of its step knows of it."""
    file, again = artifacts.path(settings, name, **keys), f"{artifacts.command_of(settings, name, keys)} --force"
    script = artifacts.ARTIFACTS[name].writer.format(**keys)
    dataset = artifacts.dataset_of(settings, keys)
    record = records.read(settings, script, dataset, _record_keys(script, keys))
    told = records.file_of(settings, script, dataset, record.keys)
    checksum = record.outputs.get(str(file.relative_to(records.folder_of(settings, script))))
    if checksum is None and not file.exists():
        raise UserError(f"{file}: missing; run {again.removesuffix(' --force')} first")
    if checksum is None:
        raise UserError(f"{file}: is not among the files of {told}; rerun {again}")
    files = _NOTED.get()
    if files is not None:
        files.append(file)
    return file, Known(again, checksum, told)


def load(settings: Settings, name: str, **keys: object) -> np.ndarray:
    """Read the artefact `name`.

    Raises
    ------
    UserError
        If it is missing, is not the file that its step wrote, or is not of the declared shape and dtype.
    """
    file, known = _expected(settings, name, keys)
    array = disk.read_array(file, known)
    artifacts.require_declared(name, array, file, f"rerun {known.remedy}")
    return array


def load_names(settings: Settings, name: str, **keys: object) -> pl.Series:
    """Read the names (n,) in the artefact `name`; raise `UserError` as `load` does."""
    return disk.read_names(*_expected(settings, name, keys))


def load_json(settings: Settings, name: str, **keys: object) -> dict:
    """Read the JSON artefact `name`, an object; raise `UserError` if it is missing or not the file that was written."""
    file, known = _expected(settings, name, keys)
    return disk.read_object(file, known)
