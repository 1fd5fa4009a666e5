"""An interrupted run goes on from its last finished epoch with the same result; a finished one is not repeated."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import mlp
from mma4ctr.runs.folder import ORDER
from mma4ctr.settings import Settings
from samples import ROOT, paths_file

EPOCHS = 16
OPTIONS = ("--dataset", "wechat", "--epochs", str(EPOCHS), "--batch_size", "512", "--device", "cpu")
VARIANTS = {
    "published": ("--lr_change", "True"),
    "all options": ("--loss", "bce", "--patience", "14", "--eval_every", "7", "--protocol", "clean"),
}


@pytest.fixture
def copies(tmp_path: Path, tiny: Settings, tiny_raw: Path) -> tuple[Path, Path]:
    """The path.json of two copies of the tiny sample after steps 1 to 5."""
    for name in ("one", "two"):
        ignored = shutil.ignore_patterns("*_dense.npy", "saved", "torch_model")
        shutil.copytree(tiny.parent_folder, tmp_path / name, ignore=ignored)
        paths_file(tmp_path / name, tiny_raw)
    return tmp_path / "one" / "path.json", tmp_path / "two" / "path.json"


def train(file: Path, *options: str) -> None:
    mlp.main(["--paths", str(file), *OPTIONS, *options])


OF_SECONDS = ("checksum", "history.json", "weights.pt")  # the checksums of files that have seconds in them, or times


def without_seconds(content: object) -> object:
    if isinstance(content, list):
        return [without_seconds(entry) for entry in content]
    if isinstance(content, dict):
        kept = {key: value for key, value in content.items() if not key.endswith("seconds") and key not in OF_SECONDS}
        return {key: without_seconds(value) for key, value in kept.items()}
    return content


def results(file: Path) -> dict[str, object]:
    """Return all that a run left, by file: JSON without the seconds, everything else to the byte."""
    saved = file.parent / "saved"
    return {
        str(path.relative_to(saved)): (
            without_seconds(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
        )
        for path in saved.rglob("*.*")
        if path.is_file() and path.suffix != ".lock" and path.name not in ("results.csv", "weights.pt")
    } | {
        str(path.relative_to(saved)): {name: value.tolist() for name, value in torch.load(path).items()}
        for path in saved.rglob("weights.pt")
    }


def epochs_done(file: Path) -> int:
    found = list((file.parent / "torch_model").glob("*/checkpoint.pt"))
    return len(torch.load(found[0], weights_only=True)["progress"]["history"]) if found else 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(variant: str, copies: tuple[Path, Path]) -> None:
    one, two = copies
    train(one, *VARIANTS[variant])
    command = [sys.executable, "-u", "mlp.py", "--paths", str(two), *OPTIONS, *VARIANTS[variant]]
    # As many threads as this process has: sums over other partitions differ in the last bit.
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    wanted = random.Random().randrange(1, EPOCHS // 2)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and epochs_done(two) < wanted:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert wanted <= epochs_done(two) < EPOCHS
    assert not list((two.parent / "saved").glob("*/metrics.json"))
    train(two, *VARIANTS[variant])
    assert results(two) == results(one)


@pytest.mark.slow
def test_a_run_stopped_at_any_file_goes_on_to_the_same_result(
    copies: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = copies
    options = ("--epochs", "4", "--eval_every", "3")
    replace, replaced = os.replace, []

    def counted(*files: Path) -> None:
        replaced.append(files)
        if len(replaced) == stop_at:
            raise KeyboardInterrupt
        replace(*files)

    stop_at = 0
    monkeypatch.setattr(os, "replace", counted)
    train(one, *options)
    for stop_at in range(1, len(replaced), 2):
        replaced.clear()
        with pytest.raises(KeyboardInterrupt):
            train(two, *options)
        stop_at = 0
        train(two, *options)
        assert results(two) == results(one)
        for folder in ("saved", "torch_model"):
            shutil.rmtree(two.parent / folder)


def lines_of(file: Path) -> list[dict[str, str]]:
    with open(file.parent / "saved" / "results.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_results_are_rebuilt_from_the_run_folders(copies: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    file, _ = copies
    short = ("--epochs", "2")
    for options in (short, (*short, "--seed", "1"), ("--epochs", "3"), (*short, "--feature", "visual")):
        train(file, *options)
    lines = lines_of(file)
    folders = {folder.name for folder in (file.parent / "saved").iterdir() if folder.is_dir()}
    assert len(lines) == len(folders) and {line["run"] for line in lines} == folders
    assert lines == sorted(lines, key=lambda line: [line[name] for name in ORDER])
    vat = next(line for line in lines if line["feature"] == "vat_concat" and line["seed"] == "1")
    told = ("model", "user_embedding_length", "min_interactions", "lr_change", "interruption", "best_epoch")
    assert [vat[name] for name in (*told, "split_seed")] == ["mma4ctr", "21", "50", "true", "true", "1", "0"]
    features = [line["feature"] for line in lines]
    # One line for each run, and the three label-rate predictors once for each set of rows.
    assert features.count("vat_concat") == 3
    assert len(features) == 4 + 2 * 3
    before = {path: path.stat().st_mtime_ns for path in (file.parent / "saved").rglob("*/*")}
    (file.parent / "saved" / "results.csv").unlink()
    capsys.readouterr()
    train(file, *short)
    out = capsys.readouterr().out
    assert "finished before; not repeated" in out
    assert out.splitlines()[-1].startswith("AUC=0.")
    assert lines_of(file) == lines
    assert before == {path: path.stat().st_mtime_ns for path in (file.parent / "saved").rglob("*/*")}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None], ids=["empty", "torn", "of another model"])
def test_a_damaged_checkpoint_starts_over(content: bytes | None, copies: tuple[Path, Path]) -> None:
    one, two = copies
    train(one)
    (run,) = (history.parent.name for history in (one.parent / "saved").glob("*/history.json"))
    checkpoint = two.parent / "torch_model" / run / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True)
    if content is None:
        torch.save({"model": {}, "optimiser": {}, "best": {}, "progress": {}}, checkpoint)
    else:
        checkpoint.write_bytes(content)
    with pytest.warns(UserWarning, match="the run starts over"):
        train(two)
    assert results(two) == results(one)


def test_damaged_metrics_end_in_one_line(copies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    train(copies[0])
    metrics = next(file for file in (copies[0].parent / "saved").glob("*/metrics.json") if "epochs" in file.read_text())
    metrics.write_text("{")
    with pytest.raises(SystemExit) as ended:
        train(copies[0])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(metrics) in line and f"after removing the folder {metrics.parent}" in line
