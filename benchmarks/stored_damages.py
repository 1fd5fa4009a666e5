"""Damages to what the steps store: artefacts, records, files of runs, checkpoints."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kinds import FILE_EDITS, Damaged, Edit, Kind, exchange, keeping_times
from scenes import DRAWN, Scene

# ---- what is done to an array


def save(file: Path, array: np.ndarray) -> None:
    """Write an array under the times of the old one."""
    keeping_times(file, lambda: np.save(file, array))


def edit_array(change: Callable[[np.ndarray, random.Random], np.ndarray]) -> Edit:
    """Return the edit that changes the array in a file."""
    return lambda file, chance: save(file, change(np.load(file), chance))


def reorder(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Exchange two rows that differ."""
    first = chance.randrange(len(array))
    others = np.flatnonzero((array != array[first]).reshape(len(array), -1).any(axis=1))
    second = int(others[chance.randrange(len(others))]) if len(others) else first
    array[[first, second]] = array[[second, first]]
    return array


def drop(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Drop a row."""
    return np.delete(array, chance.choice((0, len(array) - 1, chance.randrange(len(array)))), axis=0)


def double(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Have a row twice."""
    place = chance.randrange(len(array))
    return np.insert(array, place, array[place], axis=0)


def overwrite(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Put nan, or the greatest integer, in one place."""
    array.flat[chance.randrange(array.size)] = np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).max
    return array


def widen(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Keep the numbers as another dtype."""
    return array.astype(chance.choice([kind for kind in ("f4", "f8", "i4", "i8", ">i8") if array.dtype != kind]))


ARRAY_EDITS: dict[str, Edit] = {
    "rows in another order": edit_array(reorder),
    "a row dropped": edit_array(drop),
    "a row twice": edit_array(double),
    "nan or a huge integer": edit_array(overwrite),
    "another dtype": edit_array(widen),
    "cut to one column less": edit_array(lambda array, chance: array[..., :-1] if array.ndim > 1 else array[:-1]),
    "in Fortran's order": edit_array(lambda array, chance: np.asfortranarray(array[::-1])),
}


# ---- where it is done


def artefacts(scene: Scene, ending: str = "") -> list[Path]:
    """Return the artefacts that the run of a scene may read, by their names."""
    question = scene.question
    others = {"published", "clean", "tiktok_finish", "tiktok_like"} - {question.protocol, question.task}
    others |= {"average_pooling"}
    return [file for file in scene.artefacts(f"*{ending}") if not any(other in file.name for other in others)]


def names_of(file: Path) -> list[str]:
    """Return what a refusal may name: the file, or the records beside it."""
    return [file.name, "/records/"]


def to_artefact(edit: Edit, ending: str = "") -> Callable[[Scene], Damaged]:
    """Return the damage of one artefact."""

    def damage(scene: Scene) -> Damaged:
        file = scene.chance.choice(artefacts(scene, ending))
        edit(file, scene.chance)
        return Damaged(names_of(file), str(file.relative_to(scene.folder)))

    return damage


def to_record(edit: Edit) -> Callable[[Scene], Damaged]:
    """Return the damage of one record."""

    def damage(scene: Scene) -> Damaged:
        file = scene.chance.choice(scene.records())
        edit(file, scene.chance)
        return Damaged([file.name], str(file.relative_to(scene.folder)))

    return damage


def run_with(scene: Scene, **wanted: object) -> Path:
    """Return the folder of the finished run whose metrics say what is wanted."""
    for file in sorted(scene.folder.glob("saved/*/metrics.json")):
        content = json.loads(file.read_bytes())
        if all(content.get(name) == value for name, value in wanted.items()):
            return file.parent
    raise LookupError(f"no run with {wanted}")


def to_metrics(edit: Edit) -> Callable[[Scene], Damaged]:
    """Return the damage of the metrics of the run that is asked for."""

    def damage(scene: Scene) -> Damaged:
        edit(scene.folder / "saved" / scene.run / "metrics.json", scene.chance)
        return Damaged([scene.run], f"metrics.json of run {scene.run}")

    return damage


# No step reads the weights; a run without metrics is one that has not ended, which the report says.
NOT_OF_THE_REPORT = ("weights.pt", "metrics.json")


def to_run(edit: Edit, ending: str = "") -> Callable[[Scene], Damaged]:
    """Return the damage of a file of the run that the report is about, whose ROC curve has to be drawn again."""

    def damage(scene: Scene) -> Damaged:
        for drawing in (scene.folder / "saved" / "figures").glob(f"{DRAWN}.*"):
            drawing.unlink()
        folder = run_with(scene, feature="vat_concat", epochs=10)
        file = scene.chance.choice(
            sorted(file for file in folder.glob(f"*{ending}") if file.name not in NOT_OF_THE_REPORT)
        )
        edit(file, scene.chance)
        return Damaged([folder.name], str(file.relative_to(scene.folder)))

    return damage


def to_checkpoint(edit: Edit) -> Callable[[Scene], Damaged]:
    """Return the damage of the checkpoint from which the run that is asked for goes on."""

    def damage(scene: Scene) -> Damaged:
        file = scene.folder / "torch_model" / scene.run / "checkpoint.pt"
        edit(file, scene.chance)
        return Damaged([scene.run], f"checkpoint of run {scene.run}")

    return damage


# ---- what is exchanged


def exchanged(pairs: Callable[[Scene], Sequence[tuple[Path, Path]]]) -> Callable[[Scene], Damaged]:
    """Return the damage that puts a copy of one file in the place of another."""

    def damage(scene: Scene) -> Damaged:
        found = [(file, other) for file, other in pairs(scene) if file.read_bytes() != other.read_bytes()]
        file, other = scene.chance.choice(found)
        exchange(file, other)
        return Damaged(names_of(file), f"{file.relative_to(scene.folder)} by {other.name}")

    return damage


def renamed(scene: Scene, pattern: str, before: str, after: str) -> list[tuple[Path, Path]]:
    """Pair each file of the data set with one that is called the same but for a word."""
    files = [file for file in sorted(scene.folder.glob(pattern)) if f"{scene.question.dataset}_" in f"{file.stem}_"]
    both = ((file, file.with_name(file.name.replace(before, after))) for file in files if before in file.name)
    return [(file, other) for file, other in both if other.is_file()]


def of_other_protocol(pattern: str) -> Callable[[Scene], list[tuple[Path, Path]]]:
    """Return what pairs files of the protocol that is asked for with those of the other one."""

    def pairs(scene: Scene) -> list[tuple[Path, Path]]:
        before = f"_{scene.question.protocol}"
        return renamed(scene, pattern, before, "_clean" if before == "_published" else "_published")

    return pairs


def of_other_dataset(pattern: str) -> Callable[[Scene], list[tuple[Path, Path]]]:
    """Return what pairs files of the data set that is asked for with those of the other one."""

    def pairs(scene: Scene) -> list[tuple[Path, Path]]:
        before = scene.question.dataset
        return renamed(scene, pattern, before, "tiktok" if before == "wechat" else "wechat")

    return pairs


def of_other_reduction(scene: Scene) -> list[tuple[Path, Path]]:
    """Pair user embeddings with those of the other reduction."""
    return renamed(scene, "user_all_embeddings/*.npy", "clean_pca", "clean_average_pooling")


def of_one_shape(scene: Scene) -> list[tuple[Path, Path]]:
    """Pair the arrays that a run reads with others of their shape and dtype."""
    headers = {file: io.BytesIO(file.read_bytes()).read(128) for file in scene.artefacts("*.npy")}
    mine = artefacts(scene, ".npy")
    return [(file, other) for file in mine for other in headers if headers[file] == headers[other] and file != other]


def of_another_step(scene: Scene) -> list[tuple[Path, Path]]:
    """Pair the records of a data set with one another."""
    return [(file, other) for file in scene.records() for other in scene.records() if file != other]


def by_another_run(file: Path, chance: random.Random) -> None:
    """Put the same file of another run in the place of one."""
    others = [other for other in file.parent.parent.glob(f"*/{file.name}") if other.read_bytes() != file.read_bytes()]
    exchange(file, chance.choice(sorted(others)))


# ---- what is written otherwise


def edit_json(change: Callable[[dict, random.Random], object]) -> Edit:
    """Return the edit that changes the object in a JSON file."""
    return lambda file, chance: file.write_text(json.dumps(change(json.loads(file.read_bytes()), chance))) and None


def change_a_field(content: dict, chance: random.Random) -> dict:
    """Change the value of one field."""
    key = chance.choice(sorted(content))
    return {**content, key: chance.choice([None, 7, "other", [], {}, not content[key]])}


JSON_EDITS: dict[str, Edit] = {
    "{}": edit_json(lambda content, chance: {}),
    "null": edit_json(lambda content, chance: None),
    "a list": edit_json(lambda content, chance: [content]),
    "a field changed": edit_json(change_a_field),
    "a field removed": edit_json(lambda content, chance: {key: content[key] for key in list(content)[1:]}),
}
FIGURES = {
    "null figures": edit_json(lambda content, chance: {**content, "auc": None, "logloss": None}),
    "another AUC": edit_json(lambda content, chance: {**content, "auc": 0.99}),
    "of another run": by_another_run,
}


def write_other_tensors(file: Path, chance: random.Random) -> None:
    """Write a valid file of PyTorch with tensors of another shape."""
    import torch

    torch.save({"model": {"layers.0.weight": torch.ones(3, 3)}, "optimiser": {}, "best": {}, "progress": {}}, file)


def write_without_its_end(file: Path, chance: random.Random) -> None:
    """Write the state again as PyTorch alone would."""
    import torch

    torch.save(torch.load(file, weights_only=True), file)


STATES: dict[str, Edit] = {
    "of another run": by_another_run,
    "other tensors": write_other_tensors,
    "written by PyTorch alone": write_without_its_end,
}

ASK_THEN_ALL = ("mlp", "steps")
ARTEFACTS = [
    *(Kind(f"artefact: {name}", "built", ASK_THEN_ALL, to_artefact(edit)) for name, edit in FILE_EDITS.items()),
    *(Kind(f"artefact: {name}", "built", ASK_THEN_ALL, to_artefact(edit, ".npy"))
      for name, edit in ARRAY_EDITS.items()),
    Kind("artefact: another of its shape", "built", ASK_THEN_ALL, exchanged(of_one_shape)),
    Kind("artefact: of the other protocol", "built", ASK_THEN_ALL, exchanged(of_other_protocol("*/*.npy"))),
    Kind("artefact: of the other data set", "built", ASK_THEN_ALL, exchanged(of_other_dataset("*/*.*"))),
    Kind("artefact: of the other reduction", "built", ASK_THEN_ALL, exchanged(of_other_reduction)),
]  # fmt: skip
RECORDS = [
    *(Kind(f"record: {name}", "built", ASK_THEN_ALL, to_record(edit))
      for name, edit in {**FILE_EDITS, **JSON_EDITS}.items()),
    Kind("record: of another step", "built", ASK_THEN_ALL, exchanged(of_another_step)),
    Kind("record: of the other data set", "built", ASK_THEN_ALL, exchanged(of_other_dataset("*/records/*.json"))),
    Kind("record: of the other protocol", "built", ASK_THEN_ALL, exchanged(of_other_protocol("*/records/*.json"))),
]  # fmt: skip
RUNS = [
    *(Kind(f"metrics: {name}", "finished", ("mlp",), to_metrics(edit))
      for name, edit in {**FILE_EDITS, **JSON_EDITS, **FIGURES}.items()),
    *(Kind(f"run: {name}", "finished", ("viewer",), to_run(edit), (), "wechat") for name, edit in FILE_EDITS.items()),
    *(Kind(f"run: {name}", "finished", ("viewer",), to_run(edit, ".npy"), (), "wechat")
      for name, edit in ARRAY_EDITS.items()),
    Kind("run: of another run", "finished", ("viewer",), to_run(by_another_run, ".npy"), (), "wechat"),
]  # fmt: skip
CHECKPOINTS = [
    Kind(f"checkpoint: {name}", "interrupted", ("mlp",), to_checkpoint(edit))
    for name, edit in {**FILE_EDITS, **STATES}.items()
]
