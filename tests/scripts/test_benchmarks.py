"""Every benchmark can be imported: what it measures is still called as it calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from samples import ROOT

FILES = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.slow
def test_every_benchmark_is_imported() -> None:
    names = ", ".join(file.stem for file in FILES)  # in one process, since most of the time goes into libraries
    subprocess.run([sys.executable, "-c", f"import {names}"], cwd=ROOT / "benchmarks", check=True)


@pytest.mark.slow
def test_training_is_timed(tmp_path) -> None:
    command = [sys.executable, "benchmarks/passes.py", "bare_passes", "97", "100", "50"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert '"seconds"' in found.stdout
