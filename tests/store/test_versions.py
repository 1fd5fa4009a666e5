"""Changed code: a raised version of a step, a data set or a protocol is refused until what it made is made again.

A feature that joins the catalogue is built though all else is current.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cross_matrix
import get_user_embedding
import mlp
from bad_input import SCRIPTS, listing, named_in, refusal, run_with_what_it_asks_for
from load_path import load_path
from mma4ctr import catalogue
from mma4ctr.data.registry import DATASETS
from mma4ctr.features import fusion
from mma4ctr.features.build import load_items
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.store import reading, records

STEP_1, STEP_2, STEP_3 = "preprocess_inter.py", "preprocess_multimodal.py", "get_user_embedding.py"
STEP_4, STEP_5, STEP_6 = "cross_matrix.py", "gen_matrix.py", "mlp.py"
TRAIN = ("--epochs", "1", "--device", "cpu")
WECHAT, TIKTOK = ("--dataset", "wechat"), ("--dataset", "tiktok")
WITH_FUSED = ("--dataset", "tiktok_like", *TRAIN)
WITH_ONE = ("--dataset", "wechat", "--feature", "visual", *TRAIN)


def raise_version(patch: pytest.MonkeyPatch, what: str) -> None:
    """Raise the version of what a refusal calls `what`."""
    kind, _, name = what.rpartition(" ")
    if kind == "data set":
        patch.setattr(type(DATASETS[name]), "version", DATASETS[name].version + 1)
    else:
        rows = PROTOCOLS if kind == "protocol" else records.STEPS
        patch.setitem(rows, name, dataclasses.replace(rows[name], version=rows[name].version + 1))


# What is raised, a later step, and what has to be rerun for it.
RAISED = [
    (STEP_1, STEP_3, WECHAT, [STEP_1]),
    (STEP_1, STEP_2, TIKTOK, [STEP_1]),
    (STEP_1, STEP_3, TIKTOK, [STEP_1, STEP_2]),
    (STEP_1, STEP_6, WITH_FUSED, [STEP_1, STEP_2, STEP_4, STEP_3]),
    (STEP_2, STEP_4, WECHAT, [STEP_2]),
    (STEP_2, STEP_5, TIKTOK, [STEP_2]),
    (STEP_3, STEP_6, WITH_FUSED, [STEP_3]),
    (STEP_4, STEP_6, WITH_FUSED, [STEP_4]),
    (STEP_5, STEP_6, WITH_ONE, [STEP_5]),
    ("data set wechat", STEP_4, WECHAT, [STEP_2]),
    ("data set wechat", STEP_3, WECHAT, [STEP_1, STEP_2]),
    ("data set tiktok", STEP_2, TIKTOK, [STEP_1]),
    ("protocol clean", STEP_3, (*WECHAT, "--protocol", "clean"), [STEP_1]),
    ("protocol clean", STEP_6, (*WITH_ONE, "--protocol", "clean"), [STEP_1, STEP_3]),
    ("protocol published", STEP_2, TIKTOK, [STEP_1]),
]


@pytest.mark.parametrize(("what", "later", "options", "expected"), RAISED)
def test_a_raised_version_is_refused_until_the_step_is_rerun(
    what: str, later: str, options: tuple[str, ...], expected: list[str], built: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture,
) -> None:  # fmt: skip
    argv = ["--paths", str(built), *options]
    SCRIPTS[later](argv)
    raise_version(monkeypatch, what)
    before = listing(built.parent)
    line = refusal(capfd, SCRIPTS[later], argv)
    told = rf"\.json: written by version (\d) of {what}, this is version (\d); rerun python {expected[0]} "
    then, now = re.search(told, line).groups()
    assert int(now) == int(then) + 1
    assert listing(built.parent) == before
    script, words = named_in(line)
    assert script == expected[0]
    SCRIPTS[script](words)
    named = run_with_what_it_asks_for(later, argv, capfd)
    assert sorted(named) == sorted(expected[1:])
    assert run_with_what_it_asks_for(later, argv, capfd) == []


@pytest.mark.parametrize("what", ["data set wechat", "data set tiktok"])
def test_the_version_of_a_data_set_is_no_concern_of_another(
    what: str, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (other,) = {"wechat", "tiktok"} - {what.split()[-1]}
    raise_version(monkeypatch, what)
    for script in (STEP_1, STEP_2, STEP_3, STEP_4, STEP_5):
        SCRIPTS[script](["--paths", str(built), "--dataset", other])
    assert capfd.readouterr().out.count(": up to date (") == {"wechat": 5, "tiktok": 6}[other]


@pytest.mark.parametrize("what", [STEP_1, STEP_2, STEP_3, STEP_4, STEP_5, "data set wechat", "protocol clean"])
def test_a_step_builds_again_what_an_earlier_version_of_it_built(
    what: str, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    raise_version(monkeypatch, what)
    script = what if what in SCRIPTS else STEP_1
    argv = ["--paths", str(built), *WECHAT]
    capfd.readouterr()
    SCRIPTS[script](argv)
    assert "up to date" not in capfd.readouterr().out
    SCRIPTS[script](argv)
    assert "up to date" in capfd.readouterr().out


def test_a_version_that_goes_back_is_refused_too(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    argv = ["--paths", str(built), *WECHAT]
    with monkeypatch.context() as patch:
        raise_version(patch, STEP_1)
        SCRIPTS[STEP_1](argv)
        get_user_embedding.main(argv)
    line = refusal(capfd, get_user_embedding.main, argv)
    now = records.STEPS[STEP_1].version
    assert f"written by version {now + 1} of {STEP_1}, this is version {now}; rerun python {STEP_1}" in line
    assert run_with_what_it_asks_for(STEP_3, argv, capfd) == [STEP_1]


# ---- a feature that joins the catalogue


def runs(file: Path) -> set[Path]:
    return set(load_path(file).saved_path.glob("*/config.json"))


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in listing(folder)}


def with_features(monkeypatch: pytest.MonkeyPatch, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
    """Let the catalogue have other features, for whoever asks it."""
    usual = catalogue.features_among
    for module in (catalogue, fusion):
        monkeypatch.setattr(module, "features_among", lambda modalities: change(usual(modalities)))


def test_a_new_feature_is_built_though_all_else_is_current(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    to, settings = ["--paths", str(built), *WECHAT], load_path(built)
    mlp.main([*to, *TRAIN])
    trained = runs(built)
    cross_matrix.main(to)
    assert "up to date" in capfd.readouterr().out
    with_features(monkeypatch, lambda known: (*known, "tv_concat"))
    line = refusal(capfd, mlp.main, [*to, "--feature", "tv_concat", *TRAIN])
    assert line.endswith(f"missing; run python cross_matrix.py --paths {built} --dataset wechat first")
    cross_matrix.main(to)
    printed = capfd.readouterr().out
    assert "up to date" not in printed
    assert "tv_concat: 56 columns" in printed
    before = times(settings.matrix_path)
    cross_matrix.main(to)
    assert "up to date" in capfd.readouterr().out
    assert times(settings.matrix_path) == before

    ids, table = load_items(settings, "wechat", "tv_concat")
    assert ids.tolist() == reading.load(settings, "fused_items", dataset="wechat").tolist()
    fused = [
        reading.load(settings, "fused_modality", dataset="wechat", modality=name) for name in ("textual", "visual")
    ]
    assert table.tobytes() == np.hstack(fused).tobytes()
    assert runs(built) == trained
    mlp.main([*to, "--feature", "tv_concat", *TRAIN])
    assert "AUC=" in capfd.readouterr().out.splitlines()[-1]
    assert len(runs(built) - trained) == 1
    mlp.main([*to, *TRAIN])  # what was trained on another feature of the step is still what it was
    assert len(runs(built) - trained) == 1


def test_a_feature_that_left_the_catalogue_leaves_the_others_current(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    with_features(monkeypatch, lambda known: tuple(name for name in known if name != "vt_concat"))
    cross_matrix.main(["--paths", str(built), *WECHAT])
    assert "up to date" in capfd.readouterr().out
