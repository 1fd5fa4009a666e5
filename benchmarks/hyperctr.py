"""HyperCTR on made-up clicks as many as a share of WeChat's log: an epoch's time and the highest memory.

python benchmarks/hyperctr.py [--scale hundredth tenth full] [--steps STEPS] [--set NAME=VALUE ...]

An epoch is made of as many steps as there are batches and of a few refreshes of the shared tables; a few of each are
timed. Both grow with the clicks, so that ten times as many take ten times as long.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import measure
import numpy as np
import torch

sys.path.insert(0, str(measure.ROOT))

from mma4ctr import memory
from mma4ctr.inputs import gather
from mma4ctr.inputs.content import Content
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models import registry
from mma4ctr.models.layers import initialise
from mma4ctr.protocol import PARTS
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import Batches
from mma4ctr.training.engine import Engine, order_of_rows, whole_loss
from mma4ctr.training.tables import Runs

SHARES = {"hundredth": 0.01, "tenth": 0.1, "full": 1.0}
ROWS, USERS, ITEMS = 7_300_000, 20_000, 106_000  # of WeChat's log
CLICKED = 0.5  # of the rows: more than there are
MODALITIES = (("visual", 64), ("acoustic", 64), ("textual", 64))


def made(share: float, options: dict[str, object], name: str) -> gather.Inputs:
    """Return inputs of rows whose items are popular in unequal measure; 80 % of them are training rows."""
    rng = np.random.default_rng(0)
    rows, users, items = (int(share * number) for number in (ROWS, USERS, ITEMS))
    popular = rng.permutation(items)[(items * rng.random(rows) ** 3).astype(np.int64)]
    columns = (np.sort(rng.integers(0, users, rows)), popular, rng.random(rows) < CLICKED)
    task = TaskRows(np.column_stack(columns).astype(np.int32), {})
    ends = np.split(np.sort(rng.permutation(rows)[: rows // 5]), [rows // 10])
    task.parts.update(dict(zip(PARTS, (np.setdiff1d(np.arange(rows), np.concatenate(ends)), *ends), strict=True)))
    matrix = rng.random((items, sum(width for _, width in MODALITIES)), dtype=np.float32)
    content = Content(np.zeros((users, 0), dtype=np.float32), matrix, np.arange(items, dtype=np.int32), MODALITIES)
    model = registry.load(name)
    config = model.Config(**options)
    return gather.made_of(task, users, items, model.needs, content=content,
                          moments=rng.permutation(rows).astype(np.int32),
                          history_length=getattr(config, "history_length", None), slot_number=config.slots)  # fmt: skip


def timed(name: str, scale: str, steps: int, words: list[str]) -> dict[str, float]:
    """Return what a model of some options takes at a scale, but for its memory."""
    memory.keep_freed_memory()
    options = registry.options_of(registry.config_of(name, words))
    inputs = made(SHARES[scale], options, name)
    training = Batches(inputs, "training", torch.device("cpu"))
    training.scale(*training.content.column_range())
    model, schedule = registry.build(name, options, inputs.sizes, inputs.graph), Schedule(loss="bce", batch_size=512)
    initialise(model, 0, 0, None)
    started = time.perf_counter()
    model.prepare(training, 0)
    prepared = time.perf_counter() - started
    optimiser, seconds = Engine().optimiser(model, schedule), {"begin": [], "step": [], "end": []}

    def clocked(what: str) -> None:
        nonlocal started
        seconds[what].append(time.perf_counter() - started)
        started = time.perf_counter()

    batches = -(-len(training) // schedule.batch_size)
    order, model.refreshes = order_of_rows(len(training), schedule, 0, 0)[: steps * schedule.batch_size], 2
    with Runs(model, min(steps, batches)) as runs:
        started = time.perf_counter()
        for batch, clicks in training.batches(schedule.batch_size, order):
            is_first, is_last = runs.done % runs.length == 0, (runs.done + 1) % runs.length == 0
            runs.begin(batch)
            clocked("begin") if is_first else None
            loss = whole_loss(torch.nn.functional.binary_cross_entropy_with_logits, model, batch, clicks)
            optimiser.zero_grad()
            loss.backward()
            clocked("step")
            runs.end()
            clocked("end") if is_last else None
            optimiser.step()
    step, refresh = float(np.median(seconds["step"])), min(seconds["begin"]) + min(seconds["end"])
    refreshes = registry.config_of(name, words).refreshes
    return {
        "clicks": len(inputs.graph.users), "batches": batches, "prepare_seconds": prepared, "step_seconds": step,
        "refresh_seconds": refresh, "epoch_seconds": batches * step + min(batches, refreshes) * refresh,
    }  # fmt: skip


def main() -> None:
    """Print a line for each scale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", nargs="+", choices=SHARES, default=["hundredth", "tenth"])
    parser.add_argument("--steps", type=int, default=40, help="batches that are timed")
    parser.add_argument("--model", choices=("hyperctr", "mmgcn"), default="hyperctr")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--here", action="store_true", help="in this process, without its memory")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(timed(args.model, args.scale[0], args.steps, args.set)))
        return
    for scale in args.scale:
        words = ("--scale", scale, "--steps", str(args.steps), "--model", args.model, "--set", *args.set)
        _, megabytes, output = measure.run(__file__, "--here", *words)
        found = {**json.loads(output.splitlines()[-1]), "megabytes": megabytes}
        print(scale, *(f"{key} {value:,.3g}" if value < 100 else f"{key} {value:,.0f}" for key, value in found.items()),
              sep="  ", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
