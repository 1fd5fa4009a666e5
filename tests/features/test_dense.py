"""What --dense writes, column by column, against rows that are joined one by one from the files of steps 1 to 5.

Asserted on the tiny sample: both layouts for every kind of feature, task and protocol; length 0; that layouts, lengths
and protocols stand beside one another; what is refused, and that nothing is left then.
"""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

import cross_matrix
import gen_matrix
from bad_input import listing, refusal
from mma4ctr.catalogue import feature_named
from mma4ctr.data.registry import TASKS, tasks_of
from mma4ctr.features import dense
from mma4ctr.inputs import gather
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import disk, reading, records
from samples import exchange, with_changes

SOME_FEATURES = ("visual", "textual", "va_cross", "vat_cross", "at_concat", "vat_concat")
CASES = [(task, protocol, feature) for task in TASKS for protocol in PROTOCOLS for feature in SOME_FEATURES]
STEPS = {"single": gen_matrix, "cross": cross_matrix, "concat": cross_matrix}


@pytest.fixture(scope="module")
def own(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The tiny sample with item features in a folder of its own, without what --dense wrote."""
    folder = tmp_path_factory.mktemp("dense")
    shutil.copytree(tiny.matrix_path, folder / "matrix", ignore=shutil.ignore_patterns("*_dense*"))
    made = with_changes(tiny, file=folder / "path.json", matrix_path=folder / "matrix")
    disk.write_json(made.file, content_of(made))
    return made


def with_length(paths: Settings, folder: Path, length: int) -> Settings:
    """Return the settings with another user_embedding_length, in a path.json of their own."""
    made = with_changes(paths, file=folder / "path.json", user_embedding_length=length)
    disk.write_json(made.file, content_of(made))
    return made


def run(paths: Settings, feature: str, dataset: str, protocol: str, *layout: str) -> None:
    """Run the step that writes a feature."""
    step = STEPS[feature_named(feature).fusion]
    step.main(["--paths", str(paths.file), "--dataset", dataset, "--protocol", protocol, "--dense", *layout])


# ------------------------------------------------------------------ the oracle: plain numpy, one row after another


def user_vectors(paths: Settings, task: str, protocol: str, feature: str) -> list[list[float]]:
    """Return the embeddings of each user, those of the feature's modalities one after another."""
    ending = f"{protocol}_{paths.user_reduction}_{paths.user_embedding_length}.npy"
    files = [
        paths.user_embedding_path / f"{task}_{modality}_{ending}" for modality in feature_named(feature).modalities
    ]
    return [[x for row in rows for x in row] for rows in zip(*(np.load(file).tolist() for file in files), strict=True)]


def item_vectors(paths: Settings, dataset: str, feature: str) -> dict[int, list[float]]:
    """Return each item's features by its id."""
    fusion, modalities, matrix = feature_named(feature).fusion, feature_named(feature).modalities, paths.matrix_path
    if fusion == "single":
        ids, tables = np.load(paths.modal_path / f"{dataset}_{feature}_items.npy"), []
        files = [paths.modal_path / f"{dataset}_{feature}.npy"]
    else:
        ids, tables = np.load(matrix / f"{dataset}_fused_items.npy"), []
        files = [matrix / f"{dataset}_{modality}_fused.npy" for modality in modalities]
    reduced = matrix / f"{dataset}_{feature}.npy"  # there where a feature is more than its modalities side by side
    tables = [np.load(file).tolist() for file in ([reduced] if reduced.exists() else files)]
    assert reduced.exists() or fusion != "cross"
    return {item: [x for table in tables for x in table[row]] for row, item in enumerate(ids.tolist())}


def row_by_row(paths: Settings, task: str, protocol: str, feature: str, users: list[list[float]]) -> np.ndarray:
    """Join user columns, item features and click of each row whose item has the feature."""
    dataset = TASKS[task].dataset
    items = np.load(paths.graph_path / f"{dataset}_items.npy").tolist()
    vectors = item_vectors(paths, dataset, feature)
    rows = np.load(paths.graph_path / f"{task}_{protocol}_rows.npy").tolist()
    joined = [[*users[user], *vectors[items[item]], float(click)] for user, item, click in rows
              if items[item] in vectors]  # fmt: skip
    return np.array(joined)


def ids_of(paths: Settings, task: str) -> list[list[float]]:
    """Return the id of each user."""
    return [[float(user)] for user, _ in np.load(paths.graph_path / f"{TASKS[task].dataset}_users.npy").tolist()]


def assert_equal(file: Path, expected: np.ndarray) -> None:
    """Assert that a file has these columns, one after another."""
    found = np.load(file)
    assert found.dtype == np.float64 and found.shape == expected.shape
    for column in range(expected.shape[1]):
        assert found[:, column].tobytes() == expected[:, column].tobytes(), column


# ------------------------------------------------------------------ what is written


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_the_published_layout_is_rows_joined_one_by_one(tiny: Settings, task: str, protocol: str, feature: str) -> None:
    file = tiny.matrix_path / f"{task}_{feature}_{protocol}_pca_21_dense.npy"
    expected = row_by_row(tiny, task, protocol, feature, user_vectors(tiny, task, protocol, feature))
    assert expected.shape[1] == gather.load(tiny, task, feature, protocol, {"content"}).sizes.content + 1
    assert_equal(file, expected)


@pytest.mark.parametrize(("dataset", "protocol"), [("wechat", "clean"), ("tiktok", "published")])
def test_ids_and_length_0_are_rows_joined_one_by_one(
    own: Settings, tmp_path: Path, dataset: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "ROWS_AT_ONCE", 1_000)
    tasks = list(tasks_of(own, [dataset]))
    for feature in ("visual", "vat_concat"):
        run(own, feature, dataset, protocol, "ids")
        for task in tasks:
            expected = row_by_row(own, task, protocol, feature, ids_of(own, task))
            assert_equal(own.matrix_path / f"{task}_{feature}_{protocol}_dense_ids.npy", expected)
    assert not list(own.matrix_path.glob(f"*_{protocol}_pca_*_dense.npy"))  # nothing that was not asked for
    run(with_length(own, tmp_path, 0), "vat_concat", dataset, protocol)
    for task in tasks:
        expected = row_by_row(own, task, protocol, "vat_concat", ids_of(own, task))
        assert_equal(own.matrix_path / f"{task}_vat_concat_{protocol}_pca_0_dense.npy", expected)
        assert_equal(own.matrix_path / f"{task}_vat_concat_{protocol}_dense_ids.npy", expected)
    written = {file.name.split("_pca")[0] for file in own.matrix_path.glob(f"*_{protocol}_pca_0_dense.npy")}
    assert written == {f"{task}_vat_concat_{protocol}" for task in tasks}


# ------------------------------------------------------------------ what is refused


def test_step_3_is_named_where_it_has_not_run(own: Settings, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    before, without = listing(own.matrix_path), with_length(own, tmp_path, 7)
    command = ["--paths", str(without.file), "--dataset", "wechat", "--protocol", "clean", "--dense"]
    for step in (cross_matrix, gen_matrix):
        line = refusal(capfd, step.main, command)
        assert f"get_user_embedding.py --paths {without.file} --dataset wechat --protocol clean" in line
    assert listing(own.matrix_path) == before


def test_length_0_is_refused_where_nothing_takes_it(own: Settings, tmp_path: Path, capfd) -> None:
    before, bare = listing(own.matrix_path), with_length(own, tmp_path, 0)
    line = refusal(capfd, gen_matrix.main, ["--paths", str(bare.file), "--dense"])
    assert "user_embedding_length is 0, which only vat_concat takes" in line
    dense.write_all(own, "wechat", [], "clean", "embeddings")  # a data set without any feature of a step
    assert listing(own.matrix_path) == before


@pytest.mark.parametrize("user", [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_a_user_id_that_float64_would_round_is_refused(own: Settings, tmp_path: Path, user: int) -> None:
    users = reading.load(own, "users", dataset="wechat")
    users[3, 0] = user
    copy = with_changes(own, graph_path=tmp_path)
    shutil.copytree(own.graph_path / "records", tmp_path / "records")
    exchange(copy, "users", users, records.INTER, dataset="wechat")
    with pytest.raises(dense.UserError, match=f"user id {user} is beyond 9007199254740992"):
        dense.user_ids(copy, "wechat", "visual", "clean")


def test_an_unknown_layout_is_refused(own: Settings, capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        gen_matrix.main(["--paths", str(own.file), "--dense", "wide"])
    assert ended.value.code == 2
    assert "choose from" in capfd.readouterr().err


def test_a_file_that_cannot_be_written_to_its_end_leaves_nothing(own: Settings, capfd: pytest.CaptureFixture) -> None:
    before, limit = listing(own.matrix_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        refusal(capfd, cross_matrix.main, ["--paths", str(own.file), "--dataset", "wechat", "--dense"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert listing(own.matrix_path) == before
