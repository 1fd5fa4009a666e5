"""The records that keep artefacts of different settings from being mixed.

Every step leaves one small JSON record for each thing it builds: the settings it used, the versions of the code that it
is made by, its raw inputs (size, time and a checksum), the identities of the records it built on, and a checksum of
every file it wrote. A later step compares all of that with path.json, with the code, with the raw files, with the
records and with the files as they are now, and refuses in one line that says which script to rerun.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from mma4ctr.cli import UserError
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Declaration, Settings
from mma4ctr.store import artifacts, disk, locks
from mma4ctr.store.checksums import stamp

Keys = Mapping[str, object]  # the values of `Step.keys`, by name


@dataclasses.dataclass(frozen=True)
class Step:
    """What a record depends on.

    Attributes
    ----------
    folder : str
        The key of path.json for the folder in which its records lie.
    version : int
        Raised when the same inputs give other outputs; see CONTRIBUTING.md.
    after : tuple of str
        The steps whose records it builds on.
    for_kept_items : bool
        Whether it builds on them only for data sets that need the kept items.
    reads_raw : bool
        Whether it depends on how the data set is read.
    every_protocol : bool
        Whether it builds something for each protocol at once.
    keys : tuple of str
        What tells apart the things that it builds for one data set, and stands in their file names.
    grows : bool
        Whether it may have more to build tomorrow, as features are added, without anything else being changed by that.
    settings : callable
        Which keys of path.json it depends on for a data set and does not carry in its file names.
    """

    folder: str
    version: int = 1
    keys: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    for_kept_items: bool = False
    reads_raw: bool = False
    every_protocol: bool = False
    grows: bool = False
    settings: Callable[[Declaration], tuple[str, ...]] = lambda dataset: ()


INTER, MULTIMODAL = "preprocess_inter.py", "preprocess_multimodal.py"
STEPS = {
    INTER: Step(
        "graph_path", version=3, reads_raw=True, every_protocol=True,
        settings=lambda dataset: ("min_interactions", *dataset.settings),
    ),
    MULTIMODAL: Step(
        "modal_path", after=(INTER,), for_kept_items=True, reads_raw=True,
        settings=lambda dataset: dataset.modality_settings,
    ),
    "get_user_embedding.py": Step(
        "user_embedding_path", keys=("task", "protocol", "reduction", "length"), after=(INTER, MULTIMODAL)
    ),
    "cross_matrix.py": Step("matrix_path", after=(MULTIMODAL,), grows=True),
    "gen_matrix.py": Step("matrix_path", after=(MULTIMODAL,), grows=True),
    # Runs have identities of their own (see `mma4ctr.runs.run`), which these versions are part of.
    "mlp.py": Step("saved_path", version=2),
    "baseline/comp.py": Step("saved_path"),
}  # fmt: skip


def identity(content: object) -> str:
    """Return a 12-digit hash of any JSON-like content."""
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def settings_of(settings: Settings, script: str, dataset: str) -> dict[str, object]:
    """Return the settings of path.json that `script` depends on for `dataset`."""
    return {key: settings.value(key, dataset) for key in STEPS[script].settings(settings.datasets[dataset])}


def versions_of(settings: Settings, script: str, dataset: str, keys: Keys) -> dict[str, int | str]:
    """Return the versions of the step, of the data set's reader and of the protocols that a record depends on."""
    step = STEPS[script]
    protocols = PROTOCOLS if step.every_protocol else [str(keys["protocol"])] if "protocol" in keys else []
    reader = {f"data set {dataset}": settings.datasets[dataset].version_for(script)} if step.reads_raw else {}
    return {script: step.version, **reader, **{f"protocol {name}": PROTOCOLS[name].version for name in protocols}}


def embedding_keys(settings: Settings, task: str, protocol: str) -> dict[str, object]:
    """Return the keys under which the user embeddings of `task` are recorded."""
    return {"task": task, "protocol": protocol, "reduction": settings.user_embedding,
            "length": settings.user_embedding_length}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Record:
    """What one step built.

    `contains` names what was built (tasks, modalities, features), `wanted` what was asked for then; `counts` are for
    people alone, and so are `warnings`: what makes the result doubtful, one sentence each.
    """

    script: str
    dataset: str
    keys: dict[str, Any]
    settings: dict[str, object]
    versions: dict[str, int | str]
    raw: dict[str, list[int | str]]  # name of a raw file -> what `checksums.stamp` returns
    built_on: list[dict[str, Any]]  # script, dataset, keys and id of each record
    wanted: list[str] = dataclasses.field(default_factory=list)
    contains: list[str] = dataclasses.field(default_factory=list)
    counts: dict[str, Any] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)  # below the step's folder -> checksum

    @property
    def recipe(self) -> str:
        """What it is made of: equal for equal settings, code, raw inputs and ancestors."""
        return identity([self.script, self.dataset, self.keys, self.settings, self.versions, self.raw, self.built_on])

    @property
    def id(self) -> str:
        """The identity: equal for what is made of the same and has the same contents.

        What grows is known by what it is made of alone, and that has contents.
        """
        contents = {} if STEPS[self.script].grows else self.outputs
        return identity([self.recipe, {Path(file).name: checksum for file, checksum in contents.items()}])

    @property
    def name(self) -> str:
        """What it is called among the records that a run builds on."""
        return " ".join(filter(None, (self.script, "_".join(map(str, self.keys.values())))))

    @property
    def reference(self) -> dict[str, Any]:
        """How another record names it."""
        return {"script": self.script, "dataset": self.dataset, "keys": self.keys, "id": self.id}


def command(settings: Settings, script: str, dataset: str, keys: Keys) -> str:
    """Return the command that builds something."""
    return artifacts.command(settings, script, dataset, str(keys.get("protocol", "")))


def folder_of(settings: Settings, script: str) -> Path:
    """Return the folder that a step writes to."""
    return getattr(settings, STEPS[script].folder)


def file_of(settings: Settings, script: str, dataset: str, keys: Keys) -> Path:
    """Return where a record lies."""
    name = "_".join(map(str, (script.removesuffix(".py"), dataset, *keys.values())))
    return folder_of(settings, script) / "records" / f"{name}.json"


def lock_of(settings: Settings, script: str, dataset: str, keys: Keys) -> tuple[Path, str]:
    """Return the file of the lock of what a record stands for, and what it is called."""
    file = file_of(settings, script, dataset, keys)
    return file.with_suffix(".lock"), f"what {script} builds of {dataset}"


def read(settings: Settings, script: str, dataset: str, keys: Keys) -> Record:
    """Return a record as it stands; raise `UserError` if it is missing or damaged."""
    file, again = file_of(settings, script, dataset, keys), f"{command(settings, script, dataset, keys)} --force"
    content = disk.read_object(file, disk.Known(again))
    checksum = content.pop("checksum", None)
    if checksum != identity(content) or set(content) != {field.name for field in dataclasses.fields(Record)}:
        raise UserError(f"{file}: damaged, or not a record of this version; rerun {again}")
    record = Record(**content)
    if (record.script, record.dataset, record.keys) != (script, dataset, dict(keys)):
        raise UserError(f"{file}: is the record of {record.name} {record.dataset}; rerun {again}")
    return record


def write(settings: Settings, record: Record) -> None:
    """Leave a record where `read` finds it."""
    content = dataclasses.asdict(record)
    file = file_of(settings, record.script, record.dataset, record.keys)
    disk.write_json(file, {**content, "checksum": identity(content)})


def _changed_raw_file(folder: Path, then: Mapping[str, list[int | str]]) -> Path | None:
    """Return a raw file that is not as it was when it was read, or that was not there then.

    Raw logs may be put away once they have been read, but not exchanged: not even for one that is called the same up
    to its numbers, such as another track's or another part.
    """
    changed = (folder / name for name, was in then.items() if (folder / name).exists() and stamp(folder / name) != was)
    kinds = {re.sub(r"\d+", "#", name) for name in then}
    new = (file for file in folder.glob("*") if file.name not in then and re.sub(r"\d+", "#", file.name) in kinds)
    return next(changed, None) or min(new, default=None)


def _require_same_versions(file: Path, then: Mapping[str, int | str], now: Mapping[str, int | str], again: str) -> None:
    for what in (*now, *then):
        if then.get(what) != now.get(what):
            before, here = then.get(what, "none"), now.get(what, "none")
            raise UserError(f"{file}: written by version {before} of {what}, this is version {here}; rerun {again}")


def require(settings: Settings, script: str, dataset: str, keys: Keys | None = None) -> Record:
    """Return the record of an earlier step after checking that it still holds.

    Raises
    ------
    UserError
        If the step has not run, ran with other settings or other code, or read raw files or built on records that have
        changed.
    """
    keys = keys or {}
    file, again = file_of(settings, script, dataset, keys), command(settings, script, dataset, keys)
    if not file.exists():
        raise UserError(f"{file}: missing, {script} has not run to its end; run {again} first")
    record = read(settings, script, dataset, keys)
    for key, now in settings_of(settings, script, dataset).items():
        if record.settings.get(key) != now:
            raise UserError(
                f"{file}: built with {key} {record.settings.get(key)}, {settings.file} says {now}; rerun {again}"
            )
    _require_same_versions(file, record.versions, versions_of(settings, script, dataset, keys), again)
    changed = _changed_raw_file(settings.raw_folder(dataset), record.raw)
    if changed is not None:
        raise UserError(f"{changed}: is new or has changed since {script} read its raw files; rerun {again}")
    for then in record.built_on:
        ancestor = require(settings, then["script"], then["dataset"], then["keys"])
        if ancestor.id != then["id"]:
            raise UserError(f"{file}: built on an earlier result of {ancestor.script}; rerun {again}")
    return record


def below(settings: Settings, references: Iterable[Mapping[str, Any]]) -> dict[Path, Record]:
    """Return the records that are named by references, and all that they were built on, by file."""
    found: dict[Path, Record] = {}
    for one in references:
        named = one["script"], one["dataset"], one["keys"]
        record = read(settings, *named)
        found |= {**below(settings, record.built_on), file_of(settings, *named): record}
    return found


def warnings_of(found: Iterable[Record]) -> list[str]:
    """Return what makes doubtful what was built, with the step and data set that say so, each once."""
    return list(dict.fromkeys(f"{one.script} {one.dataset}: {warning}" for one in found for warning in one.warnings))


@contextlib.contextmanager
def reading(settings: Settings, references: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Keep writers away from what records stand for that are named by references, and from all below them.

    Raises
    ------
    UserError
        If a step is at work there.
    """
    found = below(settings, references).values()
    with locks.reading(lock_of(settings, one.script, one.dataset, one.keys) for one in found):
        yield


def ancestors(settings: Settings, script: str, dataset: str) -> dict[str, Record]:
    """Return the checked records that a step builds on, by script."""
    step = STEPS[script]
    if step.for_kept_items and not settings.datasets[dataset].needs_kept_items:
        return {}
    return {earlier: require(settings, earlier, dataset) for earlier in step.after}
