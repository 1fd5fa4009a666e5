"""The same work row by row, as the published scripts go about it: lists of Python numbers, loops over interactions.

Written here for comparison, on TikTok rows of a chosen scale. Both sides are timed in this process and must agree:
counts and kept rows, item vectors, user embeddings, the rows of a batch. Ours write their files as well, the
row-by-row side stops at the lists.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import torch
from sklearn.decomposition import PCA
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(measure.ROOT))

import preprocess_inter
import preprocess_multimodal
import sample_data
from load_path import load_path
from mma4ctr import reduction
from mma4ctr.data.datasets import tiktok
from mma4ctr.data.item_rows import places_in
from mma4ctr.features import user_embedding
from mma4ctr.inputs import gather
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.losses import LOSSES
from mma4ctr.models.mma4ctr import Config, MMa4CTR
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.training.batches import Batches, batches_of_parts
from mma4ctr.training.engine import Engine

TASK, FEATURE, MODALITY, BATCH = "tiktok_finish", "vat_concat", "visual", 1_024


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Return the seconds that a call takes, and its result; what it prints is dropped."""
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        result = function()
    return time.perf_counter() - started, result


def inter_by_row(settings: Settings) -> dict[int, list[list[int]]]:
    """Read the interactions line by line and return those of each user who has enough of them."""
    by_user = collections.defaultdict(list)
    (file,) = tiktok.DATASET.interaction_files(settings.raw_folder("tiktok"))
    with open(file) as stream:
        for line in stream:
            fields = [int(field) for field in line.split("\t")]
            by_user[fields[0]].append(fields)
    return {user: found for user, found in by_user.items() if len(found) >= settings.min_interactions["tiktok"]}


def features_by_row(settings: Settings) -> dict[str, dict[int, list[float]]]:
    """Read the features of all modalities line by line: numbers of the vectors, word ids repeated by their counts."""
    kept = set(reading.load(settings, "items", dataset="tiktok").tolist())
    keys = {modality: row[1] for modality, row in tiktok.VECTORS.items()} | {"textual": tiktok.TITLE_KEY}
    found: dict[str, dict[int, list[float]]] = {modality: {} for modality in keys}
    for modality, files in tiktok.DATASET.feature_files(settings.raw_folder("tiktok")).items():
        for file in files:
            with open(file) as stream:
                for line in stream:
                    content = json.loads(line)
                    if content["item_id"] in kept:
                        values = content[keys[modality]]
                        if modality == "textual":
                            values = [float(word) for word, count in values.items() for _ in range(count)]
                        found[modality][content["item_id"]] = values
    return found


def reduced_by_row(features: dict[int, list[float]], components: float) -> np.ndarray:
    """Pad the lists with zeros, one after another, and reduce them with scikit-learn."""
    longest = max(len(values) for values in features.values())
    matrix = np.array([features[item] + [0.0] * (longest - len(features[item])) for item in sorted(features)])
    return PCA(components, svd_solver="full").fit_transform(matrix)


def embedding_by_row(task_rows: list[list[int]], places: list[int], items: list[list[float]], users: int) -> list:
    """Add up clicked items and subtract the others, one interaction after another."""
    sums, numbers = [[0.0] * len(items[0]) for _ in range(users)], [0] * users
    for user, item, click in task_rows:
        if places[item] >= 0:
            numbers[user] += 1
            sign = 1 if click else -1
            sums[user] = [total + sign * value for total, value in zip(sums[user], items[places[item]], strict=True)]
    return [[total / max(number, 1) for total in own] for own, number in zip(sums, numbers, strict=True)]


class Rows(Dataset):
    """The written-out rows of a part, as lists: the user's vector, the item's vector, the click."""

    def __init__(self, batches: Batches) -> None:
        users, items = batches.content.users.tolist(), batches.content.items.tolist()
        index = zip(*(places.tolist() for places in batches.content.places), strict=True)
        self.rows = [users[user] + items[item] for user, item in index]
        self.clicks = batches.clicks.tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, float]:
        return torch.tensor(self.rows[place]), self.clicks[place]


def epoch_by_row(dataset: Rows, sizes: Sizes) -> None:
    """Train for an epoch from a DataLoader that collates rows."""
    network = MMa4CTR(Config(), sizes)
    optimiser = torch.optim.Adam(network.parameters())
    for batch, clicks in DataLoader(dataset, batch_size=BATCH, shuffle=True):
        loss = LOSSES["batch_softmax"](network(Batch(content=batch)), clicks.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def compare_preprocessing(settings: Settings) -> list[tuple[str, float, float]]:
    """Compare steps 1 and 2."""
    to = ["--paths", str(settings.file), "--dataset", "tiktok", "--force"]
    slow, by_user = timed(lambda: inter_by_row(settings))
    fast, _ = timed(lambda: preprocess_inter.main(to))
    users = reading.load(settings, "users", dataset="tiktok")[:, 0]
    assert sorted(by_user) == users.tolist()
    found = [("count and filter the interactions", slow, fast)]
    lines, features = timed(lambda: features_by_row(settings))
    shares = {modality: row[2] for modality, row in tiktok.VECTORS.items()} | {"textual": 0.9}
    reducing, tables = timed(lambda: {name: reduced_by_row(features[name], share) for name, share in shares.items()})
    fast, _ = timed(lambda: preprocess_multimodal.main(to))
    for modality, table in tables.items():
        keys = {"dataset": "tiktok", "modality": modality}
        assert sorted(features[modality]) == reading.load(settings, "modality_items", **keys).tolist()
        ours = reading.load(settings, "modality", **keys)
        np.testing.assert_allclose(np.abs(ours), np.abs(table), atol=1e-4 * np.abs(table).max())  # but for signs
    return [*found, ("read and reduce the item features", lines + reducing, fast)]


def compare_embedding(settings: Settings) -> tuple[str, float, float]:
    """Compare the sums of step 3."""
    items = reading.load(settings, "items", dataset="tiktok")
    ids = reading.load(settings, "modality_items", dataset="tiktok", modality=MODALITY)
    matrix = reading.load(settings, "modality", dataset="tiktok", modality=MODALITY)
    task_rows = reading.load(settings, "rows", task=TASK, protocol="published")
    users, places = len(reading.load(settings, "users", dataset="tiktok")), places_in(ids, items)
    fast, ours = timed(lambda: user_embedding.clicked_minus_unclicked(task_rows, places, matrix, users))
    lists = task_rows.tolist(), places.tolist(), reduction.min_max(matrix).tolist()
    slow, theirs = timed(lambda: embedding_by_row(*lists, users))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    return f"user embedding, {MODALITY}", slow, fast


def compare_training(settings: Settings) -> list[tuple[str, float, float]]:
    """Compare the building of the matrix and an epoch of training."""
    given = gather.load(settings, TASK, FEATURE, "published", MMa4CTR.needs)
    fast_build, parts = timed(lambda: batches_of_parts(given, "published", torch.device("cpu")))
    training = parts["training"]
    slow_build, dataset = timed(lambda: Rows(training))
    whole, clicks = next(training.batches(BATCH))
    assert torch.equal(whole.content, torch.tensor(dataset.rows[:BATCH]))
    assert clicks.tolist() == dataset.clicks[:BATCH]
    slow, _ = timed(lambda: epoch_by_row(dataset, given.sizes))
    schedule, engine = Schedule(epochs=1, batch_size=BATCH), Engine()
    network = MMa4CTR(Config(), given.sizes)
    optimiser = engine.optimiser(network, Schedule())
    fast, _ = timed(lambda: engine.train_epoch(network, optimiser, training, schedule, 0, 0))
    number = f"{len(training):,} rows"
    return [(f"build the matrix, {number}", slow_build, fast_build), (f"an epoch, {number}", slow, fast)]


def main() -> None:
    """Compare, print a table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="hundredth")
    parser.add_argument("--out", type=Path, help="folder of the sample (default: sample/bench_<scale>)")
    args = parser.parse_args()
    out = (args.out or measure.ROOT / "sample" / f"bench_{args.scale}").resolve()
    with contextlib.redirect_stdout(io.StringIO()):
        sample_data.main(["--scale", args.scale, "--dataset", "tiktok", "--out", str(out)])
    settings = load_path(out / "path.json")
    found = compare_preprocessing(settings)
    for script in ("get_user_embedding.py", "cross_matrix.py"):
        measure.run(script, "--paths", str(settings.file), "--dataset", "tiktok", "--force")
    found += [compare_embedding(settings), *compare_training(settings)]
    print(f"{'TikTok, ' + args.scale:52}{'row by row':>12}{'ours':>10}{'times as fast':>16}")
    for what, slow, fast in found:
        print(f"{what:52}{slow:10.2f} s{fast:8.2f} s{slow / fast:16.0f}")
    lines = [{"what": what, "row_by_row": slow, "ours": fast} for what, slow, fast in found]
    measure.keep("row_by_row", {"scale": args.scale, "command": f"python benchmarks/row_by_row.py --scale {args.scale}",
                                "lines": lines})  # fmt: skip


if __name__ == "__main__":
    main()
