"""Steps 1 to 5 and an epoch of training at a tenth of WeChat's size: 2,000 users, 10,644 feeds, 731,788 rows.

Prints time and memory of each step beside the limits, and an epoch beside the same forward and backward passes over one
batch that is already there.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import measure
import numpy as np
import torch

sys.path.insert(0, str(measure.ROOT))

import mlp
from load_path import load_path
from mma4ctr import artifacts
from mma4ctr.model import LOSSES, MLP

STEPS = ("preprocess_inter.py", "preprocess_multimodal.py", "get_user_embedding.py", "cross_matrix.py", "gen_matrix.py")
SECONDS, MEGABYTES, MATRIX_MEGABYTES, EPOCH_SECONDS = 40, 3_000, 100, 1.2
BATCH, EPOCHS = 8_192, 5


def bare_epoch(in_features: int, batches: int) -> float:
    """Return the seconds of `batches` forward and backward passes with a step of Adam over one resident batch."""
    model = MLP(in_features)
    optimiser = torch.optim.Adam(model.parameters(), foreach=True)
    rng = np.random.default_rng(0)
    batch = torch.from_numpy(rng.random((BATCH, in_features), dtype=np.float32))
    clicks = torch.from_numpy((rng.random(BATCH) < 0.01).astype(np.float32))
    started = time.perf_counter()
    for _ in range(batches):
        loss = LOSSES["batch_softmax"](model(batch), clicks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - started


def measure_steps(paths_file: Path) -> None:
    """Print time and memory of steps 1 to 5, built from nothing."""
    total, highest = 0.0, 0.0
    for step in STEPS:
        seconds, megabytes = measure.run(step, "--paths", str(paths_file), "--dataset", "wechat", "--force")
        total, highest = total + seconds, max(highest, megabytes)
        print(f"{step:28}{seconds:8.1f} s {megabytes:8.0f} MB", flush=True)
    print(f"{'steps 1 to 5':28}{total:8.1f} s {highest:8.0f} MB    limit {SECONDS} s, {MEGABYTES} MB")
    size = measure.size_of(load_path(paths_file).matrix_path)
    print(f"{'matrix/ on disk':28}{size:8.1f} MB                limit {MATRIX_MEGABYTES} MB")


def measure_training(paths_file: Path) -> None:
    """Print the time of an epoch of vat_concat, validation included, beside the bare passes."""
    paths = load_path(paths_file)
    # A seed of the clock: a run that was finished before would not be trained again.
    options = ("--epochs", str(EPOCHS), "--batch_size", str(BATCH), "--seed", str(time.time_ns() % 10**9))
    (run,) = mlp.main(["--paths", str(paths_file), "--dataset", "wechat", "--feature", "vat_concat", *options])
    history = artifacts.read_json(paths.saved_path / run / "history.json", "python mlp.py")
    found = artifacts.read_json(paths.saved_path / run / "metrics.json", "python mlp.py")
    seconds = float(np.median([entry["seconds"] for entry in history]))
    batches = -(-found["rows"]["training"] // BATCH)
    bare = float(np.median([bare_epoch(found["in_features"], batches) for _ in range(EPOCHS)]))
    print(f"{'an epoch of ' + str(found['rows']['training']):28}{seconds:8.2f} s    limit {EPOCH_SECONDS} s")
    print(f"{'bare passes':28}{bare:8.2f} s    an epoch, validation included, takes {seconds / bare:.2f} times as long")
    print(f"{'test of ' + str(found['rows']['test']) + ' rows':28}{found['test_seconds']:8.2f} s")


def main() -> None:
    """Write the sample if it is not there, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=measure.ROOT / "sample" / "tenth_wechat")
    out = parser.parse_args().out.resolve()
    sample = measure.run("sample_data.py", "--scale", "tenth", "--dataset", "wechat", "--out", str(out))
    print(f"{'sample_data.py':28}{sample[0]:8.1f} s {sample[1]:8.0f} MB")
    measure_steps(out / "path.json")
    measure_training(out / "path.json")


if __name__ == "__main__":
    main()
