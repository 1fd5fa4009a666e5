"""A run before it is run: everything that decides its result, and the identity that follows from it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from mma4ctr.catalogue import feature_named
from mma4ctr.cli import UserError
from mma4ctr.features import fusion
from mma4ctr.models import registry
from mma4ctr.protocol import PROTOCOLS, SEEDED
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import records

MLP, COMP = "mlp.py", "baseline/comp.py"  # what trains a model of the package, and one of RecBole's
# What a configuration says where nothing else was asked for: no part of a run's identity, so that a new field with a
# default leaves finished runs what they are.
DEFAULTS = {**dataclasses.asdict(Schedule()), "model": registry.DEFAULT, "options": {}, "user_order": SEEDED}


def identity(config: Mapping[str, object], *, without: tuple[str, ...] = ()) -> str:
    """Return the hash of a configuration without the fields that are at their default, and without those named."""
    missing = object()
    told = {name: value for name, value in config.items() if name not in without}
    return records.identity({name: value for name, value in told.items() if value != DEFAULTS.get(name, missing)})


def code_of(script: str, protocol: str, model: str) -> dict[str, int]:
    """Return the versions, as they are now, of the code that decides a run's result.

    Raises
    ------
    UserError
        If a model of the package is no longer there.
    """
    own = {model: registry.load(model).version} if script == MLP else {}
    return {script: records.STEPS[script].version, protocol: PROTOCOLS[protocol].version, **own}


def split_of(settings: Settings, script: str, protocol: str) -> dict[str, object]:
    """Return what decides, beside the rows and the code, which rows a run is trained on and tested on.

    RecBole's models never cut between users: in the published setting they have a random split of their own.
    """
    orders_users = script == MLP and PROTOCOLS[protocol].orders_users
    return {"split_seed": settings.seed, **({"user_order": settings.user_order} if orders_users else {})}


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a model of the package, or of RecBole's.

    Attributes
    ----------
    settings : Settings
    task, feature, protocol : str
        `feature` decides the rows, and the content of a model that needs any.
    schedule : Schedule
    built_on : mapping of str to str
        Record -> its identity; see `built_on`.
    model : str
    options : mapping
        Of the model; for one of the package those that are not at their default.
    device : str
        Its type; a GPU's float32 sums differ from a CPU's in their last bits.
    script : str
        What trains it.
    reads_users : bool
        Whether user embeddings play a part.
    further : mapping
        What decides the result besides, by name.
    """

    settings: Settings
    task: str
    feature: str
    protocol: str
    schedule: Schedule
    built_on: Mapping[str, str]
    model: str = registry.DEFAULT
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)
    device: str | None = "cpu"
    script: str = MLP
    reads_users: bool = True
    further: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @property
    def code(self) -> dict[str, int]:
        """The versions of the code that decides the result."""
        return code_of(self.script, self.protocol, self.model)

    @property
    def split(self) -> dict[str, object]:
        """What decides the split; see `split_of`."""
        return split_of(self.settings, self.script, self.protocol)

    @functools.cached_property
    def config(self) -> dict[str, object]:
        """The whole configuration, as it is kept beside the result."""
        settings = self.settings
        embedding = {"reduction": settings.user_embedding, "user_embedding_length": settings.user_embedding_length}
        return {
            "task": self.task, "feature": self.feature, "protocol": self.protocol, "model": self.model,
            **(embedding if self.reads_users else {}), **self.split,
            **dataclasses.asdict(self.schedule), "device": self.device, "options": dict(self.options), **self.further,
            "built_on": dict(self.built_on), "code": self.code,
        }  # fmt: skip

    @property
    def id(self) -> str:
        """The run's id."""
        return identity(self.config)

    @property
    def warnings(self) -> list[str]:
        """What makes doubtful what the run builds on."""
        return records.warnings_of(records.below(self.settings, self._references.values()).values())

    @property
    def _references(self) -> dict[str, dict[str, Any]]:
        return references_of(self.settings, self.config)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep writers away from what the run builds on, while it is read.

        Raises
        ------
        UserError
            If a step is at work there, or has built something else since the run was described.
        """
        with records.reading(self.settings, self._references.values()):
            for name, reference in self._references.items():
                if records.require(self.settings, **reference).id != self.built_on[name]:
                    raise UserError(f"{self.task}, {self.feature}, {self.protocol}: {reference['script']} has built "
                                    "something else since this run began; run the same command again")  # fmt: skip
            yield


def native(
    settings: Settings, task: str, feature: str, protocol: str, schedule: Schedule, device: str,
    model: str = registry.DEFAULT, options: Mapping[str, object] | None = None,
) -> Run:  # fmt: skip
    """Return a run of a model of the package, on the artefacts as they are now.

    Raises
    ------
    UserError
        If an earlier step has not run, or ran with other settings or inputs.
    """
    reads_users = "content" in registry.load(model).needs
    ancestors = built_on(settings, task, feature, protocol, reads_users=reads_users)
    return Run(settings, task, feature, protocol, schedule, ancestors, model, options or {}, device,
               reads_users=reads_users)  # fmt: skip


def built_on(settings: Settings, task: str, feature: str, protocol: str, *, reads_users: bool) -> dict[str, str]:
    """Return the identities of the records that a run of `feature` builds on, checking each of them.

    Raises
    ------
    UserError
        If an earlier step has not run, or ran with other settings or inputs.
    """
    dataset = settings.dataset_of(task)
    records.require(settings, "preprocess_inter.py", dataset)  # before others: the first missing step is to be named
    there = records.require(settings, "preprocess_multimodal.py", dataset).contains
    for modality in feature_named(feature).modalities:
        if modality not in there:
            raise UserError(
                f"{feature} needs the {modality} modality, for which {dataset} has no features: its files are missing "
                f"from {settings.raw_folder(dataset)}, or empty; put them there and rerun python "
                "preprocess_multimodal.py, or choose another feature"
            )
    wanted: list[tuple[str, dict[str, object]]] = [("preprocess_inter.py", {}), (fusion.script_of(feature), {})]
    if reads_users and settings.user_embedding_length > 0:
        wanted.append(("get_user_embedding.py", records.embedding_keys(settings, task, protocol)))
    found = [records.require(settings, script, dataset, keys) for script, keys in wanted]
    return {record.name: record.id for record in found}


def references_of(settings: Settings, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return how the records that a run of this configuration builds on are named: script, dataset and keys of each."""
    keys = records.embedding_keys(settings, config["task"], config["protocol"])
    found = {}
    for name in config["built_on"]:
        script, _, variant = name.partition(" ")
        found[name] = {
            "script": script,
            "dataset": settings.dataset_of(config["task"]),
            "keys": keys if variant else {},
        }
    return found


def words_of(settings: Settings, config: Mapping[str, Any]) -> list[str]:
    """Return the words after ``python mlp.py`` that give a run of this configuration again.

    Parameters
    ----------
    settings : Settings
    config : mapping
        See `Run.config`.
    """
    own = settings
    if "reduction" in config:
        own = settings.with_embedding(config["reduction"], config["user_embedding_length"])
    model = {} if config["model"] == registry.DEFAULT else {"model": config["model"]}
    order = config.get("user_order")
    ordered = {} if order is None or order == settings.user_order == SEEDED else {"user_order": order}
    usual = registry.load(config["model"]).schedule
    names = (field.name for field in dataclasses.fields(Schedule) if field.name != "interruption")
    options = {
        "paths": own.file.resolve(), "dataset": config["task"], "feature": config["feature"],
        "protocol": config["protocol"], **ordered, **model, **{name: config.get(name) for name in names},
    }  # fmt: skip
    words = [word for name, value in options.items() if value is not None for word in (f"--{name}", _text(value))]
    words += ["--patience", "none"] if config.get("patience") is None and "patience" in usual else []
    words += [] if config["interruption"] else ["--no_interruption"]
    return [*words, *(["--set", *(f"{name}={_text(value)}" for name, value in config["options"].items())]
                      if config["options"] else [])]  # fmt: skip


def _text(value: object) -> str:
    """Return a value as a command line takes it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
