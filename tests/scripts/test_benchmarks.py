"""Every benchmark can be imported: what it measures is still called as it calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from samples import ROOT

FILES = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_benchmark_is_imported(file) -> None:
    subprocess.run([sys.executable, "-c", f"import {file.stem}"], cwd=ROOT / "benchmarks", check=True)


def test_training_is_timed(tmp_path) -> None:
    command = [sys.executable, "benchmarks/passes.py", "bare_passes", "97", "100", "50"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert '"seconds"' in found.stdout
