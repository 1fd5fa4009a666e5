"""A changed version of a step, data set or protocol is noticed, and so is a feature that was not asked for before."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import cross_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
from bad_input import refusal
from mma4ctr.catalogue import features_among
from mma4ctr.data.registry import DATASETS, load_settings
from mma4ctr.features import fusion
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import records

MAINS = {
    f"{module.__name__}.py": module.main
    for module in (preprocess_inter, preprocess_multimodal, get_user_embedding, cross_matrix, mlp)
}


@pytest.fixture
def built(tmp_path: Path, tiny: Settings) -> Path:
    """A copy of the tiny sample after steps 1 to 5; returns its path.json."""
    shutil.copytree(tiny.parent_folder, tmp_path / "built", ignore=shutil.ignore_patterns("*_dense.npy"))
    return tmp_path / "built" / "path.json"


def keys_of_record(script: str) -> dict[str, object]:
    task = {"task": "wechat", "protocol": "published", "reduction": "pca", "length": 21}
    return task if script == "get_user_embedding.py" else {}


def raise_step(script: str, patch: pytest.MonkeyPatch) -> str:
    patch.setitem(
        records.STEPS, script, dataclasses.replace(records.STEPS[script], version=records.STEPS[script].version + 1)
    )
    return script


def raise_data_set(name: str, patch: pytest.MonkeyPatch) -> str:
    patch.setattr(DATASETS[name], "version", DATASETS[name].version + 1)
    return f"data set {name}"


def raise_protocol(name: str, patch: pytest.MonkeyPatch) -> str:
    patch.setitem(PROTOCOLS, name, dataclasses.replace(PROTOCOLS[name], version=2))
    return f"protocol {name}"


@pytest.mark.parametrize(("change", "what", "later", "named"), [
    (raise_step, "preprocess_inter.py", "get_user_embedding.py", "preprocess_inter.py"),
    (raise_step, "preprocess_multimodal.py", "cross_matrix.py", "preprocess_multimodal.py"),
    (raise_step, "get_user_embedding.py", "mlp.py", "get_user_embedding.py"),
    (raise_step, "cross_matrix.py", "mlp.py", "cross_matrix.py"),
    (raise_data_set, "wechat", "get_user_embedding.py", "preprocess_inter.py"),
    (raise_data_set, "wechat", "cross_matrix.py", "preprocess_multimodal.py"),
    (raise_protocol, "clean", "get_user_embedding.py", "preprocess_inter.py"),
])  # fmt: skip
def test_another_version_is_refused_until_it_is_rerun(
    change: Callable, what: str, later: str, named: str, built: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:  # fmt: skip
    to = ["--paths", str(built), "--dataset", "wechat"]
    shown = change(what, monkeypatch)
    line = refusal(capfd, MAINS[later], to)
    told = rf"written by version (\d) of {re.escape(shown)}, this is version (\d); rerun python {named} --paths {built}"
    before, now = re.search(told, line).groups()
    assert int(now) == int(before) + 1
    assert f"records/{named.removesuffix('.py')}_wechat" in line
    MAINS[named](to)
    assert "up to date" not in capfd.readouterr().out
    records.require(load_settings(built), named, "wechat", keys_of_record(named))


def test_another_data_set_goes_on(built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    raise_data_set("wechat", monkeypatch)
    for main in (preprocess_inter.main, preprocess_multimodal.main, get_user_embedding.main, cross_matrix.main):
        main(["--paths", str(built), "--dataset", "tiktok"])
    assert capfd.readouterr().out.count("up to date") == 5


def test_a_new_feature_is_built_and_changes_nothing_else(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    def record() -> records.Record:
        return records.require(load_settings(built), "cross_matrix.py", "wechat")

    to, before = ["--paths", str(built), "--dataset", "wechat"], record()
    with monkeypatch.context() as patch:
        patch.setattr(fusion, "features_among", lambda modalities: (*features_among(modalities), "tv_cross"))
        cross_matrix.main(to)
        assert "tv_cross" in capfd.readouterr().out
        assert (built.parent / "matrix" / "wechat_tv_cross.npy").exists()
        assert record().contains == [*before.contains, "tv_cross"]
        assert record().id == before.id  # what was trained on the other features still stands
        cross_matrix.main(to)
        assert "up to date" in capfd.readouterr().out
    cross_matrix.main(to)  # more than is asked for
    assert "up to date" in capfd.readouterr().out
