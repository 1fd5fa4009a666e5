"""The records that keep artefacts of different settings from being mixed.

Every step leaves one small JSON record for each thing it builds: the settings it used, its raw inputs (size and
time), and the identities of the records it built on. A later step compares all of that with path.json, with the raw
files and with the records as they are now, and refuses in one line that says which script to rerun.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from mma4ctr.catalogue import MODALITIES
from mma4ctr.cli import UserError
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

# Which keys of path.json each step's result depends on and does not carry in its file names.
SETTINGS = {
    ("preprocess_inter.py", "wechat"): ("min_interactions", "click_threshold"),
    ("preprocess_inter.py", "tiktok"): ("min_interactions",),
    ("preprocess_multimodal.py", "wechat"): ("seed",),  # the song and singer embeddings
}
# The folder in which a step's records lie.
FOLDERS = {
    "preprocess_inter.py": "graph_path",
    "preprocess_multimodal.py": "modal_path",
    "get_user_embedding.py": "user_embedding_path",
    "cross_matrix.py": "matrix_path",
    "gen_matrix.py": "matrix_path",
}


def identity(content: object) -> str:
    """Return a 12-digit hash of any JSON-like content."""
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def settings_of(settings: Settings, script: str, dataset: str) -> dict[str, object]:
    """Return the settings of path.json that `script` depends on for `dataset`."""
    values = {key: getattr(settings, key) for key in SETTINGS.get((script, dataset), ())}
    return {key: value[dataset] if isinstance(value, Mapping) else value for key, value in values.items()}


def embedding_variant(settings: Settings, task: str, protocol: str) -> str:
    """Return the variant under which the user embeddings of `task` are recorded."""
    return f"{task}_{protocol}_{settings.user_reduction}_{settings.user_embedding_length}"


def stamp(file: Path) -> list[int]:
    """Return size in bytes and modification time in nanoseconds, by which a raw file is recognised."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


@dataclasses.dataclass(frozen=True)
class Record:
    """What one step built: `variant` tells apart the things that a step builds for one data set."""

    script: str
    dataset: str
    variant: str
    settings: dict[str, object]
    raw: dict[str, list[int]]  # name of a raw file -> size in bytes, modification time in nanoseconds
    built_on: dict[str, str]  # record file name -> identity
    counts: dict[str, object] = dataclasses.field(default_factory=dict)
    outputs: list[str] = dataclasses.field(default_factory=list)  # relative to parent_folder

    @property
    def id(self) -> str:
        """The identity: equal for equal settings, raw inputs and ancestors."""
        return identity([self.script, self.dataset, self.variant, self.settings, self.raw, self.built_on])


def command(settings: Settings, script: str, dataset: str, variant: str = "") -> str:
    """Return the command that builds something; a variant names its protocol."""
    return artifacts.command(settings, script, dataset, next((p for p in PROTOCOLS if f"_{p}_" in variant), ""))


def file_of(settings: Settings, script: str, dataset: str, variant: str = "") -> Path:
    """Return where the record of `script` for `dataset` (and `variant`) lies."""
    name = "_".join(filter(None, (script.removesuffix(".py"), dataset, variant)))
    return getattr(settings, FOLDERS[script]) / "records" / f"{name}.json"


def _read(settings: Settings, script: str, dataset: str, variant: str) -> Record:
    file, again = file_of(settings, script, dataset, variant), f"{command(settings, script, dataset, variant)} --force"
    content = artifacts.read_object(file, again)
    checksum = content.pop("checksum", None)
    if checksum != identity(content) or set(content) != {field.name for field in dataclasses.fields(Record)}:
        raise UserError(f"{file}: damaged, or not a record of this version; rerun {again}")
    return Record(**content)


def _changed_raw_file(folder: Path, then: Mapping[str, list[int]]) -> Path | None:
    """Return a raw file that is not as it was when it was read, or that was not there then.

    Raw logs may be put away once they have been read, but not exchanged: not even for one that is called the same up
    to its numbers, such as another track's or another part.
    """
    changed = (folder / name for name, was in then.items() if (folder / name).exists() and stamp(folder / name) != was)
    kinds = {re.sub(r"\d+", "#", name) for name in then}
    new = (file for file in folder.glob("*") if file.name not in then and re.sub(r"\d+", "#", file.name) in kinds)
    return next(changed, None) or min(new, default=None)


def require(settings: Settings, script: str, dataset: str, variant: str = "") -> Record:
    """Return the record of an earlier step after checking that it still holds.

    Raises
    ------
    UserError
        If the step has not run, ran with other settings, or read raw files or built on records that have changed.
    """
    file, again = file_of(settings, script, dataset, variant), command(settings, script, dataset, variant)
    if not file.exists():
        raise UserError(f"{file}: missing, {script} has not run to its end; run {again} first")
    record = _read(settings, script, dataset, variant)
    for key, now in settings_of(settings, script, dataset).items():
        if record.settings.get(key) != now:
            raise UserError(
                f"{file}: built with {key} {record.settings.get(key)}, {settings.file} says {now}; rerun {again}"
            )
    changed = _changed_raw_file(settings.raw_folder(dataset), record.raw)
    if changed is not None:
        raise UserError(f"{changed}: is new or has changed since {script} read its raw files; rerun {again}")
    for name, then in record.built_on.items():
        ancestor = _require_by_name(settings, name)
        if ancestor.id != then:
            raise UserError(f"{file}: built on an earlier result of {ancestor.script}; rerun {again}")
    return record


def _require_by_name(settings: Settings, name: str) -> Record:
    script, dataset, variant = name.split("|")
    return require(settings, script, dataset, variant)


class Build:
    """One thing that a step is about to build, beside the record of what stands there now."""

    def __init__(
        self,
        settings: Settings,
        script: str,
        dataset: str,
        variant: str = "",
        *,
        raw: Sequence[Path] = (),
        built_on: Sequence[Record] = (),
    ) -> None:
        self.settings = settings
        self.file = file_of(settings, script, dataset, variant)
        self.record = Record(
            script,
            dataset,
            variant,
            settings_of(settings, script, dataset),
            raw={file.name: stamp(file) for file in raw},
            built_on={f"{r.script}|{r.dataset}|{r.variant}": r.id for r in built_on},
        )

    def is_current(self) -> bool:
        """Tell whether the same thing was already built and all of its files are there."""
        if not self.file.exists():
            return False
        try:
            standing = self.standing()
        except UserError:
            return False
        files = (self.settings.parent_folder / file for file in standing.outputs)
        return standing.id == self.record.id and all(file.exists() for file in files)

    def standing(self) -> Record:
        """Return the record that stands there now."""
        return _read(self.settings, self.record.script, self.record.dataset, self.record.variant)

    def discard(self) -> None:
        """Take the old record away before its files change, so that an interrupted step is seen as one."""
        self.file.unlink(missing_ok=True)

    def commit(self, counts: dict[str, object], outputs: Sequence[Path]) -> Record:
        """Leave the record once every file is written."""
        relative = [os.path.relpath(file, self.settings.parent_folder) for file in outputs]
        record = dataclasses.replace(self.record, counts=counts, outputs=relative)
        content = dataclasses.asdict(record)
        artifacts.write_json(self.file, {**content, "checksum": identity(content)})
        return record


def rebuild(build: Build, write: Callable[[], tuple[list[Path], dict]], *, force: bool) -> Record:
    """Build something unless it is current, leave its record, and print the counts.

    Parameters
    ----------
    build : Build
    write : callable
        Writes the files and returns them with the counts to print.
    force : bool
        Build even what is current.
    """
    name = " ".join(filter(None, (build.record.script, build.record.dataset, build.record.variant)))
    if build.is_current() and not force:
        record, note = build.standing(), " (up to date: nothing done; --force builds it again)"
    else:
        build.discard()
        files, counts = write()
        record, note = build.commit(counts, files), ""
    print(f"{name}{note}")
    for key, value in record.counts.items():
        text = ", ".join(f"{v:,} {k}" for k, v in value.items()) if isinstance(value, dict) else value
        print(f"  {key}: {text:,}" if isinstance(text, int) else f"  {key}: {text}")
    return record


def modalities_of(record: Record) -> list[str]:
    """Return the modalities that a record of preprocess_multimodal.py says the data set has."""
    return [modality for modality in MODALITIES if isinstance(record.counts.get(modality), dict)]
