"""Step 6: train the MLP on one feature (or each of a group) of one task, and test it.

Reads   bipartite_graph/, user_all_embeddings/, matrix/
Writes  saved/<run>/: config, per-epoch history, metrics, predictions, hidden layer and weights of a run
        saved/results.csv: one line for each run, label-rate predictors included
        torch_model/<run>/: the state that an interrupted run goes on from
The last line on stdout is  AUC=0.1234 LogLoss=0.1234 protocol=clean run=<id>
"""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from collections.abc import Sequence

import numpy as np
import torch

from load_path import load_path
from mma4ctr import cli, inputs, memory
from mma4ctr.catalogue import FEATURES, MODAL_SELECT, features_of, hidden_widths
from mma4ctr.data.registry import TASKS
from mma4ctr.evaluation import metrics
from mma4ctr.models import mma4ctr as model
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import folder as runs
from mma4ctr.runs.folder import Run
from mma4ctr.schedule import Schedule
from mma4ctr.store import artifacts
from mma4ctr.training import data_parallel
from mma4ctr.training.cuda_graph import CudaGraph
from mma4ctr.training.engine import Engine, hidden_of, probabilities_of
from mma4ctr.training.trainer import Trainer

MOST = 2**31 - 1  # no option means anything beyond it


def truth(text: str) -> bool:
    """Read the True or False of ``--lr_change``."""
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return text == "True"


def at_least_1(text: str) -> int:
    """Read a whole number that must be 1 or more."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


def positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, at most {MOST}")
    return number


def seed(text: str) -> int:
    """Read a seed: a whole number of 0 or more."""
    if not text.isdecimal() or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MOST}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of this step; the defaults are the published settings."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    made.add_argument("--dataset", choices=TASKS, default="wechat", help="the task (default: wechat)")
    made.add_argument("--modal_select", choices=MODAL_SELECT, help="a group of features, trained one after another")
    made.add_argument("--feature", metavar="NAME", help=f"one feature: {', '.join(FEATURES)} (default: vat_concat)")
    made.add_argument("--epochs", type=at_least_1, default=30)
    made.add_argument("--learning_rate", type=positive, default=0.001)
    made.add_argument("--batch_size", type=at_least_1, default=8192)
    made.add_argument("--lr_change", type=truth, default=True, help="halve the rate every 5 epochs: True or False")
    made.add_argument("--no_interruption", action="store_true", help="keep epochs whose validation AUC is <= 0.5")
    made.add_argument("--patience", type=at_least_1, help="stop after so many epochs without a better validation AUC")
    made.add_argument("--loss", choices=model.LOSSES, default="batch_softmax")
    made.add_argument("--seed", type=seed, default=0, help="of the first weights and the order of batches")
    made.add_argument("--eval_every", type=at_least_1, metavar="N", help="test after every N epochs as well")
    made.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    cli.add_protocol_argument(made, PROTOCOLS)
    return made


def device_of(name: str) -> torch.device:
    """Return the device to run on; ``auto`` takes the GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise cli.UserError("--device cuda: PyTorch finds no CUDA device; give --device cpu or auto")
    on_gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return torch.device("cuda", data_parallel.device_number()) if on_gpu else torch.device("cpu")


def engine_of(device: torch.device) -> Engine:
    """Return what goes through the rows: several processes where torchrun started them, this one otherwise."""
    if data_parallel.is_launched():
        return data_parallel.DataParallel(device)
    return CudaGraph() if device.type == "cuda" else Engine()


def keep_evaluations(run: Run, test: inputs.Batches, test_rows: np.ndarray):
    """Return what to do after an epoch: test it if ``--eval_every`` asks, and keep figures and predictions."""
    folder = runs.folder_of(run.settings, run.id)

    def after_epoch(mlp: model.MLP, entry: dict[str, float]) -> None:
        if run.eval_every and entry["epoch"] % run.eval_every == 0:
            predicted = probabilities_of(mlp, test)
            figures = runs.save_predictions(folder, predicted, test_rows, run.settings.seed, f"_{entry['epoch']}")
            entry |= {f"test_{name}": value for name, value in figures.items()}

    return after_epoch


def test_model(run: Run, mlp: model.MLP, test: inputs.Batches, test_rows: np.ndarray) -> dict[str, object]:
    """Score the test rows, keep predictions, hidden layer and weights, and return the figures."""
    folder = runs.folder_of(run.settings, run.id)
    started = time.perf_counter()
    predicted = probabilities_of(mlp, test)
    tested = {"auc": metrics.auc(test_rows[:, 2], predicted), "logloss": metrics.logloss(test_rows[:, 2], predicted)}
    seconds = time.perf_counter() - started  # of what the published test does: predictions, AUC and LogLoss
    runs.save_array(folder, "hidden", hidden_of(mlp, test))
    with artifacts.replacing(folder / "weights.pt") as temporary:
        torch.save(mlp.state_dict(), temporary)
    figures = runs.save_predictions(folder, predicted, test_rows, run.settings.seed)
    return {**figures, **tested, "test_seconds": seconds}


def train_and_test(run: Run, engine: Engine) -> None:
    """Train, test and leave the run's folder; its metrics, written last, mark it as finished."""
    settings, folder = run.settings, runs.folder_of(run.settings, run.id)
    factors = inputs.load_factors(settings, run.task, run.feature, run.protocol)
    hidden_widths(factors.in_features)  # refuse a width without a row in the table before anything is written
    parts = inputs.batches_of_parts(factors, run.protocol, run.device)
    trainer = Trainer(factors.in_features, parts, run.schedule, runs.checkpoint_of(settings, run.id), engine)
    if not engine.is_first:
        trainer.run()  # the first process tests and writes
        return
    runs.save_config(folder, run.config)
    test_rows = factors.rows[factors.parts["test"]]
    runs.save_array(folder, "test_rows", test_rows)
    runs.save_array(folder, "test_places", factors.parts["test"])
    mlp = trainer.run(keep_evaluations(run, parts["test"], test_rows))
    tested = test_model(run, mlp, parts["test"], test_rows)
    progress = trainer.progress
    artifacts.write_json(folder / "history.json", progress.history)
    rates = runs.rates_config(run.task, run.feature, run.protocol, settings.seed, run.built_on)
    label_rates = runs.save_label_rates(settings, rates, factors.rows[factors.parts["training"]], test_rows)
    summary = {
        **{key: value for key, value in run.config.items() if key != "built_on"}, "run": run.id,
        "in_features": factors.in_features, "parameters": model.number_of_parameters(mlp), **tested,
        "interruptions": progress.interruptions, "epochs_run": len(progress.history),
        "best_epoch": progress.best_epoch + 1, "train_seconds": progress.train_seconds,
        "rows": {name: len(places) for name, places in factors.parts.items()},
        "label_rates": label_rates,
    }  # fmt: skip
    runs.save_metrics(folder, summary)


def report(run: Run, *, finished_before: bool) -> None:
    """Print what a finished run found; the last line is for programs."""
    found = runs.read_metrics(run.settings, run.id)
    again = " (finished before; not repeated)" if finished_before else ""
    print(f"mlp.py {run.task} {run.feature} {run.protocol}{again}")
    print("  rows: " + ", ".join(f"{number:,} {name}" for name, number in found["rows"].items()))
    print(f"  {found['in_features']} inputs, {found['parameters']:,} parameters, {found['epochs_run']} epochs in "
          f"{found['train_seconds']:.1f} s, {found['interruptions']} interruptions")  # fmt: skip
    gauc = "none" if found["gauc"] is None else f"{found['gauc']:.4f}"
    print(f"  AUC 95 % interval {found['auc_low']:.4f} to {found['auc_high']:.4f} over test users, GAUC {gauc}, "
          f"{found['test_positives']:,} test positives")  # fmt: skip
    print(f"AUC={found['auc']:.4f} LogLoss={found['logloss']:.4f} protocol={run.protocol} run={run.id}", flush=True)


@cli.step
def main(argv: Sequence[str] | None = None) -> list[str]:
    """Run step 6 and return the ids of its runs."""
    args = parser().parse_args(argv)
    settings = load_path(args.paths)
    schedule = Schedule(
        epochs=args.epochs, learning_rate=args.learning_rate, batch_size=args.batch_size, loss=args.loss,
        seed=args.seed, lr_change=args.lr_change, interruption=not args.no_interruption, patience=args.patience,
    )  # fmt: skip
    default = None if args.modal_select else "vat_concat"
    protocol, device, done = args.protocol or settings.protocol, device_of(args.device), []
    memory.keep_freed_memory()
    with contextlib.closing(engine_of(device)) as engine:
        for feature in features_of(args.feature or default, args.modal_select):
            built_on = runs.built_on(settings, args.dataset, feature, protocol)
            run = Run(settings, args.dataset, feature, protocol, schedule, args.eval_every, device, built_on)
            finished_before = engine.agreed(runs.is_finished(settings, run.id))
            if not finished_before:
                train_and_test(run, engine)
            if engine.is_first:
                runs.rebuild_results(settings)
                report(run, finished_before=finished_before)
            done.append(run.id)
    return done


if __name__ == "__main__":
    main()
