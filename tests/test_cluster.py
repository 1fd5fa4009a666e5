"""Steps 1, 2 and 7 on a Dask cluster of two local workers give what they give in one process.

Asserted on the tiny sample, cut into many small parts; also that a worker that is killed costs its task alone, that
nothing of Dask is imported without a scheduler, and that what a user can get wrong ends in one line.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import killed_workers
import numpy as np
import pytest
import scipy.sparse
from conftest import paths_file
from hypothesis import given
from hypothesis import strategies as st

import adjust_hyperparameter
import mlp
import preprocess_inter
import preprocess_multimodal
from load_path import load_path
from mma4ctr import executor as cluster
from mma4ctr import reduction
from mma4ctr.cli import UserError
from mma4ctr.data import item_rows, raw_files
from mma4ctr.data.datasets import tiktok
from mma4ctr.grid import pool as grid
from mma4ctr.settings import Settings

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
SCRIPTS = Path(mlp.__file__).parent
SMALL = ("--dataset", "wechat", "--experiment", "single_modal", "--longest", "10")
SMALL += ("--protocol", "clean", "--reduction", "pca")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of two workers, each a process of its own, which import the project and `killed_workers`."""
    soon = "5s"  # Dask knocks at the door of a dead worker for so long; 30 s by default
    with pytest.MonkeyPatch.context() as patch, dask.config.set({"distributed.comm.timeouts.connect": soon}):
        patch.setenv("PYTHONPATH", os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)]))
        patch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", soon)
        options = {"threads_per_worker": 1, "dashboard_address": ":0"}
        with distributed.LocalCluster(n_workers=2, resources={"GPU": 1}, **options) as local:  # to Dask just a name
            yield local.scheduler_address


@pytest.fixture(scope="module")
def raw_with_repeats(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Path:
    """The tiny sample with lines of the same items again, in other files and places, with other features."""
    folder = tmp_path_factory.mktemp("repeats") / "raw"
    shutil.copytree(tiny_raw, folder)
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


# ---- parts of files and rows of items


@given(text=st.lists(st.text("ab\r", max_size=9)), last=st.text("ab", max_size=3), size=st.integers(1, 40))
def test_parts_are_the_file_cut_at_line_ends(
    text: list[str], last: str, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "lines.txt"
    content = "".join(f"{line}\n" for line in text) + last
    file.write_bytes(content.encode())
    parts = raw_files.parts_of(file, size)
    pieces = [part.source for part in parts]
    assert b"".join(pieces) == content.encode()
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    assert all(piece[:-1].rfind(b"\n") + 1 < size for piece in pieces)  # where the last line starts


@given(items=st.lists(st.lists(st.integers(0, 9), unique=True), min_size=1, max_size=6), sparse=st.booleans())
def test_the_last_line_of_an_item_counts(items: list[list[int]], sparse: bool) -> None:
    number, expected, parts = 0, {}, []
    for part in items:
        rows = np.zeros((len(part), 3), dtype=np.float32)
        for place, item in enumerate(part):
            number += 1
            rows[place] = expected[item] = [number, number % 3, 0]
        block = scipy.sparse.csr_array(rows.astype(np.float64)) if sparse else rows
        parts.append((np.array(part, dtype=np.int64), block))
    known, matrix = item_rows.gathered(iter(parts), np.arange(10))
    assert known.tolist() == sorted(expected)
    rows = matrix.toarray() if sparse else matrix
    wanted = np.reshape([expected[item] for item in sorted(expected)], (-1, 3))
    assert np.array_equal(rows, wanted[:, : rows.shape[1]])
    assert not wanted[:, rows.shape[1] :].any()


def test_the_components_of_rows_on_workers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to find them: a written out covariance, products with vectors, and few rows brought together."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 300)
    text = raw_files.sparse_rows(lengths, rng.integers(0, 100_000, lengths.sum()))
    dense = rng.normal(size=(300, 20)).astype(np.float32) * np.linspace(3, 1, 20, dtype=np.float32)
    cases = [(text, 0.9, 2000), (text, 0.9, 20), (text[:30], 0.9, 2000), (dense, 7, 2000), (dense[:15], 0.8, 2000)]
    with cluster.connected(address) as executor:
        for matrix, components, limit in cases:
            monkeypatch.setattr(reduction, "DENSE_LIMIT", limit)
            items = rng.permutation(len(matrix.toarray() if scipy.sparse.issparse(matrix) else matrix))
            blocks = np.array_split(items, 7)
            parts = [executor.share(tuple, (block, matrix[block])) for block in blocks]
            known, rows = item_rows.spread(executor, parts)
            assert np.array_equal(known, np.arange(matrix.shape[0]))
            expected = reduction.reduce_to(matrix, components)
            found = reduction.reduce_to(rows, components)
            assert found.dtype == np.float32 and found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


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
    monkeypatch.setattr(grid, "run_all", lambda jobs, processes: ((job, here(job.arguments)) for job in jobs))
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


def test_what_ends_is_handed_over_with_its_error(address: str) -> None:
    """Nine tasks for two workers, without a resource; the file of one of them is missing."""
    with cluster.connected(address) as executor:
        files = [*([Path(__file__)] * 8), Path("/nowhere/path.json")]
        refused = dict(executor.completed(load_path, ["/nowhere/one.json", "/nowhere/two.json"], resources={}))
        found = list(executor.completed(os.path.getsize, files, resources={}))
    assert all(f"{file}: cannot be read" in str(error) for file, error in refused.items())
    assert len(refused) == 2
    assert [file for file, _ in found].count(files[0]) == 8
    assert {size for file, size in found if file == files[0]} == {Path(__file__).stat().st_size}
    ((_, error),) = [(file, error) for file, error in found if file == files[-1]]
    assert isinstance(error, UserError) and "/nowhere/path.json: No such file or directory on a worker" in str(error)


# ---- workers that die


def test_a_killed_worker_costs_its_task(tmp_path: Path, address: str) -> None:
    with cluster.connected(address) as executor:
        assert list(executor.map(killed_workers.square, list(range(8)), tmp_path)) == [k * k for k in range(8)]
    assert (tmp_path / "killed").exists()


def test_rows_that_were_on_a_killed_worker_are_read_again(tmp_path: Path, tiny_raw: Path, address: str) -> None:
    file = next(tiny_raw.rglob("track1_title.txt"))
    kept = np.unique([int(found) for found in re.findall(r'"item_id": ?(\d+)', file.read_text())])
    with cluster.connected(address, part_bytes=5000) as executor:
        parts = executor.parts([file])
        assert len(parts) > 5
        items, rows = executor.rows_of_items(killed_workers.read_titles, parts, kept, tmp_path)
        found = reduction.reduce_to(rows, 0.9)
    assert (tmp_path / "killed").exists()
    here = cluster.LocalExecutor()
    expected_items, expected = here.rows_of_items(tiktok.read_titles, here.parts([file]), kept)
    assert np.array_equal(items, expected_items)
    np.testing.assert_allclose(found, reduction.reduce_to(expected, 0.9), rtol=1e-5, atol=1e-5 * np.abs(found).max())


# ---- without a cluster, and what a user can get wrong


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
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True, stdout=subprocess.DEVNULL)


def error_of(capsys: pytest.CaptureFixture[str], main, *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.parametrize("address_of", [lambda: f"tcp://127.0.0.1:{free_port()}", lambda: "nonsense://here"])
def test_no_scheduler(
    address_of, tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    line = error_of(capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler",
                    address_of())  # fmt: skip
    assert line.startswith("error: --scheduler ") and "no Dask scheduler answers" in line


def test_dask_is_not_installed(
    tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    line = error_of(
        capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler", "tcp://x:1"
    )
    assert "requirements-cluster.txt" in line


def test_workers_that_cannot_help(
    tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No workers at all; then one that does not have the project on its path."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    options = ("--paths", paths_file(tmp_path, tiny_raw), "--scheduler")
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as empty:
        assert "has no workers" in error_of(capsys, preprocess_inter.main, *options, empty.scheduler_address)
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address, "--nthreads", "1",
                   "--no-nanny", "--no-dashboard"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
            monkeypatch.setattr(cluster, "CONNECT_SECONDS", 20)
            line = error_of(capsys, preprocess_inter.main, *options, empty.scheduler_address)
            worker.terminate()
    assert "cannot import the project" in line and "PYTHONPATH=." in line


def test_a_scheduler_that_cannot_help(
    tmp_path: Path, tiny_raw: Path, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without the project on its path could not read the tasks."""

    def without_project(self, function, *arguments: object) -> None:
        raise ModuleNotFoundError("No module named 'mma4ctr'")

    monkeypatch.setattr(distributed.Client, "run_on_scheduler", without_project)
    line = error_of(capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler", address)
    assert "a scheduler cannot import the project" in line and "PYTHONPATH=. dask scheduler" in line


def test_an_error_on_a_worker_names_file_and_line(
    tmp_path: Path, tiny_raw: Path, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PART_BYTES", 30_000)
    raw = tmp_path / "raw"
    shutil.copytree(tiny_raw, raw)
    options = ("--paths", paths_file(tmp_path, raw), "--dataset", "tiktok")
    preprocess_inter.main([str(option) for option in options])
    items = np.load(load_path(options[1]).graph_path / "tiktok_items.npy")
    for name, main in (("track1_audio_features_part2", preprocess_multimodal.main),
                       ("final_track1_train", preprocess_inter.main)):  # fmt: skip
        broken = next(raw.rglob(f"{name}.txt"))
        lines = broken.read_text().splitlines()
        number = next(number for number, line in enumerate(lines) if number > len(lines) // 2 and is_read(line, items))
        lines[number] = lines[number].replace("item_id", "item").replace("\t", "x\t", 1)
        broken.write_text("\n".join(lines) + "\n")
        capsys.readouterr()
        here = error_of(capsys, main, *options, "--force")
        there = error_of(capsys, main, *options, "--force", "--scheduler", address)
        assert here == there and f"{broken}:{number + 1}: " in here


def is_read(line: str, items: np.ndarray) -> bool:
    """Tell whether a line is of the interactions, or of the features of a kept item."""
    found = re.search(r'"item_id": ?(\d+)', line)
    return found is None or int(found[1]) in items


def test_jobs_are_for_one_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        adjust_hyperparameter.main(["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"])
    assert "--scheduler: not allowed with argument --jobs" in capsys.readouterr().err


def test_workers_of_the_grid_have_one_thread(tiny: Settings) -> None:
    class TwoThreads:
        workers = staticmethod(lambda: {"tcp://a:1": {"nthreads": 2, "resources": {}}})

    with pytest.raises(UserError, match="--nthreads 1"):
        next(grid.run_on_cluster([], TwoThreads()))
