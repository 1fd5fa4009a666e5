"""Under the clean protocol no test label reaches anything, and no validation label reaches what is fitted or trained.

The tiny sample's raw logs are written anew with every label of the clean test part flipped, or of the validation part.
Steps 1 to 5 and training on those logs must leave every clean artefact and all trained weights as they were, to the
byte; only the click column of the flipped rows differs. Which rows are test rows is found here by walking through the
raw logs, so that the rows and the split of step 1 are checked on the way. The published protocol, which does carry test
labels, shows that the flipping is felt.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import mlp
from load_path import load_path
from mma4ctr.catalogue import MODALITIES
from mma4ctr.data.registry import TASKS
from mma4ctr.inputs import gather
from mma4ctr.protocol import PARTS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.training.batches import batches_of_parts
from samples import paths_file, run_steps

TRAIN = ("--protocol", "clean", "--epochs", "3", "--batch_size", "512", "--device", "cpu")
RUNS = [("wechat", "vat_concat"), ("wechat", "visual"), ("tiktok_finish", "vat_cross"), ("tiktok_like", "va_concat")]
PATIENT = ("--patience", "1")
CARELESS = ("--no_interruption",)  # then nothing reads a validation label

WEIGHTS = (4, 3, 2, 1, 1, 1, 1)  # of the seven actions below, over 13; a click is 1/2 or more
ACTIONS = ("read_comment", "like", "click_avatar", "forward", "favorite", "comment", "follow")


@dataclasses.dataclass
class Log:
    """The raw interactions of a data set: lines of fields; where user, item and time stand, and how to flip a line."""

    file: Path
    separator: str
    header: list[str]
    lines: list[list[str]]
    user: int
    item: int
    time: int | None
    labels: Callable[[list[str]], tuple[int, ...]]
    flip: Callable[[list[str]], None]

    def write(self) -> None:
        """Write the lines back."""
        lines = [self.header, *self.lines] if self.header else self.lines
        self.file.write_text("".join(self.separator.join(line) + "\n" for line in lines))


def read_wechat(raw: Path) -> Log:
    """Read user_action.csv; its one label is the click, which is flipped by setting all seven actions."""
    file = raw / "dataset" / "wechat" / "user_action.csv"
    header, *lines = (line.split(",") for line in file.read_text().splitlines())
    columns = [header.index(action) for action in ACTIONS]

    def click(line: list[str]) -> int:
        score = sum(weight * int(line[column]) for weight, column in zip(WEIGHTS, columns, strict=True))
        return int(score / sum(WEIGHTS) >= 0.5)

    def flip(line: list[str]) -> None:
        opposite = str(1 - click(line))
        for column in columns:
            line[column] = opposite

    user, item = header.index("userid"), header.index("feedid")
    return Log(file, ",", header, lines, user, item, None, lambda line: (click(line),), flip)


def read_tiktok(raw: Path) -> Log:
    """Read final_track1_train.txt; its labels are finish and like."""
    file = raw / "dataset" / "TikTok2019ICME" / "track1" / "final_track1_train.txt"
    lines = [line.split("\t") for line in file.read_text().splitlines()]

    def flip(line: list[str]) -> None:
        line[6], line[7] = str(1 - int(line[6])), str(1 - int(line[7]))

    return Log(file, "\t", [], lines, 0, 2, 10, lambda line: (int(line[6]), int(line[7])), flip)


READ = {"wechat": read_wechat, "tiktok": read_tiktok}
LABELS = {"wechat": ("wechat",), "tiktok": ("tiktok_finish", "tiktok_like")}


def clean_rows(log: Log, least: int) -> Iterator[tuple[str, str, int, list[str]]]:
    """Walk through the log: yield user, item, part (0, 1, 2) and line of each row of the clean protocol, in order."""
    counts = Counter(line[log.user] for line in log.lines)
    of_user = defaultdict(list)
    for line in log.lines:
        if counts[line[log.user]] >= least:
            of_user[line[log.user]].append(line)
    for user in sorted(of_user, key=int):
        lines = of_user[user]
        if log.time is not None:
            lines = sorted(lines, key=lambda line: int(line[log.time]))
        first = {}
        for line in lines:
            first.setdefault(line[log.item], line)
        k, n = len(first) // 10, len(first)
        for place, (item, line) in enumerate(first.items()):
            yield user, item, 2 if place >= n - k else 1 if place >= n - 2 * k else 0, line


def minimum(raw: Path, dataset: str) -> int:
    """Return how many raw rows a kept user must have."""
    return load_path(raw / "path.json").min_interactions[dataset]


def write_flipped(raw: Path, folder: Path, part: int) -> None:
    """Copy the raw logs and flip all labels of the rows, repeats included, of the pairs in one part."""
    shutil.copytree(raw, folder)
    for dataset, read in READ.items():
        log = read(folder)
        pairs = {(user, item) for user, item, own, _ in clean_rows(log, minimum(raw, dataset)) if own == part}
        for line in log.lines:
            if (line[log.user], line[log.item]) in pairs:
                log.flip(line)
        log.write()


def train(file: Path, options: tuple[str, ...]) -> dict[tuple[str, str], Path]:
    """Train all of `RUNS` and return the folder of each."""
    paths, folders = load_path(file), {}
    for task, feature in RUNS:
        before = set(paths.saved_path.glob("*/weights.pt"))
        mlp.main(["--paths", str(file), "--dataset", task, "--feature", feature, *TRAIN, *options])
        (new,) = set(paths.saved_path.glob("*/weights.pt")) - before
        folders[task, feature] = new.parent
    return folders


@dataclasses.dataclass
class Outcome:
    """What came of one version of the raw logs."""

    paths: Settings
    runs: dict[tuple[str, ...], dict[tuple[str, str], Path]]  # options -> (task, feature) -> run folder


def outcome(folder: Path, raw: Path, *options: tuple[str, ...]) -> Outcome:
    """Run steps 1 to 6 on raw logs, training once with each of the options."""
    file = paths_file(folder, raw)
    return Outcome(run_steps(file), {own: train(file, own) for own in options})


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Outcome:
    """The outcome of the logs as they are."""
    return outcome(tmp_path_factory.mktemp("as_it_is"), tiny_raw, (), PATIENT, CARELESS)


@pytest.fixture(scope="module")
def flipped_test(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Outcome:
    """The outcome with every label of the clean test part flipped."""
    folder = tmp_path_factory.mktemp("flipped_test")
    write_flipped(tiny_raw, folder / "raw", 2)
    return outcome(folder, folder / "raw", (), PATIENT)


@pytest.fixture(scope="module")
def flipped_validation(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Outcome:
    """The outcome with every label of the clean validation part flipped."""
    folder = tmp_path_factory.mktemp("flipped_validation")
    write_flipped(tiny_raw, folder / "raw", 1)
    return outcome(folder, folder / "raw", CARELESS)


FLIPPED = [("flipped_test", 2), ("flipped_validation", 1)]


def parts_of(rows: np.ndarray) -> np.ndarray:
    """Return the part of each clean row, user by user."""
    part = np.zeros(len(rows), dtype=np.int64)
    for user in np.unique(rows[:, 0]):
        own = np.flatnonzero(rows[:, 0] == user)
        k = len(own) // 10
        part[own[len(own) - 2 * k : len(own) - k]] = 1
        part[own[len(own) - k :]] = 2
    return part


def clean_artefacts(paths: Settings) -> dict[str, bytes]:
    """Return the bytes of every artefact of the clean protocol or of no protocol, but for rows and records."""
    folders = (paths.graph_path, paths.modal_path, paths.user_embedding_path, paths.matrix_path)
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
    return {file.name: file.read_bytes() for file in files if "published" not in file.name and "_rows" not in file.name}


def weights_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of a run's trained weights."""
    state = torch.load(folder / "weights.pt", weights_only=True)
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


@pytest.mark.parametrize("dataset", READ)
def test_step_1_keeps_the_rows_that_a_walk_through_the_raw_log_finds(
    as_it_is: Outcome, tiny_raw: Path, dataset: str
) -> None:
    log = READ[dataset](tiny_raw)
    expected = list(clean_rows(log, minimum(tiny_raw, dataset)))
    users = reading.load(as_it_is.paths, "users", dataset=dataset)[:, 0]
    items = reading.load(as_it_is.paths, "items", dataset=dataset)
    for number, task in enumerate(LABELS[dataset]):
        rows = reading.load(as_it_is.paths, "rows", task=task, protocol="clean")
        found = zip(users[rows[:, 0]].tolist(), items[rows[:, 1]].tolist(), rows[:, 2].tolist(), strict=True)
        assert list(found) == [(int(user), int(item), log.labels(line)[number]) for user, item, _, line in expected]
        assert parts_of(rows).tolist() == [part for *_, part, _ in expected]


@pytest.mark.parametrize(("version", "part"), FLIPPED)
@pytest.mark.parametrize("task", TASKS)
def test_only_the_clicks_of_the_flipped_rows_differ(as_it_is: Outcome, task: str, version: str, part: int, request):
    flipped = request.getfixturevalue(version)
    before, after = (reading.load(one.paths, "rows", task=task, protocol="clean") for one in (as_it_is, flipped))
    assert np.array_equal(before[:, :2], after[:, :2])
    assert np.array_equal(before[:, 2] != after[:, 2], parts_of(before) == part)


@pytest.mark.parametrize(("version", "part"), FLIPPED)
def test_every_other_artefact_stays_to_the_byte(as_it_is: Outcome, version: str, part: int, request) -> None:
    before, after = clean_artefacts(as_it_is.paths), clean_artefacts(request.getfixturevalue(version).paths)
    assert set(before) == set(after)
    assert len([name for name in before if "_clean_pca_" in name]) == len(TASKS) * len(MODALITIES)
    assert len([name for name in before if name.endswith("_clean_moments.npy")]) == len(TASKS)
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.parametrize(("version", "part"), FLIPPED)
@pytest.mark.parametrize(("task", "feature"), RUNS)
def test_scaled_inputs_and_split_stay_to_the_byte(
    as_it_is: Outcome, task: str, feature: str, version: str, part: int, request
) -> None:
    inputs_of = []
    for one in (as_it_is, request.getfixturevalue(version)):
        factors = gather.load(one.paths, task, feature, "clean", {"content"})
        batches = batches_of_parts(factors, "clean", torch.device("cpu"))
        whole = [next(batches[name].batches(len(batches[name])))[0].content.numpy().tobytes() for name in PARTS]
        inputs_of.append([whole, [factors.task.parts[name].tolist() for name in PARTS]])
    assert inputs_of[0] == inputs_of[1]


@pytest.mark.parametrize("options", [(), PATIENT], ids=["fixed epochs", "patience"])
@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_no_test_label_reaches_the_trained_weights(
    as_it_is: Outcome, flipped_test: Outcome, run: tuple[str, str], options: tuple[str, ...]
) -> None:
    before, after = as_it_is.runs[options][run], flipped_test.runs[options][run]
    assert weights_of(before) == weights_of(after)
    for name in ("predictions.npy", "hidden.npy"):
        assert (before / name).read_bytes() == (after / name).read_bytes()
    assert not np.array_equal(np.load(before / "test_rows.npy"), np.load(after / "test_rows.npy"))


@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_only_interruption_and_early_stop_read_validation_labels(
    as_it_is: Outcome, flipped_validation: Outcome, run: tuple[str, str]
) -> None:
    before, after = as_it_is.runs[CARELESS][run], flipped_validation.runs[CARELESS][run]
    assert weights_of(before) == weights_of(after)
    assert (before / "predictions.npy").read_bytes() == (after / "predictions.npy").read_bytes()


@pytest.mark.parametrize("task", TASKS)
def test_the_published_embedding_carries_the_flipped_labels(
    as_it_is: Outcome, flipped_test: Outcome, task: str
) -> None:
    for modality in MODALITIES:
        keys = {"task": task, "modality": modality, "protocol": "published", "reduction": "pca", "length": 21}
        before, after = (reading.load(one.paths, "user_embedding", **keys) for one in (as_it_is, flipped_test))
        assert not np.array_equal(before, after)
