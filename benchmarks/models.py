"""An epoch of every model against what it cannot do without, and of four models against RecBole's of the same sizes.

The rows are made up. The first table has, for each model of the registry, the seconds of an epoch as it is trained and
those of its forward and backward passes and steps over the same batches, which are there before the clock starts, and
the seconds of what it computes once for all epochs. The second has an epoch of DIN, DIEN, GRU4Rec and Caser, ours and
RecBole's, on the same rows; for RecBole GRU4Rec and Caser are pairwise, so that it draws an item for each row. All are
medians, taken in turn in one process.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import measure
import numpy as np
import torch

sys.path.insert(0, str(measure.ROOT))

from mma4ctr import memory
from mma4ctr.catalogue import DEVICES
from mma4ctr.inputs import gather
from mma4ctr.inputs.content import Content
from mma4ctr.inputs.context import Context
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models import registry
from mma4ctr.models.layers import number_of_parameters
from mma4ctr.models.losses import LOSSES
from mma4ctr.protocol import CLEAN, SEEDED
from mma4ctr.schedule import Schedule
from mma4ctr.training import devices
from mma4ctr.training.batches import batches_of_parts, fixed_once
from mma4ctr.training.engine import order_of_rows, whole_loss
from mma4ctr.training.trainer import Trainer

if TYPE_CHECKING:
    from baseline import adapter

REPEATS = 5
MODALITIES = (("visual", 64), ("acoustic", 32), ("textual", 32))
USER_COLUMNS, CONTEXT, CLICKS = 66, (3, 20, 50), 0.3
LENGTH, WIDTH, HIDDEN, BATCH = 20, 32, (80, 40), 512
# Of each model that is compared, our options and RecBole's, so that both are of the same sizes.
SAME = {"contents": False, "embedding": WIDTH, "history_length": LENGTH, "hidden": HIDDEN, "activation": "relu"}
POINTWISE = {"embedding_size": WIDTH, "mlp_hidden_size": list(HIDDEN), "dropout_prob": 0.0,
             "train_batch_size": BATCH, "train_neg_sample_args": None}  # fmt: skip
PAIRWISE = {"embedding_size": WIDTH, "hidden_size": WIDTH, "loss_type": "BPR", "dropout_prob": 0.0,
            "train_batch_size": 2 * BATCH}  # fmt: skip
COMPARED: dict[str, tuple[str, dict, dict]] = {
    "din": ("DIN", {"attention": HIDDEN}, POINTWISE),
    "dien": ("DIEN", {"attention": "unit", "unit": HIDDEN}, POINTWISE),
    "gru4rec": ("GRU4Rec", {}, PAIRWISE),
    "caser": ("Caser", {"heights": tuple(range(1, LENGTH + 1)), "horizontal": 8, "vertical": 4}, PAIRWISE),
}


def inputs_of(name: str, options: Mapping[str, object], rows: int, users: int, items: int) -> Inputs:
    """Return what a model needs of made-up rows; some items are met much more often than others."""
    config, needs = registry.load(name).Config(**options), registry.load(name).needs
    rng = np.random.default_rng(0)
    moments, user = rng.permutation(rows).astype(np.int32), np.sort(rng.integers(0, users, rows))
    moments = moments[np.lexsort([moments, user])]
    item = (items * rng.random(rows) ** 2).astype(np.int64)
    drawn = np.column_stack([user, item, rng.random(rows) < CLICKS]).astype(np.int32)
    task = TaskRows(drawn, CLEAN.split(user, np.ones(rows, dtype=bool), 0, SEEDED))
    of_users, of_items = USER_COLUMNS if "content" in needs else 0, sum(columns for _, columns in MODALITIES)
    matrices = (rng.random((number, columns), dtype=np.float32) for number, columns in
                ((users, of_users), (items, of_items)))  # fmt: skip
    values = [rng.integers(0, size, (number, 1)) for number, size in zip((users, rows, rows), CONTEXT, strict=True)]
    return gather.made_of(
        task, users, items, needs, moments=moments,
        content=Content(*matrices, np.arange(items, dtype=np.int32), MODALITIES)
        if needs & {"content", "item_content"} else None,
        context=Context(values[0], np.hstack(values[1:]).astype(np.int32), CONTEXT) if "context" in needs else None,
        history_length=getattr(config, "history_length", None), slot_number=getattr(config, "slots", None),
    )  # fmt: skip


def started(name: str, options: Mapping[str, object], inputs: Inputs, device: torch.device) -> Trainer:
    """Return a trainer with a model at its beginning."""
    schedule = dataclasses.replace(Schedule(), **registry.load(name).schedule)
    model = registry.build(name, options, inputs.sizes, inputs.graph)
    return Trainer(model, batches_of_parts(inputs, "clean", device), schedule)


def epoch_of(trainer: Trainer) -> Callable[[], object]:
    """Return what trains for an epoch."""
    return lambda: trainer.engine.train_epoch(
        trainer.model, trainer.optimiser, trainer.training, trainer.schedule, 0, 0
    )


def passes_of(trainer: Trainer) -> Callable[[], object]:
    """Return what goes over the same batches, which are gathered here: forward and backward passes, and steps."""
    schedule, device = trainer.schedule, trainer.training.clicks.device
    order = order_of_rows(len(trainer.training), schedule, 0, 0).to(device)
    resident = [trainer.training.take(places) for places in order.split(schedule.batch_size)]
    loss_of = LOSSES[schedule.loss]

    def passes() -> None:
        trainer.model.train()
        for batch, clicks in resident:
            loss = whole_loss(loss_of, trainer.model, batch, clicks)
            trainer.optimiser.zero_grad()
            loss.backward()
            trainer.optimiser.step()

    return passes


def in_turn(*ways: Callable[[], object]) -> list[float]:
    """Return the median seconds of each way, taken in turn after a first time that does not count."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(REPEATS + 1):
        for seconds, way in zip(found, ways, strict=True):
            before = time.perf_counter()
            way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - before)
    return [statistics.median(seconds[1:]) for seconds in found]


def of_registry(names: list[str], device: torch.device, rows: int, users: int, items: int) -> list[dict]:
    """Measure an epoch of each model, and its bare passes."""
    found = []
    for name in names:
        trainer = started(name, {}, inputs_of(name, {}, rows, users, items), device)
        before = time.perf_counter()
        with fixed_once(trainer.model, trainer.training):
            once = time.perf_counter() - before
            epoch, bare = in_turn(epoch_of(trainer), passes_of(trainer))
        line = {"model": name, "parameters": number_of_parameters(trainer.model), "epoch": epoch, "bare": bare,
                "once": once}  # fmt: skip
        found.append(line)
        print(f"{name:18}{line['parameters']:12,}{epoch:10.3f}{bare:10.3f}{epoch / bare:8.2f}{once:10.3f}", flush=True)
    return found


def recbole_of(name: str, task: TaskRows, folder: Path, device: torch.device) -> adapter.Baseline:
    """Return RecBole's model, ready to be trained on the same training rows."""
    from baseline import adapter, interactions  # RecBole is there for the second table alone

    theirs, _, options = COMPARED[name]
    options = {
        **options, "dataset": folder.name, "data_path": str(folder.parent), "benchmark_filename":
        ["training", "validation", "test"], "load_col": {"inter": ["user_id", "item_id", "label", "item_id_list"]},
        "MAX_ITEM_LIST_LENGTH": interactions.written(folder, task, LENGTH), "alias_of_item_id": ["item_id_list"],
        "eval_args": {"mode": "labeled", "order": "TO", "group_by": "user", "split": {"RS": [0.8, 0.1, 0.1]}},
        "metrics": ["AUC"], "valid_metric": "AUC", "repeatable": True, "show_progress": False, "state": "ERROR",
        "eval_batch_size": BATCH, "learning_rate": 0.001, "checkpoint_dir": str(folder), "nh": 8, "nv": 4,
        "use_gpu": device.type == "cuda",
    }  # fmt: skip
    return adapter.prepare(theirs, options, 0, None)


def against_recbole(names: list[str], device: torch.device, rows: int, users: int, items: int) -> list[dict]:
    """Measure an epoch of each model that RecBole has, too, and RecBole's."""
    found = []
    for name in names:
        options = SAME | COMPARED[name][1]
        inputs = inputs_of(name, options, rows, users, items)
        trainer = started(name, options, inputs, device)
        with tempfile.TemporaryDirectory() as folder:
            made = recbole_of(name, inputs.task, Path(folder) / "rows", device)
            epochs = iter(range(REPEATS + 1))
            ours, theirs = in_turn(epoch_of(trainer), lambda made=made, epochs=epochs: made.train_epoch(next(epochs)))
        found.append({"model": name, "ours": ours, "recbole": theirs})
        print(f"{name:18}{ours:12.3f}{theirs:10.3f}{theirs / ours:8.2f}", flush=True)
    return found


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="about four fifths are trained on (default: 50000)")
    parser.add_argument("--users", type=int, default=500, help="default: 500")
    parser.add_argument("--items", type=int, default=5_000, help="default: 5000")
    parser.add_argument("--models", nargs="+", choices=registry.names(), default=registry.names(), help="default: all")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="default: cpu")
    parser.add_argument("--no_recbole", action="store_true", help="leave out the second table")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/models.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    memory.keep_freed_memory()
    device = devices.device_of(args.device)
    sizes = (args.rows, args.users, args.items)
    print(f"{'model':18}{'parameters':>12}{'epoch, s':>10}{'bare, s':>10}{'ratio':>8}{'once, s':>10}")
    found = {"rows": args.rows, "registry": of_registry(args.models, device, *sizes)}
    compared = [] if args.no_recbole else [name for name in args.models if name in COMPARED]
    print(f"\n{'model':18}{'ours, s':>12}{'RecBole':>10}{'ratio':>8}")
    found["recbole"] = against_recbole(compared, device, *sizes)
    if args.keep:
        measure.keep("models", found)


if __name__ == "__main__":
    main()
