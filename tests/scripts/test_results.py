"""results.py prints the lines of results.csv, the best first where it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlp
import results
from bad_input import refusal
from mma4ctr.runs import folder
from mma4ctr.settings import Settings
from samples import own_runs

SHORT = ("--epochs", "1", "--batch_size", "1024")


@pytest.fixture(scope="module")
def own(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The tiny sample with two runs, and their label rates."""
    settings = own_runs(tiny, tmp_path_factory.mktemp("results"))
    for seed in ("0", "1"):
        mlp.main(["--paths", str(settings.file), *SHORT, "--seed", seed])
    mlp.main(["--paths", str(settings.file), *SHORT, "--model", "dnn", "--protocol", "clean"])
    return settings


def shown(settings: Settings, capsys: pytest.CaptureFixture, *options: str) -> list[list[str]]:
    """Return the cells of the lines that have a run."""
    results.main(["--paths", str(settings.file), *options])
    printed = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in printed if "/" not in line)
    return [line.split() for line in printed if line.strip()[:12].isalnum() and "." in line]


def test_the_best_stand_first(own: Settings, capsys: pytest.CaptureFixture) -> None:
    capsys.readouterr()
    found = shown(own, capsys, "--sort", "auc")
    known = {line["run"]: line for line in map(folder.line_of, folder.all_metrics(own))}
    assert {line[0] for line in found} == set(known) and len(found) == len(known) == 3 + 2 * 3
    aucs = [known[line[0]]["auc"] for line in found]
    assert aucs == sorted(aucs, reverse=True)
    losses = [known[line[0]]["logloss"] for line in shown(own, capsys, "--sort", "logloss")]
    assert losses == sorted(losses)
    (dnn,) = (line for line in found if line[2] == "dnn/vat_concat")
    assert dnn[-3] == f"{known[dnn[0]]['auc']:.4f}" and dnn[1] == "clean"


def test_a_protocol_alone(own: Settings, capsys: pytest.CaptureFixture) -> None:
    capsys.readouterr()
    assert {line[1] for line in shown(own, capsys, "--protocol", "clean")} == {"clean"}


def test_what_is_not_there(own: Settings, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    assert "expected one of run, task" in refusal(capfd, results.main, ["--paths", str(own.file), "--sort", "best"])
    results.main(["--paths", str(own.file), "--dataset", "tiktok_like"])
    assert "tiktok_like: no finished run in" in capfd.readouterr().out
