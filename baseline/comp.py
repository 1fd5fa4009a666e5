"""Train and test the publication's baselines, each run once.

Reads   bipartite_graph/ of step 1, and for the clean setting matrix/ of step 4
Writes  saved/<run>/ and a line of saved/results.csv for each run; saved/baselines/: the files that RecBole reads

clean      the comparison: the rows, labels and split of MMa4CTR under the clean protocol, fused features
published  the published setting as far as its files tell: every watched video, without a label, against sampled
           unwatched ones, on a random split; its figures, <model>@watched, are NOT comparable with MMa4CTR's
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mma4ctr import cli  # first: it sees to how a script ends, from here on

# isort: split

import numpy as np
from tqdm import tqdm

from baseline import adapter, evaluation, interactions
from baseline.models import MODELS, Kind, all_models, options_of
from load_path import load_path
from mma4ctr.arguments import at_least_1
from mma4ctr.data.registry import chosen_tasks
from mma4ctr.evaluation import remarks
from mma4ctr.features import fusion
from mma4ctr.inputs.causes import require_both_classes
from mma4ctr.inputs.rows import TaskRows, load_fused
from mma4ctr.runs import described, rates
from mma4ctr.runs import folder as runs
from mma4ctr.runs.run import COMP, Run
from mma4ctr.runs.tested import WATCHED
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import disk, records

SETTINGS = ("clean", "published")


def parser(models: Iterable[str]) -> argparse.ArgumentParser:
    """Return the parser of this script, which takes these models."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    cli.add_tasks_argument(made)
    made.add_argument("--models", nargs="+", choices=models, default=list(MODELS), help="default: the published eight")
    made.add_argument("--epochs", nargs="+", type=at_least_1, default=[10, 20, 30, 50], metavar="N",
                      help="test after so many epochs; one run serves all of them (default: 10 20 30 50)")  # fmt: skip
    made.add_argument("--seeds", type=at_least_1, default=1, metavar="N", help="seeds 0 to N - 1 (default: 1)")
    made.add_argument("--setting", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="default: both")
    made.add_argument("--negatives", choices=adapter.NEGATIVES, default="sampled",
                      help="of the pairwise models in the clean setting (default: sampled)")  # fmt: skip
    made.add_argument(
        "--config", nargs="+", default=[], metavar="FILE", help="further YAML files, laid over the others"
    )
    return made


def run_of(
    settings: Settings, task: str, model: str, kind: Kind, setting: str, args: argparse.Namespace, seed: int
) -> Run:
    """Return one run of a baseline before it is run, with everything that decides its result.

    Raises
    ------
    UserError
        If an earlier step has not run, or ran with other settings or inputs.
    """
    dataset, negatives = settings.dataset_of(task), args.negatives if setting == "clean" else "sampled"
    steps = ("preprocess_inter.py", "cross_matrix.py") if setting == "clean" else ("preprocess_inter.py",)
    records_of_steps = [records.require(settings, step, dataset) for step in steps]
    options = options_of(model, dataset, args.config)
    schedule = Schedule(
        epochs=max(args.epochs), learning_rate=options["learning_rate"], batch_size=options["train_batch_size"],
        seed=seed,
    )  # fmt: skip
    return Run(
        settings, task, model + (WATCHED if setting == "published" else ""), setting, schedule,
        {record.name: record.id for record in records_of_steps}, model, options, None, COMP, reads_users=False,
        further={
            "tested": sorted(set(args.epochs)), "negatives": negatives if kind.negatives else None,
            **({} if kind == MODELS.get(model) else {"kind": dataclasses.asdict(kind)}),
        },
    )  # fmt: skip


def common_options(run: Run, kind: Kind, data_path: Path, dataset: str) -> dict[str, object]:
    """Return the options of RecBole that both settings share."""
    return {
        **run.options, "dataset": dataset, "data_path": str(data_path), "metrics": ["AUC", "LogLoss"],
        "valid_metric": "AUC", "metric_decimal_place": 8, "repeatable": kind.sequential,
        "show_progress": False, "state": "ERROR",
        "checkpoint_dir": str(runs.folder_of(run.settings, run.id)),  # it makes the folder, and saves nothing there
    }  # fmt: skip


def prepare_clean(run: Run, kind: Kind, task: TaskRows) -> adapter.Baseline:
    """Write the interaction files if they are not there, and return the model ready to be trained."""
    cap = int(run.options["MAX_ITEM_LIST_LENGTH"])
    key = records.identity([run.built_on, run.task, run.settings.seed, cap])
    folder = run.settings.saved_path / "baselines" / f"{run.task}_{key}"
    longest = interactions.written(folder, task, cap)
    training = task.part("training")
    columns = ["user_id", "item_id", "label", *(["item_id_list"] if kind.sequential else [])]
    options = {
        **common_options(run, kind, folder.parent, folder.name),
        "benchmark_filename": [kind.training, "validation", "test"], "load_col": {"inter": columns},
        "MAX_ITEM_LIST_LENGTH": longest,
        "alias_of_item_id": ["item_id_list"] if kind.sequential else None,
        "eval_args": {"mode": "labeled", "order": "TO" if kind.sequential else "RO", "group_by": "user",
                      "split": {"RS": [0.8, 0.1, 0.1]}},
        **({} if kind.negatives else {"train_neg_sample_args": None}),
    }  # fmt: skip
    shown = training[training[:, 2] == 0, :2] if run.further["negatives"] == "observed" else None
    made = adapter.prepare(kind.implementation or run.model, options, run.schedule.seed, shown)
    for part in ("validation", "test"):
        expected = task.part(part)
        if not (
            np.array_equal(made.tokens(part), expected[:, :2]) and np.array_equal(made.labels(part), expected[:, 2])
        ):
            raise cli.UserError(f"{folder}: RecBole read other {part} rows than were written; remove the folder")
    return made


def prepare_published(run: Run, kind: Kind) -> adapter.Baseline:
    """Write the interaction file if it is not there, and return the model ready to tell watched from unwatched."""
    dataset = run.settings.dataset_of(run.task)
    key = records.identity([run.built_on, dataset])
    folder = run.settings.saved_path / "baselines" / f"{dataset}_watched_{key}"
    interactions.watched_written(folder, run.settings, dataset)
    mode = {"mode": "uni1", "order": "TO" if kind.sequential else "RO", "group_by": "user",
            "split": {"RS": [0.8, 0.1, 0.1]}}  # fmt: skip
    with_negatives = kind.negatives or kind.training == "training"
    options = {
        **common_options(run, kind, folder.parent, folder.name),
        "benchmark_filename": None, "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "eval_args": mode,
        **({} if with_negatives else {"train_neg_sample_args": None}),
    }  # fmt: skip
    return adapter.prepare(kind.implementation or run.model, options, run.schedule.seed, None)


def epochs_of(run: Run, made: adapter.Baseline, test: Callable[[str], dict[str, float]]) -> list[dict[str, float]]:
    """Train to the last epoch and return the history; entries of wanted epochs have the figures of the test rows."""
    history, last = [], run.schedule.epochs
    with tqdm(total=last, desc=run.feature, unit="epoch", disable=None, leave=False) as bar:
        for epoch in range(1, last + 1):
            started = time.perf_counter()
            entry = {"epoch": epoch, "train_loss": made.train_epoch(epoch - 1)}
            entry["seconds"] = time.perf_counter() - started
            if epoch in run.further["tested"]:
                figures = test(f"_{epoch}")
                entry |= {"valid_auc": figures.pop("valid_auc")} if "valid_auc" in figures else {}
                entry |= {f"test_{name}": value for name, value in figures.items()}
                bar.set_postfix(auc=f"{entry['test_auc']:.4f}")
            history.append(entry)
            bar.update()
    return history


def train_and_test(run: Run, kind: Kind, laid_over: Sequence[str], mma4ctr: dict[str, float] | None) -> None:
    """Train, test after the wanted epochs, and leave the run's folder; metrics, written last, mark it as finished.

    `laid_over` are the further files of options; what they say is part of the run's options.
    """
    folder, seed = runs.folder_of(run.settings, run.id), run.settings.seed
    summary = {
        "run": run.id, "task": run.task, "feature": run.feature, "protocol": run.protocol, "baseline": run.model,
        "epochs": run.schedule.epochs, "batch_size": run.schedule.batch_size,
        "learning_rate": run.schedule.learning_rate, "seed": run.schedule.seed,
        "negatives": run.further["negatives"], "laid_over": laid_over, "mma4ctr": mma4ctr,
    }  # fmt: skip
    if run.protocol == "clean":
        with run.reading():
            task = load_fused(run.settings, run.task, "clean")
            require_both_classes(task, run.settings, run.task, "clean", "every modality")
        made = prepare_clean(run, kind, task)
        summary["label_rates"] = rates.evaluate(run, task, fusion.FUSED)
        test = functools.partial(evaluation.same_rows, made, task, folder, seed)
    else:
        with run.reading():
            made = prepare_published(run, kind)
        test = functools.partial(evaluation.watched_rows, made, folder, seed)
    described.write_readme(folder, f"{run.model} of RecBole on {run.task}, {run.protocol} setting.")
    runs.save_config(folder, run.config)
    history = epochs_of(run, made, test)
    disk.write_json(folder / "history.json", history)
    figures = {name.removeprefix("test_"): value for name, value in history[-1].items() if name.startswith("test_")}
    runs.save_metrics(folder, {
        **summary, "parameters": made.parameters, **figures, "epochs_run": len(history),
        "min_interactions": run.settings.min_interactions[run.settings.dataset_of(run.task)],
        "train_seconds": sum(entry["seconds"] for entry in history),
        "remarks": [
            *remarks.of_rows(run.settings, run.task),
            *remarks.of_predictions(np.load(folder / f"predictions_{len(history)}.npy", allow_pickle=False)),
        ],
    })  # fmt: skip


def timed_mma4ctr(settings: Settings, task: str) -> dict[str, float] | None:
    """Return the seconds of MMa4CTR on a task; None, with a line that says so, where it cannot be trained yet."""
    try:
        return evaluation.mma4ctr_seconds(settings, task)
    except cli.UserError as error:
        print(f"MMa4CTR is not timed beside the baselines of {task}: {error}", flush=True)
        return None


def refuse_idle_negatives(args: argparse.Namespace, kinds: Mapping[str, Kind]) -> None:
    """Raise `UserError` where observed negatives are asked for and no run would draw any."""
    draws = "clean" in args.setting and any(kinds[name].negatives for name in args.models)
    if args.negatives != "sampled" and not draws:
        raise cli.UserError(f"--negatives {args.negatives}: only pairwise models in the clean setting draw them, and "
                            "none is among these; leave the option out")  # fmt: skip


def runs_of(settings: Settings, args: argparse.Namespace, kinds: Mapping[str, Kind]) -> list[Run]:
    """Return the runs that the options ask for; the published setting, without labels, once for each data set."""
    first_of_dataset = {settings.dataset_of(task): task for task in reversed(args.dataset)}
    tasks = {"clean": args.dataset, "published": list(reversed(first_of_dataset.values()))}
    return [
        run_of(settings, task, model, kinds[model], setting, args, seed)
        for setting in args.setting for task in tasks[setting]
        for model in args.models for seed in range(args.seeds)
    ]  # fmt: skip


@cli.step
def main(argv: Sequence[str] | None = None) -> list[str]:
    """Run the baselines and return the ids of their runs."""
    kinds = all_models()
    args = parser(kinds).parse_args(argv)
    refuse_idle_negatives(args, kinds)
    settings = load_path(args.paths)
    args.dataset = chosen_tasks(settings, args.dataset)
    wanted = runs_of(settings, args, kinds)
    for warning in dict.fromkeys(itertools.chain.from_iterable(run.warnings for run in wanted)):
        warnings.warn(warning, stacklevel=1)
    mma4ctr = functools.cache(lambda task: timed_mma4ctr(settings, task))  # once, and only for a task with runs to do
    for number, run in enumerate(wanted, start=1):
        with runs.writing(settings, run.id):
            finished_before = runs.is_finished(settings, run.id)
            if not finished_before:
                train_and_test(run, kinds[run.model], args.config, mma4ctr(run.task))
        if not finished_before:
            runs.rebuild_results(settings)
        found = runs.read_metrics(settings, run.id)
        again = " (finished before)" if finished_before else f" in {found['train_seconds']:.1f} s"
        what = f"{run.task}, {run.feature}, {run.protocol}, seed={run.schedule.seed}, {found['epochs']} epochs"
        print(f"{number}/{len(wanted)} {what}: AUC={found['auc']:.4f} LogLoss={found['logloss']:.4f}{again}, "
              f"run={run.id}{''.join(f'; BEWARE: {remark}' for remark in found['remarks'])}", flush=True)  # fmt: skip
    return [run.id for run in wanted]


if __name__ == "__main__":
    main()
