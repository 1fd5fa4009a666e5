"""A copy of the tiny sample, raw files and all, that a test may change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mma4ctr.settings import Settings


@pytest.fixture
def built(tmp_path: Path, tiny: Settings, tiny_raw: Path) -> Path:
    """A movable copy of the tiny sample, raw files and all, after steps 1 to 5; returns its path.json."""
    folder = tmp_path / "built"
    shutil.copytree(tiny.parent_folder, folder, ignore=shutil.ignore_patterns("*_dense.npy"))
    shutil.copytree(tiny_raw / "dataset", folder / "dataset")
    content = json.loads((tiny_raw / "path.json").read_text())
    (folder / "path.json").write_text(json.dumps(content))
    return folder / "path.json"
