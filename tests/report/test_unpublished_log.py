"""A data set whose full log nobody published anything about: its statistics stand alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import statis_and_draw
from mma4ctr.data.registry import DATASETS
from mma4ctr.report import sections, statistics
from mma4ctr.settings import Settings
from samples import own_runs


@pytest.fixture
def paths(tmp_path: Path, tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(type(DATASETS["tiktok"]), "published", None)
    return own_runs(tiny, tmp_path)


def test_step_8_prints_and_draws_ours_alone(paths: Settings, capfd: pytest.CaptureFixture) -> None:
    statis_and_draw.main(["--paths", str(paths.file), "--dataset", "tiktok_like"])
    printed = capfd.readouterr().out
    assert "published" not in printed.partition("  absent: ")[0]
    assert "\n    11-100  " in printed and "\n    10,001 or more  " in printed
    drawn = {file.name for file in (paths.saved_path / "figures").iterdir()}
    assert drawn >= {f"tiktok_{name}.svg" for name in ("ratios", "users", "items")}
    svg = (paths.saved_path / "figures" / "tiktok_users.svg").read_text()
    statis_and_draw.main(["--paths", str(paths.file), "--dataset", "wechat"])
    other = (paths.saved_path / "figures" / "wechat_users.svg").read_text()
    assert float(svg.split('width="')[1].split("pt")[0]) < float(other.split('width="')[1].split("pt")[0])


def test_all_users_are_in_a_bucket(paths: Settings) -> None:
    for artefact in ("user_lengths", "item_popularities"):
        shares, buckets, number = statistics.buckets_of(paths, "tiktok", artefact)
        assert shares.sum() == pytest.approx(1)
        assert len(shares) == len(buckets) and number > 0
        assert all(one.high + 1 == other.low for one, other in itertools.pairwise(buckets))


def test_the_report_leaves_the_published_ratio_blank(paths: Settings) -> None:
    table = sections.data_section(paths, ["tiktok", "wechat"]).tables[1]
    published = {(row[0].text, row[1].text): row[3].text for row in table.rows}
    assert published["tiktok", "like"] == ""
    assert published["wechat", "like (weight 3)"] == "36.49"
