"""Steps 8 and 9 need one data set only, and say what is absent."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import mlp
import statis_and_draw
import viewer
from bad_input import refusal
from mma4ctr.data.registry import TASKS
from mma4ctr.report import drawings
from mma4ctr.settings import Settings
from samples import paths_file

PARTS = {"wechat": ("wechat", "tiktok"), "tiktok": ("tiktok_like", "wechat")}


@pytest.fixture(params=PARTS)
def alone(request: pytest.FixtureRequest, tmp_path: Path, tiny: Settings, tiny_raw: Path) -> tuple[Path, str, str]:
    """The path.json of one data set with a run, its task, and the data set that is absent."""
    task, absent = PARTS[request.param]
    ignored = shutil.ignore_patterns(f"*{absent}*", "*_dense*", "saved", "torch_model")
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
    said = (
        f"{absent}: statistics and everything else, since preprocess_inter.py has not run; run python preprocess_inter"
    )
    for main in (statis_and_draw.main, viewer.main):
        main(to)
        assert f"  absent: {said}" in capfd.readouterr().out
    page = (file.parent / "saved" / "report.html").read_text()
    assert "What is absent" in page and said in page
    assert re.search(rf'<h2 id="section-\d+">{task}</h2>', page)
    assert "Nothing has run under the clean protocol" in page
    assert f"{task}: runs under clean, which adjust_hyperparameter.py makes" in page


def test_asking_for_what_is_absent_names_the_step(alone: tuple[Path, str, str], capfd: pytest.CaptureFixture) -> None:
    file, _, absent = alone
    for main in (statis_and_draw.main, viewer.main):
        line = refusal(capfd, main, ["--paths", str(file), "--dataset", PARTS[absent][0]])
        assert "preprocess_inter.py has not run to its end; run python preprocess_inter.py" in line


def test_the_report_without_any_run_and_without_later_steps(
    tmp_path: Path, tiny: Settings, tiny_raw: Path, capfd: pytest.CaptureFixture
) -> None:
    for name in ("bipartite_graph", "multi_modal"):
        shutil.copytree(tiny.parent_folder / name, tmp_path / "two" / name)
    file = paths_file(tmp_path / "two", tiny_raw)
    viewer.main(["--paths", str(file)])
    printed = capfd.readouterr().out
    for task in TASKS:
        assert f"  absent: {task}: runs under published and clean" in printed
    assert (
        "  absent: wechat: leak audit and fused features, since cross_matrix.py has not run; run python cross"
        in printed
    )
    page = (file.parent / "saved" / "report.html").read_text()
    assert "What is absent" in page and "Leak audit" not in page
