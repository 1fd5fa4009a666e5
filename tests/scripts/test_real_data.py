"""MovieLens-100k through the pipeline, with few models: what the table shows was chosen by validation rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import real_data
from bad_input import refusal
from load_path import load_path
from mma4ctr.runs import folder as runs
from mma4ctr.runs.find import FinishedRuns

TESTED = (1, 2, 3)


@pytest.mark.slow
def test_the_table_of_real_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    pytest.importorskip("recbole")
    for name, value in {"LONGEST": 10, "EXPERIMENTS": ("performance",), "BASELINES": {("BPR",): TESTED}}.items():
        monkeypatch.setattr(real_data, name, value)
    real_data.main(["--out", str(tmp_path), "--seeds", "1", "--no_report"])
    printed = capfd.readouterr().out
    assert "full log (MovieLens 100k): 100,000 rows, 943 users, 1,682 items" in printed
    assert "ml100k_recbole clean: 100,000 rows, 55,375 clicks" in printed
    table = printed.partition("Test results on MovieLens-100k (real)")[2].splitlines()
    rows = {line.strip().split("  ")[0]: line.split() for line in table if re.search(r"0\.\d{4}", line)}
    assert list(rows) == ["MMa4CTR, all", "BPR", "user_rate", "item_rate", "user_item_rate"]
    (bpr,) = [one for one in FinishedRuns(load_path(tmp_path / "path.json")).metrics if one.get("baseline") == "BPR"]
    history = runs.load_json(runs.folder_of(load_path(tmp_path / "path.json"), bpr["run"]), "history")
    best = max(TESTED, key=lambda epochs: history[epochs - 1]["valid_auc"])
    assert rows["BPR"][1:3] == [str(best), f"{history[best - 1]['test_auc']:.4f}"]
    assert rows["user_rate"][1] == "0.6557"  # there is nothing random in it


def test_without_recbole_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(real_data.importlib.util, "find_spec", lambda name: None)
    line = refusal(capfd, real_data.main, ["--out", str(tmp_path / "out")])
    assert line.startswith("recbole: not there; RecBole 1.2.1 brings MovieLens-100k along: run make real")
    assert not (tmp_path / "out").exists()
