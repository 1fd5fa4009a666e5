"""Steps 1, 2 and 7 on a Dask cluster of two local workers give what they give in one process.

Asserted on the tiny sample, cut into many small parts, with workers that are killed; also that nothing of Dask is
imported without a scheduler.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import adjust_hyperparameter
import killed_workers
import preprocess_inter
import preprocess_multimodal
from load_path import load_path
from mma4ctr import executor as cluster
from mma4ctr.grid import pool as grid
from mma4ctr.settings import Settings
from samples import ROOT, paths_file

pytestmark = pytest.mark.slow

pytest.importorskip("distributed")
SMALL = ("--dataset", "wechat", "--experiment", "single_modal", "--longest", "10")
SMALL += ("--protocol", "clean", "--reduction", "pca")


@pytest.fixture(scope="module")
def raw_with_repeats(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Path:
    """The tiny sample with lines of the same items again, in other files and places, with other features.

    WeChat's days do not follow one another in the file.
    """
    folder = tmp_path_factory.mktemp("repeats") / "raw"
    shutil.copytree(tiny_raw, folder)
    log = next(folder.rglob("user_action.csv"))
    header, *rows = log.read_text().splitlines()
    log.write_text("\n".join([header, *rows[1::3], *rows[::3], *rows[2::3]]) + "\n")
    track = next(folder.rglob("track1_title.txt")).parent
    for kind in ("video_features_part", "audio_features_part"):
        one, other = (track / f"track1_{kind}{number}.txt" for number in (1, 2))
        again = [re.sub(r'"item_id": ?\d+', re.search(r'"item_id": ?\d+', theirs)[0], ours)
                 for ours, theirs in zip(one.read_text().splitlines()[:40], other.read_text().splitlines(),
                                         strict=False)]  # fmt: skip
        one.write_text("\n".join([*again, one.read_text()]))
        other.write_text(other.read_text() + "\n".join(again[:20]) + "\n")
    titles = (track / "track1_title.txt").read_text().splitlines()
    again = [re.sub(r'"item_id": ?\d+', re.search(r'"item_id": ?\d+', theirs)[0], ours)
             for ours, theirs in zip(titles[:60], titles[60:120], strict=True)]  # fmt: skip
    (track / "track1_title.txt").write_text("\n".join([*again[:30], *titles, *again[30:]]) + "\n")
    return folder


def run_steps(file: Path, *options: str) -> Settings:
    preprocess_inter.main(["--paths", str(file), *options])
    preprocess_multimodal.main(["--paths", str(file), *options])
    return load_path(file)


def test_steps_1_and_2_give_the_single_process_files(
    tmp_path: Path, raw_with_repeats: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PART_BYTES", 30_000)  # 20 parts of the interactions, several of each feature file
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = run_steps(paths_file(tmp_path / "one", raw_with_repeats))
    two = run_steps(paths_file(tmp_path / "two", raw_with_repeats), "--scheduler", address)
    names = files_of(one.graph_path)
    assert len(names) > 15 and names == files_of(two.graph_path)
    for name in names:
        assert (one.graph_path / name).read_bytes() == (two.graph_path / name).read_bytes(), name
    names = files_of(one.modal_path)
    assert len(names) == 12 and names == files_of(two.modal_path)
    for name in names:
        expected, found = (np.load(paths.modal_path / name) for paths in (one, two))
        assert (expected.dtype, expected.shape) == (found.dtype, found.shape)
        scale = np.abs(expected).max(axis=0)
        assert (np.abs(found - expected) <= 1e-5 * np.abs(expected) + 1e-5 * scale).all(), name


def files_of(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*")
                  if file.is_file() and "records" not in file.parts)  # fmt: skip


# ---- the grid


def lines_of(paths: Settings) -> list[dict[str, str]]:
    with open(paths.saved_path / "results.csv", newline="") as stream:
        return [{key: value for key, value in line.items() if not key.endswith("_seconds")}
                for line in csv.DictReader(stream)]  # fmt: skip


def grid_of(folder: Path, tiny: Settings, tiny_raw: Path, *options: str) -> tuple[Path, str]:
    """Run a small grid on a copy of the tiny sample in `folder`; return its path.json and what it printed."""
    shutil.copytree(tiny.parent_folder, folder, ignore=shutil.ignore_patterns("*_dense.npy", "saved", "torch_model"))
    file = paths_file(folder, tiny_raw)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        adjust_hyperparameter.main(["--paths", str(file), *SMALL, *options])
    return file, printed.getvalue()


def test_the_grid_gives_the_single_process_results(
    tmp_path: Path, tiny: Settings, tiny_raw: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a worker is killed after three epochs of a run."""
    here = grid.train  # in this very process, which spares the start of another
    monkeypatch.setattr(grid, "run_all", lambda own, jobs, processes: ((job, here(job, own)) for job in jobs))
    one, _ = grid_of(tmp_path / "one", tiny, tiny_raw)
    monkeypatch.setattr(grid, "train", killed_workers.train)
    two, printed = grid_of(tmp_path / "two", tiny, tiny_raw, "--scheduler", address)
    assert printed.count("AUC=") == 4 and "4/4 wechat, " in printed
    assert lines_of(load_path(one)) == lines_of(load_path(two))
    assert (two.parent / "killed").exists()
    assert [file.name for file in two.parent.glob("resumed_after_*")] == ["resumed_after_3"]
    for name in ("predictions.npy", "hidden.npy", "test_rows.npy"):
        for file in one.parent.glob(f"saved/*/{name}"):
            assert file.read_bytes() == (two.parent / "saved" / file.parent.name / name).read_bytes()


# ---- without a cluster


def test_nothing_of_dask_is_imported_without_a_scheduler(tmp_path: Path, tiny_raw: Path) -> None:
    file = paths_file(tmp_path, tiny_raw)
    code = (
        "import sys, adjust_hyperparameter, preprocess_inter, preprocess_multimodal\n"
        f"preprocess_inter.main(['--paths', {str(file)!r}])\n"
        f"preprocess_multimodal.main(['--paths', {str(file)!r}])\n"
        f"adjust_hyperparameter.main(['--paths', {str(file)!r}, '--dry_run', '--longest', '5'])\n"
        "found = {name.partition('.')[0] for name in sys.modules} & {'dask', 'distributed', 'tornado'}\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
