"""Step 8's statistics against slow oracles, and its figures: there, in both formats, the same every time."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import statis_and_draw
from load_path import load_path
from mma4ctr.cli import UserError
from mma4ctr.data.registry import DATASETS
from mma4ctr.report import datasets, plots, statistics
from mma4ctr.sampling import published as sampled
from mma4ctr.settings import Settings
from mma4ctr.store import records
from samples import exchange

NAMES = [f"{dataset}_{name}" for dataset in DATASETS for name in datasets.DATASET_FIGURES]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Path:
    """The path.json of a folder with the statistics and records of step 1 and nothing else; treat it as read-only."""
    return copy_of_step_1(tiny, tmp_path_factory.mktemp("counted"))


@pytest.fixture
def own(tmp_path: Path, tiny: Settings) -> Path:
    """The path.json of such a folder for one test alone."""
    return copy_of_step_1(tiny, tmp_path)


def copy_of_step_1(tiny: Settings, folder: Path) -> Path:
    for name in ("statistics", "records"):
        shutil.copytree(tiny.graph_path / name, folder / "bipartite_graph" / name)
    shutil.copy(tiny.file, folder / "path.json")
    return folder / "path.json"


def figures_of(file: Path) -> dict[str, bytes]:
    """Return name -> content of everything below ``saved/``."""
    saved = file.parent / "saved"
    return {str(made.relative_to(saved)): made.read_bytes() for made in saved.rglob("*") if made.is_file()}


@given(
    rows=st.integers(1, 10**7),
    parts=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_ratios_are_those_of_an_oracle(rows: int, parts: list[float]) -> None:
    positives = {name: int(part * rows) for name, part in zip(DATASETS["wechat"].actions, parts, strict=True)}
    found = statistics.negatives_per_positive({"rows": rows, **positives}, DATASETS["wechat"].weights)
    assert list(found) == [*positives, statistics.WEIGHTED_MEAN]
    exact = {name: Fraction(rows - number, number) if number else math.inf for name, number in positives.items()}
    for name, ratio in exact.items():
        assert found[name] == pytest.approx(float(ratio), rel=1e-12)
    counted = [exact[name] for name, weight in DATASETS["wechat"].weights.items() for _ in range(weight)]
    assert len(counted) == 13
    assert found[statistics.WEIGHTED_MEAN] == pytest.approx(float(sum(counted) / 13), rel=1e-12)


def test_tiktok_has_two_ratios_and_no_mean() -> None:
    found = statistics.negatives_per_positive({"rows": 9, "finish": 3, "like": 0}, {})
    assert found == {"finish": 2.0, "like": math.inf}


def test_published_mean_and_click_are_two_numbers() -> None:
    ratios = DATASETS["wechat"].published.ratios
    assert round(statistics.weighted_mean(ratios, DATASETS["wechat"].weights), 2) == 398.17
    assert round(ratios["click"], 2) == 389.23


@pytest.mark.parametrize("dataset", DATASETS)
def test_published_tables_are_whole(dataset: str) -> None:
    published = DATASETS[dataset].published
    assert set(published.ratios) == set(DATASETS[dataset].actions)
    for buckets in (published.user_lengths, published.item_popularities):
        assert buckets[0].low == 1
        assert buckets[-1].high is None
        assert [bucket.low for bucket in buckets[1:]] == [bucket.high + 1 for bucket in buckets[:-1]]
        assert sum(bucket.share for bucket in buckets) == pytest.approx(1, abs=0.0005)


@given(counts=st.lists(st.integers(1, 2_000), min_size=1), dataset=st.sampled_from(list(DATASETS)), users=st.booleans())
def test_shares_are_those_of_an_oracle(counts: list[int], dataset: str, users: bool) -> None:
    published = DATASETS[dataset].published
    buckets = published.user_lengths if users else published.item_popularities
    histogram = np.column_stack(np.unique(counts, return_counts=True)).astype(np.int64)
    found = statistics.shares(histogram, buckets)
    slow = [0] * len(buckets)
    for count in counts:
        places = [k for k, bucket in enumerate(buckets) if bucket.low <= count <= (bucket.high or count)]
        assert len(places) == 1
        slow[places[0]] += 1
    np.testing.assert_allclose(found, np.array(slow) / len(counts), rtol=1e-12)


def test_buckets_in_words() -> None:
    assert [bucket.name for bucket in DATASETS["tiktok"].published.item_popularities] == ["1", "2-10", "11 or more"]


def test_figures_and_numbers_of_the_sample(counted: Path, capfd: pytest.CaptureFixture) -> None:
    statis_and_draw.main(["--paths", str(counted)])
    first = figures_of(counted)
    assert set(first) == {f"figures/{name}.{form}" for name in NAMES for form in ("svg", "png")}
    for name, content in first.items():
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml"), name
        assert not re.search(rb"<dc:date>|20\d\d-\d\d-\d\d", content), name
    printed = capfd.readouterr().out
    actions = json.loads((counted.parent / "bipartite_graph/statistics/wechat_actions.json").read_text())
    ratio = (actions["rows"] - actions["click"]) / actions["click"]
    assert re.search(rf"^ +click \(at threshold 0\.5\) +{ratio:.2f} +389\.228$", printed, re.MULTILINE)
    assert re.search(r"^ +weighted mean of the 7 ratios +[\d.]+ +398\.1679$", printed, re.MULTILINE)
    assert re.search(r"^ +like +[\d.]+ +61\.2809$", printed, re.MULTILINE)
    assert re.search(r"^ +10-100 +[\d.]+ % +44\.49 %$", printed, re.MULTILINE)
    statis_and_draw.main(["--paths", str(counted)])
    assert figures_of(counted) == first


def test_one_task_draws_its_data_set_once(own: Path, capfd: pytest.CaptureFixture) -> None:
    statis_and_draw.main(["--paths", str(own), "--dataset", "tiktok_like", "tiktok_finish"])
    assert {name.split("/")[1].split("_")[0] for name in figures_of(own)} == {"tiktok"}
    assert capfd.readouterr().out.count("statis_and_draw.py tiktok\n") == 1


def test_an_action_without_positives_is_said_and_drawn(own: Path, capfd: pytest.CaptureFixture) -> None:
    settings = load_path(own)
    exchange(settings, "actions", {"rows": 50, "finish": 50, "like": 0}, records.INTER, dataset="tiktok")
    statis_and_draw.main(["--paths", str(own), "--dataset", "tiktok_like"])
    printed = capfd.readouterr().out
    assert re.search(r"^ +like +no positives +61\.2809$", printed, re.MULTILINE)
    assert re.search(r"^ +finish +0\.00 +2\.5322$", printed, re.MULTILINE)
    assert "figures/tiktok_ratios.svg" in figures_of(own)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("records/preprocess_inter_tiktok.json", None, "preprocess_inter.py has not run to its end; run python"),
        ("statistics/tiktok_actions.json", None, "missing; run python preprocess_inter.py"),
        ("statistics/tiktok_user_lengths.npy", None, "missing; run python preprocess_inter.py"),
        ("statistics/tiktok_item_popularities.npy", None, "missing; run python preprocess_inter.py"),
        ("statistics/tiktok_item_popularities.npy", b"\x93NUMPY", "is not the file that was written"),
        ("statistics/tiktok_actions.json", b"{", "is not the file that was written"),
        ("statistics/tiktok_actions.json", b'{"rows": 10}', "is not the file that was written"),
    ],
)
def test_missing_or_damaged_statistics_end_in_one_line(
    own: Path, capfd: pytest.CaptureFixture, name: str, content: bytes | None, complaint: str
) -> None:
    file = own.parent / "bipartite_graph" / name
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        statis_and_draw.main(["--paths", str(own), "--dataset", "tiktok_like"])
    assert stop.value.code == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {file}: ")
    assert printed.err.count("\n") == 1
    assert complaint in printed.err
    assert figures_of(own) == {}


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure, _ = plots.figure()

    def half_written(file: Path, **_: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(figure, "savefig", half_written)
    with pytest.raises(UserError, match="no space left"):
        plots.save(figure, tmp_path, "figure")
    assert list(tmp_path.iterdir()) == []


def test_every_helper_draws_the_same_twice(tmp_path: Path) -> None:
    def draw(folder: Path) -> list[bytes]:
        figure, ((lines, cloud),) = plots.figure(plots.PAGE, columns=2)
        x, y = np.arange(5.0), np.linspace(0.9, 0.95, 5)
        plots.line(lines, x, y, 0, "ours", (y - 0.01, y + 0.01))
        plots.points(lines, x, y, 9, "published", (y - 0.01, y + 0.01))
        plots.label(lines, "epochs", "AUC", "vat_concat")
        many = np.random.default_rng(0).normal(size=(2, 20_000))
        plots.scatter(cloud, *many, 1, None)
        return [file.read_bytes() for file in plots.save(figure, folder, "helpers")]

    first, second = draw(tmp_path / "1"), draw(tmp_path / "2")
    assert first == second
    assert len(first[0]) < 500_000  # 20,000 points as shapes would take several megabytes


def test_the_two_kinds_of_bucket_share_their_numbers() -> None:
    pairs = {
        sampled.WECHAT_USERS: DATASETS["wechat"].published.user_lengths,
        sampled.WECHAT_FEEDS: DATASETS["wechat"].published.item_popularities,
        sampled.TIKTOK_ITEMS: DATASETS["tiktok"].published.item_popularities,
        sampled.TIKTOK_USERS[:4]: DATASETS["tiktok"].published.user_lengths[:4],
    }
    for of_sample, of_log in pairs.items():
        assert [dataclasses.astuple(row)[:3] for row in of_sample] == [dataclasses.astuple(row) for row in of_log]
    finer = sum(row.share for row in sampled.TIKTOK_USERS[4:])
    assert finer == pytest.approx(DATASETS["tiktok"].published.user_lengths[-1].share, abs=1e-12)
