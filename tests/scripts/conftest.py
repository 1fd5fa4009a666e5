"""Copies of the tiny sample that a test may break."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mma4ctr.settings import Settings


@pytest.fixture
def raw(tmp_path: Path, tiny_raw: Path) -> Path:
    """A copy of the sample's raw files; a file may be replaced, but not written into."""
    folder = tmp_path / "raw"
    shutil.copytree(tiny_raw, folder, copy_function=os.link)
    return folder


@pytest.fixture
def built(tmp_path: Path, tiny: Settings) -> Path:
    """A copy of the tiny sample after steps 1 to 5; returns its path.json."""
    shutil.copytree(tiny.parent_folder, tmp_path / "built", ignore=shutil.ignore_patterns("*_dense.npy"))
    return tmp_path / "built" / "path.json"
