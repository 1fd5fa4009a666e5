"""What training cannot do without, by itself, and a test of as many rows as the published one.

python benchmarks/passes.py bare_passes IN_FEATURES ROWS BATCH_SIZE
python benchmarks/passes.py score_rows PATHS TASK FEATURE PROTOCOL
"""

from __future__ import annotations

import json
import sys
import time

import measure
import numpy as np
import torch

sys.path.insert(0, str(measure.ROOT))

from load_path import load_path
from mma4ctr import memory
from mma4ctr.evaluation import metrics
from mma4ctr.inputs import gather
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.losses import LOSSES
from mma4ctr.models.mma4ctr import Config, MMa4CTR
from mma4ctr.schedule import Schedule
from mma4ctr.training import engine
from mma4ctr.training.batches import Batches

RESIDENT_BYTES = 1e9  # of batches that are there before the clock starts
TESTED_ROWS = 860_000


def bare_passes(in_features: str, rows: str, batch_size: str) -> None:
    """Print the seconds of an epoch's forward and backward passes and steps over batches that are already there."""
    memory.keep_freed_memory()
    size, batches = int(batch_size), -(-int(rows) // int(batch_size))
    network, rng = MMa4CTR(Config(), Sizes(item_columns=int(in_features))), np.random.default_rng(0)
    resident = min(batches, max(1, int(RESIDENT_BYTES / (4 * size * int(in_features)))))
    drawn = (rng.random((size, int(in_features)), dtype=np.float32) for _ in range(resident))
    inputs_of = [Batch(content=torch.from_numpy(one)) for one in drawn]
    clicks_of = [torch.from_numpy((rng.random(size) < 0.01).astype(np.float32)) for _ in range(resident)]
    optimiser, seconds = engine.Engine().optimiser(network, Schedule()), []
    for _ in range(5):
        started = time.perf_counter()
        for number in range(batches):
            loss = LOSSES["batch_softmax"](network(inputs_of[number % resident]), clicks_of[number % resident])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": min(seconds)}))


def score_rows(paths_file: str, task: str, feature: str, protocol: str) -> None:
    """Print the seconds of a test of 860,000 rows: the test part, repeated until there are so many."""
    given = gather.load(load_path(paths_file), task, feature, protocol, MMa4CTR.needs)
    given.task.parts["test"] = np.resize(given.task.parts["test"], TESTED_ROWS)
    batches, network = Batches(given, "test", torch.device("cpu")), MMa4CTR(Config(), given.sizes)
    batches.scale(*batches.content.column_range())
    started = time.perf_counter()
    predicted, labels = engine.probabilities_of(network, batches), batches.rows[:, 2]
    metrics.auc(labels, predicted)
    metrics.logloss(labels, predicted)
    print(json.dumps({"seconds": time.perf_counter() - started}))


LIMITS = {found.__name__: found for found in (bare_passes, score_rows)}


if __name__ == "__main__":
    measure.run_one_of(LIMITS, __doc__)
