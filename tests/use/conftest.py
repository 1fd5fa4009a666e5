"""Trained runs on the tiny sample, which the tests of this folder share; treat them as read-only."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlp
from mma4ctr.settings import Settings
from samples import own_runs, words_of


@pytest.fixture(scope="session")
def used(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, Path]]:
    """The settings of two runs, and the folder of each by its model."""
    paths = own_runs(tiny, tmp_path_factory.mktemp("used"))
    found = {}
    for model in ("mma4ctr", "hyperctr"):
        (run,) = mlp.main([*words_of(paths), "--model", model])
        found[model] = paths.saved_path / run
    return paths, found
