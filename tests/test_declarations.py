"""The declared artefacts fit together: nobody reads what nobody wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mma4ctr.store.artifacts import ARTIFACTS, READS

STEPS = list(READS)


@pytest.mark.parametrize("step", STEPS)
def test_every_input_is_an_earlier_steps_output(step: str) -> None:
    for name in READS[step]:
        assert STEPS.index(ARTIFACTS[name].writer) < STEPS.index(step), f"{step} reads {name}"


def test_every_artefact_has_a_step_and_a_name_of_its_own() -> None:
    assert {artifact.writer for artifact in ARTIFACTS.values()} <= set(STEPS)
    names = [(artifact.folder, artifact.pattern, artifact.writer) for artifact in ARTIFACTS.values()]
    assert len(set(names)) == len(names)


def test_the_steps_before_training_start_without_what_they_do_not_need() -> None:
    """PyTorch takes longer to import than some of them to run."""
    scripts = [step.removesuffix(".py") for step in STEPS[: STEPS.index("mlp.py")]]
    program = f"import sys, {', '.join(scripts)}; print({{'torch', 'distributed', 'dask'}} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
