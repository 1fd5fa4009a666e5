"""An epoch of vat_concat by each engine on this machine: when do several processes pay, and what does a GPU take?

The rows are made up (their number and the 194 columns are what counts). On a CPU: one process with one thread, one
process with a thread for each core, and one process for each core; at several batch sizes, with the seconds that the
sums over all processes take by themselves. On a GPU: step by step, and from a captured graph. Each figure is the median
of some epochs after a first one that does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import torch
import torch.distributed
import torch.multiprocessing

sys.path.insert(0, str(measure.ROOT))

from mma4ctr import memory
from mma4ctr.inputs.content import Content
from mma4ctr.inputs.gather import Inputs
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models.mma4ctr import Config, MMa4CTR
from mma4ctr.protocol import PARTS
from mma4ctr.schedule import Schedule
from mma4ctr.training import data_parallel
from mma4ctr.training.batches import Batches
from mma4ctr.training.cuda_graph import CudaGraph
from mma4ctr.training.data_parallel import DataParallel
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer

USERS, ITEMS, USER_COLUMNS, ITEM_COLUMNS = 20_000, 100_000, 66, 128  # about WeChat's, full size
BATCHES = (1_024, 8_192, 65_536)


def parts_of(rows: int, device: torch.device) -> dict[str, Batches]:
    """Return `rows` training rows of noise, and a few of the other parts."""
    rng = np.random.default_rng(0)
    users = rng.random((USERS, USER_COLUMNS), dtype=np.float32)
    items = rng.random((ITEMS, ITEM_COLUMNS), dtype=np.float32)
    number = rows + 20_000
    drawn = [rng.integers(0, USERS, number), rng.integers(0, ITEMS, number), rng.random(number) < 0.05]
    places = dict(zip(PARTS, np.split(np.arange(number), [rows, rows + 10_000]), strict=True))
    task = TaskRows(np.column_stack(drawn).astype(np.int32), places)
    content = Content(users, items, np.arange(ITEMS, dtype=np.int32))
    given = Inputs(task, USERS, ITEMS, MMa4CTR.needs, content)
    return {name: Batches(given, name, device) for name in places}


def epoch_seconds(engine: Engine, parts: dict[str, Batches], batch_size: int, epochs: int) -> float:
    """Return the median seconds of an epoch of training, validation left out."""
    schedule = Schedule(epochs=epochs + 1, batch_size=batch_size)
    trainer = Trainer(MMa4CTR(Config(), parts["training"].inputs.sizes), parts, schedule, None, engine)
    seconds = []
    for epoch in range(epochs + 1):
        started = time.perf_counter()
        engine.train_epoch(trainer.model, trainer.optimiser, parts["training"], schedule, epoch, 0)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def sums_seconds(batches: int, parameters: int) -> float:
    """Return the seconds that the sums over all processes of an epoch take by themselves."""
    few, many = torch.zeros(3), torch.zeros(parameters)
    started = time.perf_counter()
    for _ in range(batches):
        data_parallel.summed(few)
        data_parallel.summed(many)
    return time.perf_counter() - started


def work(rank: int, processes: int, threads: int, port: int, rows: int, epochs: int, file: str) -> None:
    """Be one of the processes, and let the first one write what was measured."""
    torch.set_num_threads(threads)
    memory.keep_freed_memory()
    parts, found = parts_of(rows, torch.device("cpu")), []
    if processes > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank),
                       "WORLD_SIZE": str(processes)}  # fmt: skip
    engine = DataParallel(torch.device("cpu")) if processes > 1 else Engine()
    for batch_size in BATCHES:
        seconds = epoch_seconds(engine, parts, batch_size, epochs)
        sums = sums_seconds(-(-rows // batch_size), 29_000) if processes > 1 else 0.0
        found.append({"batch_size": batch_size, "seconds": seconds, "sums": sums})
    engine.close()
    if rank == 0:
        Path(file).write_text(json.dumps(found))


def on_cpu(processes: int, threads: int, rows: int, epochs: int) -> list[dict]:
    """Measure some processes with some threads each."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        file = str(Path(folder) / "found.json")
        torch.multiprocessing.spawn(work, (processes, threads, port, rows, epochs, file), nprocs=processes)
        found = json.loads(Path(file).read_text())
    name = f"{processes} process{'es' if processes > 1 else ''}, {threads} thread{'s' if threads > 1 else ''} each"
    return [{"engine": name, **row} for row in found]


def on_gpu(rows: int, epochs: int) -> list[dict]:
    """Measure one GPU, step by step and from a captured graph."""
    parts = parts_of(rows, torch.device("cuda"))
    return [
        {"engine": f"{torch.cuda.get_device_name()}, {name}", "batch_size": size, "sums": 0.0,
         "seconds": epoch_seconds(engine, parts, size, epochs)}
        for name, engine in (("step by step", Engine()), ("captured graph", CudaGraph())) for size in BATCHES
    ]  # fmt: skip


def main() -> None:
    """Measure, print a table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="training rows (default: 500000)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that count (default: 3)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, help="folder of the JSON file (default: benchmarks/results)")
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    if args.device == "cuda":
        found = on_gpu(args.rows, args.epochs)
    else:
        ways = dict.fromkeys([(1, 1), (1, cores), (cores, 1)])
        found = [row for way in ways for row in on_cpu(*way, args.rows, args.epochs)]
    print(f"{'an epoch of ' + format(args.rows, ',') + ' rows':40}{'batch':>8}{'seconds':>9}{'of them sums':>14}")
    for row in found:
        print(f"{row['engine']:40}{row['batch_size']:8}{row['seconds']:9.2f}{row['sums']:14.2f}")
    out = args.out or measure.ROOT / "benchmarks" / "results"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"engines_{args.device}.json").write_text(json.dumps({"rows": args.rows, "found": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
