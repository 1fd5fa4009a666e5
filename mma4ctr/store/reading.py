"""Read artefacts, each checked against the checksum that the record of its step has of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mma4ctr.cli import UserError
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, checksums, disk, records


def _record_keys(script: str, keys: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of the record that a step leaves for an artefact with these keys."""
    names = records.STEPS[script].keys
    return {name: keys[name] for name in names}


def _expected(settings: Settings, name: str, keys: Mapping[str, object]) -> tuple[Path, str, str]:
    """Return where an artefact lies, its checksum, and the command that builds it again."""
    file, again = artifacts.path(settings, name, **keys), f"{artifacts.command_of(settings, name, keys)} --force"
    script = artifacts.ARTIFACTS[name].writer.format(**keys)
    dataset = artifacts.dataset_of(settings, keys)
    record = records.read(settings, script, dataset, _record_keys(script, keys))
    checksum = record.outputs.get(os.path.relpath(file, settings.parent_folder))
    if checksum is None and not file.exists():
        raise UserError(f"{file}: missing; run {again.removesuffix(' --force')} first")
    if checksum is None:
        told = records.file_of(settings, script, dataset, record.keys)
        raise UserError(f"{file}: is not among the files of {told}; rerun {again}")
    return file, checksum, again


def load(settings: Settings, name: str, **keys: object) -> np.ndarray:
    """Read the artefact `name`.

    Raises
    ------
    UserError
        If it is missing, is not the file that its step wrote, or is not of the declared shape and dtype.
    """
    file, checksum, again = _expected(settings, name, keys)
    array = disk.read_array(file, again, checksum)
    artifacts.require_declared(name, array, file, f"rerun {again}")
    return array


def load_json(settings: Settings, name: str, **keys: object) -> dict:
    """Read the JSON artefact `name`, an object; raise `UserError` if it is missing or not the file that was written."""
    file, checksum, again = _expected(settings, name, keys)
    return disk.read_object(file, again, checksum)


def checked_path(settings: Settings, name: str, **keys: object) -> Path:
    """Return where the artefact `name` lies, for a library that reads it; raise `UserError` as `load` does."""
    file, checksum, again = _expected(settings, name, keys)
    if not file.exists() or checksums.of_file(file) != checksum:
        raise UserError(f"{file}: is missing, or not the file that was written; rerun {again}")
    return file
