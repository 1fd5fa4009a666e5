"""Step 9's figures: right, there in both formats, the same every time, and drawn again only when runs change."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score

import mlp
import viewer
from load_path import load_path
from mma4ctr.grid.experiments import Variant
from mma4ctr.grid.results import Results
from mma4ctr.models.contract import Batch
from mma4ctr.report import drawings, plots, projections, roc
from mma4ctr.settings import Settings
from samples import paths_file
from small_problem import new_model

VARIANT = Variant("published", "pca")
FIGURES = ("wechat_10", "wechat_30", "wechat_UMAP_2D", "wechat_UMAP_3D", "wechat_hidden_UMAP_2D",
           "wechat_hidden_UMAP_3D")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Settings, tiny_raw: Path) -> Path:
    """The path.json of a copy of the tiny sample with two runs of the adaptive setting; treat it as read-only."""
    folder = tmp_path_factory.mktemp("trained") / "data"
    ignored = shutil.ignore_patterns("*_dense.npy", "saved", "torch_model")
    shutil.copytree(tiny.parent_folder, folder, ignore=ignored)
    file = paths_file(folder, tiny_raw)
    for feature, epochs in (("vat_concat", "30"), ("visual", "10")):
        mlp.main(["--paths", str(file), "--dataset", "wechat", "--feature", feature, "--epochs", epochs,
                  "--eval_every", "10", "--device", "cpu"])  # fmt: skip
    return file


@pytest.fixture(scope="module")
def drawn(trained: Path) -> Path:
    """The folder of the figures drawn from these runs."""
    viewer.main(["--paths", str(trained), "--dataset", "wechat"])
    return trained.parent / "saved" / "figures" / "published_pca"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@given(
    labels=st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda labels: 0 < sum(labels) < len(labels)),
    levels=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_roc_has_the_area_of_scikit_learn(labels: list[bool], levels: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, levels, len(labels)).astype(np.float32)
    curve = roc.curve(np.array(labels, dtype=np.int32), scores)
    assert auc(*curve) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("signal", [0.0, 1.0, 30.0])
def test_a_thinned_roc_is_the_same_line(signal: float) -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(50_000) < 0.1).astype(np.int32)
    scores = (rng.normal(size=len(labels)) + signal * labels).astype(np.float32)
    whole, thinned = roc.curve(labels, scores, most=10**6), roc.curve(labels, scores)
    assert len(thinned[0]) <= roc.MOST_POINTS
    assert auc(*thinned) == pytest.approx(roc_auc_score(labels, scores), abs=1 / roc.MOST_POINTS)
    # Along the diagonal direction both are functions, whose distance is that of the lines.
    along = np.linspace(0, 2, 5001)
    one, two = (np.interp(along, x + y, y - x) for x, y in (whole, thinned))
    assert np.abs(one - two).max() < 2 / roc.MOST_POINTS
    for rates in thinned:
        assert (rates[0], rates[-1]) == (0, 1)
        assert (np.diff(rates) >= 0).all()


@pytest.mark.parametrize(("clicks", "others", "size"), [(30, 500, 30), (500, 30, 30), (90, 80, 40), (1, 1, 1)])
def test_a_sample_is_balanced_and_seeded(clicks: int, others: int, size: int) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1], [others, clicks]))
    sample = projections.balanced_sample(labels, seed=3, most=40)
    assert len(sample) == len(set(sample)) == 2 * size
    assert labels[sample].sum() == size
    assert (sample == projections.balanced_sample(labels, seed=3, most=40)).all()
    if clicks != others:
        assert set(sample) != set(projections.balanced_sample(labels, seed=4, most=40))


def rows_to_project(kind: str, rows: int) -> np.ndarray:
    """Return rows (rows, 4) float32 as a hidden layer may have them."""
    varied = np.random.default_rng(0).random((rows, 4)).astype(np.float32)
    return {
        "varied": varied,
        "all equal": np.full_like(varied, 0.25),
        "mostly equal": np.where(np.arange(rows)[:, np.newaxis] < 0.8 * rows, np.float32(-1), varied),
        "three constant columns": varied * np.float32([0, 1, 0, 0]),
    }[kind]


@pytest.mark.parametrize("kind", ["varied", "all equal", "mostly equal", "three constant columns"])
@pytest.mark.parametrize("rows", [2, 3, 70])
def test_any_rows_can_be_projected(kind: str, rows: int) -> None:
    points = rows_to_project(kind, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Tensorflow not installed")  # an ImportWarning, which Python does not show
        first, again = (projections.project(points, (2, 3), seed=0) for _ in range(2))
    for dimensions, one, two in zip((2, 3), first, again, strict=True):
        assert one.shape == (rows, dimensions)
        assert np.isfinite(one).all()
        assert (np.ptp(one, axis=0) > 0).all()
        assert (one == two).all()


def test_what_is_projected_is_what_the_network_saw(trained: Path) -> None:
    paths = load_path(trained)
    run = drawings.last_evaluation(Results(paths), "wechat", VARIANT)
    sample = projections.balanced_sample(run.test_rows[:, 2], seed=0)
    points = projections.input_rows(paths, "wechat", "vat_concat", "published", sample)
    network = new_model(points.shape[1])
    network.load_state_dict(torch.load(run.folder / "weights.pt"))
    with torch.inference_mode():
        hidden = network.hidden(Batch(content=torch.from_numpy(points))).numpy()
    np.testing.assert_allclose(drawings.hidden_rows(paths, "wechat", VARIANT, run, sample), hidden, atol=1e-6)
    assert run.epoch == 30


def test_every_figure_is_there_in_both_formats(drawn: Path) -> None:
    wanted = {f"{name}.{form}" for name in FIGURES for form in plots.FORMATS}
    assert {file.name for file in drawn.iterdir()} == {*wanted, drawings.RECORD}
    record = json.loads((drawn / drawings.RECORD).read_text())
    assert set(record) == set(FIGURES)
    assert set(record["wechat_10"]) == {"vat_concat", "visual"}
    assert set(record["wechat_30"]) == {"vat_concat"}
    for file in drawn.glob("*.svg"):
        assert file.read_bytes().startswith(b"<?xml")
        assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert (drawn.parent.parent / "report.html").read_text().count("data:image/svg+xml;base64,") >= len(FIGURES)


@pytest.mark.slow
def test_figures_are_drawn_again_only_when_they_must(trained: Path, drawn: Path, capsys: pytest.CaptureFixture) -> None:
    before, times = contents(drawn), {file: file.stat().st_mtime_ns for file in drawn.iterdir()}
    to = ["--paths", str(trained), "--dataset", "wechat"]
    viewer.main(to)
    assert times == {file: file.stat().st_mtime_ns for file in drawn.iterdir()}
    assert "wechat_10: up to date" in capsys.readouterr().out

    (drawn / "wechat_10.png").unlink()
    viewer.main(to)
    captured = capsys.readouterr()
    assert captured.err == ""
    wrote = [line.rsplit("/", 1)[-1] for line in captured.out.splitlines() if line.startswith("  wrote ")]
    assert wrote == ["wechat_10.svg", "wechat_10.png", "report.html"]
    assert contents(drawn) == before

    (drawn / drawings.RECORD).write_text("{")
    viewer.main([*to, "--force"])
    assert contents(drawn) == before
    assert all(file.stat().st_mtime_ns > times[file] for file in drawn.iterdir())


def test_missing_runs_are_named_with_their_command(trained: Path, drawn: Path, capsys: pytest.CaptureFixture) -> None:
    viewer.main(["--paths", str(trained), "--dataset", "wechat", "tiktok_like"])
    lines = [line for line in capsys.readouterr().out.splitlines() if "python" in line]
    command = f"run python adjust_hyperparameter.py --paths {trained} --dataset"
    options = "--protocol published --reduction pca --longest"
    in_part = [line for line in lines if line.startswith("  drawn in part, no finished run of ")]
    assert [line.split("; ")[0].split(": ")[1] for line in in_part] == ["wechat_10", "wechat_30"]
    assert in_part[0].startswith("  drawn in part, no finished run of acoustic, textual, va_cross, ")
    assert in_part[1].startswith("  drawn in part, no finished run of visual, acoustic, ")
    assert f"; {command} wechat --experiment single_modal two_modal_cross three_modal_cross " in in_part[0]
    assert in_part[0].endswith(f"{options} 10")
    (line,) = set(lines) - set(in_part)
    assert line.startswith("  not drawn, no finished run of any feature: tiktok_like_10, tiktok_like_30, tiktok_like_U")
    assert f"; {command} tiktok_like --experiment " in line
    assert line.endswith(f" performance {options} 30")


def test_nothing_to_draw_is_an_error_in_one_line(trained: Path, drawn: Path, capsys: pytest.CaptureFixture) -> None:
    before = contents(drawn)
    with pytest.raises(SystemExit) as exit_:
        viewer.main(["--paths", str(trained), "--protocol", "clean"])
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    assert "no finished run of wechat, tiktok_finish, tiktok_like to draw; run python adjust_hyper" in line
    assert "--protocol clean" in line
    assert contents(drawn) == before
    assert not (drawn.parent / "clean_pca").exists()
