"""Steps 8 and 9 need one data set only, and say what is absent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mlp
import statis_and_draw
import viewer
from bad_input import refusal
from mma4ctr.report import drawings
from mma4ctr.settings import Settings
from samples import paths_file

PARTS = {"wechat": ("wechat", "tiktok"), "tiktok": ("tiktok_like", "wechat")}


@pytest.fixture(params=PARTS)
def alone(request: pytest.FixtureRequest, tmp_path: Path, tiny: Settings, tiny_raw: Path) -> tuple[Path, str, str]:
    """The path.json of one data set with a run, its task, and the data set that is absent."""
    task, absent = PARTS[request.param]
    ignored = shutil.ignore_patterns(f"*{absent}*", "*_dense*", "recbole", "saved", "torch_model")
    shutil.copytree(tiny.parent_folder, tmp_path / "alone", ignore=ignored)
    file = paths_file(tmp_path / "alone", tiny_raw)
    mlp.main(["--paths", str(file), "--dataset", task, "--epochs", "10", "--device", "cpu"])
    return file, task, absent


def test_the_report_of_one_data_set(
    alone: tuple[Path, str, str], capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, task, absent = alone
    monkeypatch.setattr(drawings, "write", lambda *_, **__: None)  # UMAP takes its time and is tested elsewhere
    to = ["--paths", str(file)]
    capfd.readouterr()
    for main in (statis_and_draw.main, viewer.main):
        main(to)
        assert f"without {absent}: steps 1 and 2 have not run" in capfd.readouterr().out
        main([*to, "--dataset", task])
    page = (file.parent / "saved" / "report.html").read_text()
    assert f"{absent}: absent, steps 1 and 2 have not run" in page
    assert f"{task}: the published tables" in page
    folder = json.loads(file.read_text())[f"{absent}_dataset_path"]
    assert folder in page  # the logs are there, and nothing was built of them


def test_asking_for_what_is_absent_names_the_step(alone: tuple[Path, str, str], capfd: pytest.CaptureFixture) -> None:
    file, _, absent = alone
    asked = ["--paths", str(file), "--dataset", PARTS[absent][0]]
    assert "run python preprocess_inter.py" in refusal(capfd, statis_and_draw.main, asked)
    assert "no finished run of" in refusal(capfd, viewer.main, asked)
