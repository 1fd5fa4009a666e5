"""Build something and leave its record, unless what stands there is still the same."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mma4ctr import cli
from mma4ctr.cli import UserError
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records
from mma4ctr.store.records import Keys, Record


class Built(NamedTuple):
    """What a step has written: its files, what it counted, the names of what it built, what to beware of."""

    files: Sequence[Path]
    counts: dict[str, Any]
    contains: Sequence[str]
    warnings: Sequence[str] = ()


class Build:
    """One thing that a step is about to build, beside the record of what stands there now.

    Parameters
    ----------
    settings : Settings
    script, dataset : str
    keys : mapping, optional
    expected : sequence of str
        The names of what is asked for; where one of them was not when the standing record was left, it is built.
    raw : sequence of Path
        The raw files that are read.
    built_on : mapping of str to Record, optional
        What `records.ancestors` returned, where it was asked before.
    """

    def __init__(
        self, settings: Settings, script: str, dataset: str, keys: Keys | None = None, *, expected: Sequence[str],
        raw: Sequence[Path] = (), built_on: Mapping[str, Record] | None = None,
    ) -> None:  # fmt: skip
        keys = dict(keys or {})
        built_on = records.ancestors(settings, script, dataset) if built_on is None else built_on
        self.settings, self.file = settings, records.file_of(settings, script, dataset, keys)
        self.record = Record(
            script, dataset, keys, records.settings_of(settings, script, dataset),
            records.versions_of(settings, script, dataset, keys), {file.name: records.stamp(file) for file in raw},
            [record.reference for record in built_on.values()], list(expected),
        )  # fmt: skip

    def standing(self) -> Record | None:
        """Return the record that stands there now, None where there is none or it is damaged."""
        try:
            return records.read(self.settings, self.record.script, self.record.dataset, self.record.keys)
        except UserError:
            return None

    def current(self) -> Record | None:
        """Return the standing record if it is of the same and has all that is asked for, and its files are there."""
        standing = self.standing()
        if standing is None or standing.id != self.record.id or not set(self.record.wanted) <= set(standing.wanted):
            return None
        whole = all((self.settings.parent_folder / file).exists() for file in standing.outputs)
        return standing if whole else None

    def discard(self) -> None:
        """Take the old record away before its files change, so that an interrupted step is seen as one."""
        self.file.unlink(missing_ok=True)

    def commit(self, built: Built) -> Record:
        """Leave the record once every file is written."""
        relative = [os.path.relpath(file, self.settings.parent_folder) for file in built.files]
        record = dataclasses.replace(
            self.record, contains=list(built.contains), counts=built.counts, warnings=list(built.warnings),
            outputs=relative,
        )  # fmt: skip
        content = dataclasses.asdict(record)
        artifacts.write_json(self.file, {**content, "checksum": records.identity(content)})
        return record


def rebuild(build: Build, write: Callable[[], Built], *, force: bool, quiet: bool = False) -> None:
    """Build something unless it is current, leave its record, and print the counts.

    Parameters
    ----------
    build : Build
    write : callable
        Writes the files.
    force : bool
        Build even what is current.
    quiet : bool
        Print nothing.
    """
    record, note = None if force else build.current(), " (up to date: nothing done; --force builds it again)"
    if record is None:
        build.discard()
        record, note = build.commit(write()), ""
    if not quiet:
        print(" ".join(filter(None, (record.script, record.dataset, "_".join(map(str, record.keys.values()))))) + note)
        for key, value in record.counts.items():
            print(f"  {key}: {cli.count_in_words(value)}")
    for warning in record.warnings:
        warnings.warn(warning, stacklevel=2)
