"""Outputs of the tiny sample change only together with the version of what makes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import golden
from mma4ctr.settings import Settings


@pytest.fixture(scope="module")
def now(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, golden.Output]:
    """What the code as it is gives."""
    return golden.outputs_of(tiny, tmp_path_factory.mktemp("golden"))


def test_outputs_are_the_golden_ones(now: dict[str, golden.Output]) -> None:
    known = json.loads(golden.FILE.read_text())
    assert len(known) > 80
    assert golden.unexplained(known, now) == [], "raise the version of what makes them, then make golden"
    assert golden.stale(known, now) == [], "a version was raised, or there are new outputs: make golden"


def test_a_change_without_a_version_is_noticed(now: dict[str, golden.Output]) -> None:
    name = "predictions of mma4ctr, clean"
    digest, versions = now[name]["digest"], now[name]["versions"]
    other = {**now, name: {"digest": [*digest[:-1], digest[-1] + 0.01], "versions": versions}}
    assert golden.unexplained(now, other) == [name] and golden.stale(now, other) == []
    raised = {**now, name: {"digest": "other", "versions": {**versions, "mma4ctr": 99}}}
    assert golden.unexplained(now, raised) == [] and golden.stale(now, raised) == [name]


def test_a_digest_sees_one_changed_number_and_no_rounding(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((50, 8)).astype(np.float32)
    for name, one in {"as it is": array, "rounded": array + np.float32(1e-6), "swapped": array[::-1],
                      "whole": np.arange(6), "one other": np.array([0, 1, 2, 3, 4, 6])}.items():  # fmt: skip
        np.save(tmp_path / f"{name}.npy", one)
    digests = {file.stem: golden.digest_of(file) for file in tmp_path.glob("*.npy")}
    assert golden.alike(digests["as it is"], digests["rounded"])
    assert not golden.alike(digests["as it is"], digests["swapped"])
    assert not golden.alike(digests["whole"], digests["one other"])
