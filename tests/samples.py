"""What tests do with the tiny sample: run the steps on it, and give it a path.json and runs of its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

import cross_matrix
import gen_matrix
import get_user_embedding
import preprocess_inter
import preprocess_multimodal
from load_path import load_path
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import artifacts, checksums, disk, records

ROOT = Path(__file__).resolve().parents[1]  # the checkout: the scripts, and what stands beside them


def run_steps(file: Path, *, dense: bool = False) -> Settings:
    """Run steps 1 to 5 on the raw logs of a path.json, for both data sets and both protocols."""
    to = ["--paths", str(file)]
    preprocess_inter.main(to)
    preprocess_multimodal.main(to)
    for protocol in ("published", "clean"):
        get_user_embedding.main([*to, "--protocol", protocol])
        for step in (cross_matrix, gen_matrix):
            step.main([*to, "--protocol", protocol, *(["--dense"] if dense else [])])
    return load_path(file)


def paths_file(folder: Path, raw: Path, **changes: object) -> Path:
    """Write a path.json into `folder` that reads the raw logs of the sample `raw` and writes under `folder`."""
    content = json.loads((raw / "path.json").read_text())
    for key in ("wechat_dataset_path", "tiktok_dataset_path"):
        content[key] = str(raw / content[key])
    file = folder / "path.json"
    file.write_text(json.dumps({**content, **changes}))
    return file


def own_runs(paths: Settings, folder: Path) -> Settings:
    """Write a path.json into `folder` that reads the artefacts of `paths` and keeps its own runs there."""
    kept = {"saved_path": folder / "saved", "torch_model_path": folder / "torch_model"}
    own = with_changes(paths, file=folder / "path.json", **kept)
    disk.write_json(own.file, content_of(own))
    return own


def words_of(paths: Settings) -> list[str]:
    """Return the words after ``mlp.py`` of a short run under the clean protocol."""
    return [
        "--paths",
        str(paths.file),
        "--protocol",
        "clean",
        "--epochs",
        "1",
        "--batch_size",
        "512",
        "--device",
        "cpu",
    ]


def exchange(paths: Settings, name: str, content: np.ndarray | dict, script: str, **keys: str) -> None:
    """Put another array, or JSON object, in the place of an artefact of step 1 or 2, and let its record say so."""
    save = artifacts.save if isinstance(content, np.ndarray) else artifacts.save_json
    file = save(paths, name, content, **keys)
    record = records.read(paths, script, artifacts.dataset_of(paths, keys), {})
    outputs = {**record.outputs, str(file.relative_to(records.folder_of(paths, script))): checksums.of_file(file)}
    records.write(paths, dataclasses.replace(record, outputs=outputs))


def with_changes(paths: Settings, **changes: object) -> Settings:
    """Return `paths` with some of its values changed."""
    return dataclasses.replace(paths, **changes)
