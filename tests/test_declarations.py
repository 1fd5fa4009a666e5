"""The declared artefacts fit together: nobody reads what nobody wrote."""

from __future__ import annotations

import pytest

from mma4ctr.artifacts import ARTIFACTS, READS

STEPS = list(READS)


@pytest.mark.parametrize("step", STEPS)
def test_every_input_is_an_earlier_steps_output(step: str) -> None:
    for name in READS[step]:
        assert STEPS.index(ARTIFACTS[name].writer) < STEPS.index(step), f"{step} reads {name}"


def test_every_artefact_has_a_step_and_a_name_of_its_own() -> None:
    assert {artifact.writer for artifact in ARTIFACTS.values()} <= set(STEPS)
    names = [(artifact.folder, artifact.pattern, artifact.writer) for artifact in ARTIFACTS.values()]
    assert len(set(names)) == len(names)
