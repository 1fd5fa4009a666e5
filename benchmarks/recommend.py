"""Top 10 of all items for some users, against bare forward passes over as many pairs that are there already.

The rows are made up, the models as they start. For each model: pairs a second as `use.scoring.top_items` ranks them,
the ratio of its time to that of `forward` alone, over resident batches of the same size (below 1 where what belongs to
users or items alone is computed once, not for every pair), and how long 17,000 users of 96,000 items would take.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch

import models
from mma4ctr import memory
from mma4ctr.catalogue import DEVICES
from mma4ctr.models import registry
from mma4ctr.models.contract import Model
from mma4ctr.models.layers import initialise
from mma4ctr.training import devices
from mma4ctr.use.scoring import ROWS, held_tables, top_items
from mma4ctr.use.shown import Shown

FULL = 17_000 * 96_000  # pairs of WeChat at its full size
RESIDENT = 4  # batches that the bare passes go over again and again
TOP = 10


def ranking_of(model: Model, shown: Shown, users: int) -> Callable[[], object]:
    """Return what ranks all items for the first users."""
    items = np.arange(shown.inputs.items)
    return lambda: list(top_items(model, shown, np.arange(users), items, TOP))


def passes_of(model: Model, shown: Shown, users: int) -> Callable[[], object]:
    """Return what passes as many pairs forward, in batches that are gathered here."""
    rng, pairs = np.random.default_rng(0), users * shown.inputs.items
    drawn = [[torch.from_numpy(rng.integers(0, number, ROWS)).to(shown.device)
              for number in (shown.inputs.users, shown.inputs.items)] for _ in range(RESIDENT)]  # fmt: skip
    resident = [shown.pairs(*pair) for pair in drawn]

    @torch.inference_mode()
    def passes() -> None:
        with held_tables(model, shown):
            for number in range(max(1, pairs // ROWS)):
                model(resident[number % RESIDENT])

    return passes


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=registry.names(), choices=registry.names())
    parser.add_argument("--rows", type=int, default=200_000, help="training, validation and test rows together")
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=96_000)
    parser.add_argument("--ranked", type=int, default=20, help="users whose items are ranked")
    parser.add_argument("--device", default="cpu", choices=DEVICES)
    args = parser.parse_args()
    memory.keep_freed_memory()
    device = devices.device_of(args.device)
    print(f"{'model':16}{'pairs/s':>14}{'to forward':>12}{'minutes':>10}")
    for name in args.models:
        inputs = models.inputs_of(name, {}, args.rows, args.users, args.items)
        model = registry.build(name, {}, inputs.sizes, inputs.graph)
        initialise(model.to(device), 0, 0, None)
        shown = Shown(inputs, "clean", device)
        ranked, bare = models.in_turn(ranking_of(model, shown, args.ranked), passes_of(model, shown, args.ranked))
        pairs = args.ranked * args.items
        passed = max(1, pairs // ROWS) * ROWS
        rate = pairs / ranked
        print(f"{name:16}{rate:14,.0f}{(ranked / pairs) / (bare / passed):12.2f}{FULL / rate / 60:10.1f}", flush=True)


if __name__ == "__main__":
    main()
