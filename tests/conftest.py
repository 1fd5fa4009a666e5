"""What several test modules share: the tiny sample, built once by the scripts themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from small_problem import CPU, factors_of

import cross_matrix
import gen_matrix
import get_user_embedding
import preprocess_inter
import preprocess_multimodal
import sample_data
from load_path import load_path
from mma4ctr import inputs
from mma4ctr.grid import pool as grid
from mma4ctr.settings import Settings

# A time limit for each example fails on a busy machine; timings live in benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
torch.set_num_threads(1)  # the suite runs in one process for each core


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


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the raw files of the tiny sample; treat it as read-only."""
    folder = tmp_path_factory.mktemp("tiny_raw")
    sample_data.main(["--scale", "tiny", "--out", str(folder)])
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Settings:
    """The tiny sample after steps 1 to 5, dense files included; treat it as read-only."""
    return run_steps(paths_file(tmp_path_factory.mktemp("tiny"), tiny_raw), dense=True)


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
    grid.write_settings(own)
    return own


def with_changes(paths: Settings, **changes: object) -> Settings:
    """Return `paths` with some of its values changed."""
    return dataclasses.replace(paths, **changes)


@pytest.fixture
def parts() -> dict[str, inputs.Batches]:
    """Scaled parts of a small problem that can be learnt."""
    return inputs.batches_of_parts(factors_of(), "clean", CPU)


@pytest.fixture
def unlearnable() -> dict[str, inputs.Batches]:
    """Parts whose clicks follow nothing, so that validation keeps interrupting."""
    return inputs.batches_of_parts(factors_of(signal=0.0), "clean", CPU)
