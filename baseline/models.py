"""The baselines: what each is trained on, and the options that its YAML files give it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import yaml

from mma4ctr.cli import UserError
from mma4ctr.inputs.histories import LONGEST

FOLDER = Path(__file__).resolve().parent
TRAINING = ("clicks", "training")
# What a model has on a data set without a file of its own.
COMMON = {"train_batch_size": 8192, "eval_batch_size": 8192, "learning_rate": 0.001, "embedding_size": 64}
DECLARED = "baseline"  # the key under which a YAML file of this folder declares a baseline


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a model is trained on.

    Attributes
    ----------
    sequential : bool
        Whether it reads histories.
    training : str
        The file of its training rows: ``training``, all labelled rows, or ``clicks``, the clicks alone.
    negatives : bool
        Whether each click needs a row that is none.
    implementation : str, optional
        Its class, as package.module:Class; without it RecBole's class of the model's name.
    """

    sequential: bool
    training: str
    negatives: bool
    implementation: str | None = None


MODELS = {
    "BPR": Kind(False, "clicks", True),
    "FPMC": Kind(True, "clicks", True),
    "NGCF": Kind(False, "clicks", True),
    "LightGCN": Kind(False, "clicks", True),
    "BERT4Rec": Kind(True, "clicks", False),
    "GCSAN": Kind(True, "clicks", False),
    "DIN": Kind(True, "training", False),
    "DIEN": Kind(True, "training", False),
}


def read_yaml(file: Path) -> dict:
    """Read a YAML file of options; raise `UserError` if there is none or it holds something else."""
    try:
        content = yaml.safe_load(file.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{file}: cannot be read ({str(error).splitlines()[0]}); give a YAML file") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: found {content!r:.60}, expected options with their values; correct the file")
    return content


def declared_kind(file: Path, content: object) -> Kind:
    """Return what a YAML file declares; raise `UserError` if it is no declaration."""
    try:
        kind = Kind(**content)
        right = isinstance(kind.sequential, bool) and isinstance(kind.negatives, bool) and kind.training in TRAINING
    except TypeError:
        right = False
    if not right:
        raise UserError(
            f"{file}: found {DECLARED}: {content!r:.120}, expected sequential and negatives (true or false), training "
            f"({' or '.join(TRAINING)}) and, if the class is not RecBole's, implementation (package.module:Class)"
        )
    return kind


def all_models() -> dict[str, Kind]:
    """Return the published baselines and those that ``<model>.yaml`` files of this folder declare, by name."""
    contents = {file: read_yaml(file) for file in sorted(FOLDER.glob("*.yaml"))}
    return MODELS | {file.stem: declared_kind(file, content[DECLARED])
                     for file, content in contents.items() if DECLARED in content}  # fmt: skip


def options_of(model: str, dataset: str, further: Sequence[str]) -> dict[str, object]:
    """Return the options of a model on a data set: those of its file, then the model's, then those given."""
    of_model = [file for file in sorted(FOLDER.glob("*.yaml")) if file.stem.lower() == model.lower()]
    of_dataset = [file for file in [FOLDER / f"{dataset}.yaml"] if file.exists()]
    chosen: dict[str, object] = {"MAX_ITEM_LIST_LENGTH": LONGEST, **COMMON}
    for file in [*of_dataset, *of_model, *map(Path, further)]:
        content = read_yaml(file)
        content.pop(DECLARED, None)
        its_own = content.pop("models", {}).get(model, {})
        chosen |= {**content, **its_own}
    return chosen
