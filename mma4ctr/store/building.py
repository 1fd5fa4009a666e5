"""Build something and leave its record, unless what stands there is still the same."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mma4ctr import cli
from mma4ctr.cli import UserError
from mma4ctr.settings import Settings
from mma4ctr.store import checksums, disk, locks, records
from mma4ctr.store.checksums import stamp
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
        self.settings, self.folder, self.raw = settings, records.folder_of(settings, script), list(raw)
        self.raw_folder = settings.raw_folder(dataset)
        self.record = Record(
            script, dataset, keys, records.settings_of(settings, script, dataset),
            records.versions_of(settings, script, dataset, keys), self._stamps(),
            [record.reference for record in built_on.values()], list(expected),
        )  # fmt: skip
        self.file = records.file_of(settings, script, dataset, keys)

    def _stamps(self) -> dict[str, list[int | str]]:
        return {str(file.relative_to(self.raw_folder)): stamp(file) for file in self.raw}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep everybody else from what is built, and other writers from what it is built on.

        Raises
        ------
        UserError
            If another process is at work there, or has changed what this is built on since it was looked at.
        """
        file, what = records.lock_of(self.settings, self.record.script, self.record.dataset, self.record.keys)
        with locks.lock(file, what, alone=True), records.reading(self.settings, self.record.built_on):
            for then in self.record.built_on:
                now = records.require(self.settings, then["script"], then["dataset"], then["keys"])
                if now.id != then["id"]:
                    raise UserError(f"{self.file}: {now.script} has built anew what this builds on; run the same "
                                    "command again")  # fmt: skip
            disk.remove_abandoned(self.folder)
            yield

    def standing(self) -> Record | None:
        """Return the record that stands there now, None where there is none or it is damaged."""
        try:
            return records.read(self.settings, self.record.script, self.record.dataset, self.record.keys)
        except UserError:
            return None

    def current(self) -> Record | None:
        """Return the standing record if it is of the same, has all that is asked for, and its files are as written."""
        standing = self.standing()
        if standing is None or standing.recipe != self.record.recipe:
            return None
        whole = set(self.record.wanted) <= set(standing.wanted) and all(
            disk.is_whole(self.folder / file, checksum) for file, checksum in standing.outputs.items()
        )
        return standing if whole else None

    def discard(self) -> None:
        """Take the old record away before its files change, so that an interrupted step is seen as one."""
        self.file.unlink(missing_ok=True)

    def commit(self, built: Built) -> Record:
        """Leave the record once every file is written.

        Raises
        ------
        UserError
            If a raw file has changed while it was read.
        """
        for name, now in self._stamps().items():
            if now != self.record.raw[name]:
                raise UserError(f"{name}: has changed while {self.record.script} read it; run the same command again")
        outputs = {str(file.relative_to(self.folder)): checksums.of_file(file) for file in built.files}
        record = dataclasses.replace(
            self.record, contains=list(built.contains), counts=built.counts, warnings=list(built.warnings),
            outputs=outputs,
        )  # fmt: skip
        records.write(self.settings, record)
        return record


def rebuild(build: Build, write: Callable[[], Built], *, force: bool, quiet: bool = False) -> None:
    """Build something unless it is current, leave its record, and print its counts, or that nothing had to be done.

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
    with build.locked():
        standing = None if force else build.current()
        if standing is None:
            build.discard()
        record = standing or build.commit(write())
    if not quiet:
        what = " ".join(filter(None, (record.script, record.dataset, ", ".join(map(str, record.keys.values())))))
        print(f"{what}: up to date (--force builds it again)" if standing else what)
        for key, value in record.counts.items() if standing is None else ():
            print(f"  {key}: {cli.count_in_words(value)}")
    for warning in record.warnings:
        warnings.warn(warning, stacklevel=2)
