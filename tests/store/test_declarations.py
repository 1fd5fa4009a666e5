"""The declared artefacts fit together: nobody reads what nobody wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mlp
import statis_and_draw
from bad_input import SCRIPTS
from mma4ctr.features.fusion import FUSIONS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.store.artifacts import ARTIFACTS, Artifact
from mma4ctr.store.records import STEPS
from samples import ROOT

LAST = "statis_and_draw.py"  # leaves no record, and trains nothing
ORDER = [*STEPS, LAST]
# What each step reads of what other steps left, on both data sets and for one feature of every fusion.
READS = {
    "preprocess_inter.py": set(),
    "preprocess_multimodal.py": {"items"},
    "get_user_embedding.py": {"users", "items", "rows", "modality_items", "modality"},
    "cross_matrix.py": {"modality_items", "modality"},
    "gen_matrix.py": {"modality"},
    "mlp.py": {"users", "items", "rows", "modality_items", "modality", "user_embedding", "fused_items",
               "fused_modality", "table", "joins"},
    LAST: {"actions", "user_lengths", "item_popularities"},
}  # fmt: skip
FEATURES = ("visual", "va_cross", "at_concat", "vat_concat")


def writers(artifact: Artifact) -> set[str]:
    """Return the steps that write an artefact."""
    return {artifact.writer.format(script=fusion.script) for fusion in FUSIONS.values()}


def earlier(step: str) -> set[str]:
    """Return the steps that a step builds on, by a detour too."""
    after = STEPS[step].after
    return set(after).union(*map(earlier, after))


@pytest.mark.parametrize("step", READS)
def test_every_input_is_an_earlier_steps_output(step: str, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, dict]] = []

    def noted(load):
        def noting(settings: Settings, name: str, **keys: object):
            read.append((name, keys))
            return load(settings, name, **keys)

        return noting

    monkeypatch.setattr(reading, "load", noted(reading.load))
    monkeypatch.setattr(reading, "load_json", noted(reading.load_json))
    to = ["--paths", str(built)]
    if step == "mlp.py":
        for feature in FEATURES:
            mlp.main([*to, "--feature", feature, "--epochs", "1", "--device", "cpu"])
    elif step == LAST:
        statis_and_draw.main(to)
    else:
        SCRIPTS[step]([*to, "--force"])
    assert {name for name, _ in read} == READS[step]
    for name, keys in read:
        writer = ARTIFACTS[name].writer.format(**keys)
        assert ORDER.index(writer) < ORDER.index(step), f"{step} reads {name}"
        assert step in ("mlp.py", LAST) or writer in earlier(step), (
            f"the records of {step} do not build on those of {writer}"
        )


def test_every_artefact_has_a_step_and_a_name_of_its_own() -> None:
    assert set().union(*map(writers, ARTIFACTS.values())) <= set(STEPS)
    names = [(artifact.folder, artifact.pattern, artifact.writer) for artifact in ARTIFACTS.values()]
    assert len(set(names)) == len(names)


def test_every_step_builds_on_steps_before_it() -> None:
    for step in STEPS:
        assert all(ORDER.index(before) < ORDER.index(step) for before in STEPS[step].after)


def test_the_steps_before_training_start_without_what_they_do_not_need() -> None:
    """PyTorch takes longer to import than some of them to run."""
    scripts = [step.removesuffix(".py") for step in ORDER[: ORDER.index("mlp.py")]]
    program = f"import sys, {', '.join(scripts)}; print({{'torch', 'distributed', 'dask'}} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
