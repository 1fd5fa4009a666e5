"""Step 7: run the publication's experiments, or other models; every finished run is kept and never repeated.

Reads   bipartite_graph/, multi_modal/, user_all_embeddings/, matrix/
Writes  saved/<run>/ and a line of saved/results.csv for each run (see mlp.py)
        saved/settings/<reduction>_<length>/: path.json and user embeddings of settings that path.json does not have

One run serves every number of epochs that it passes through. Killed at any moment, the same command goes on where it
was. Afterwards viewer.py writes the tables and figures.

With --models, the models of the package are trained on the same rows instead: each at some learning rates from one
seed, then, from all seeds, at the one with the highest validation AUC.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Mapping, Sequence

from mma4ctr import cli  # first: it sees to how a script ends, from here on

# isort: split

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from load_path import load_path
from mma4ctr.arguments import at_least_1, learning_rate
from mma4ctr.catalogue import USER_REDUCTIONS
from mma4ctr.data.registry import chosen_tasks
from mma4ctr.executor import Executor, connected
from mma4ctr.grid import models, plan, pool
from mma4ctr.grid.experiments import EXPERIMENTS, Variant, points
from mma4ctr.grid.results import Results
from mma4ctr.models import registry
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.training.data_parallel import is_launched


def parser() -> argparse.ArgumentParser:
    """Return the parser of this step."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    cli.add_tasks_argument(made)
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--experiment", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME",
        help="; ".join(f"{name}: table {row.table.format('x')}" for name, row in EXPERIMENTS.items()),
    )  # fmt: skip
    what.add_argument("--models", nargs="+", metavar="NAME",
                      help=f"{models.EVERY}, or some of {', '.join(registry.names())}")  # fmt: skip
    made.add_argument("--learning_rates", nargs="+", type=learning_rate, default=list(models.RATES), metavar="RATE",
                      help="what each of --models is tried at (default: "
                      f"{' '.join(f'{rate:g}' for rate in models.RATES)})")  # fmt: skip
    made.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS), help="default: both")
    made.add_argument("--reduction", nargs="+", choices=USER_REDUCTIONS, default=list(USER_REDUCTIONS),
                      help="of the user embeddings (default: both)")  # fmt: skip
    made.add_argument("--seeds", type=at_least_1, default=1, metavar="N", help="seeds 0 to N - 1 (default: 1)")
    made.add_argument("--longest", type=at_least_1, default=100, metavar="EPOCHS",
                      help="leave out what takes more epochs (default: 100, nothing left out)")  # fmt: skip
    where = made.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=at_least_1, default=1, metavar="N", help="runs at a time (default: 1)")
    cli.add_scheduler_argument(where)
    made.add_argument("--dry_run", action="store_true", help="list the runs and about how long they take, and stop")
    return made


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def list_runs(settings: Settings, jobs: Sequence[plan.Job], missing: Sequence[plan.Job], processes: int) -> None:
    """Print what would be run, and about how long that takes on this machine."""
    seconds = {job: plan.estimate(settings, job) for job in missing}
    for job in jobs:
        print(f"{job}: {'about ' + duration(seconds[job]) if job in seconds else 'finished'}")
    epochs, left = sum(job.last.epochs for job in missing), duration(sum(seconds.values()) / processes)
    print(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them finished; {len(missing)} to run, {epochs:,} epochs: "
          f"about {left} with --jobs {processes}")  # fmt: skip


def progress() -> Progress:
    """Return a progress bar over runs, by the time that they are expected to take; silent without a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"))
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True)


def run(settings: Settings, expected: Mapping[pool.Job, float], ends: Iterable[pool.End]) -> int:
    """Go through what is missing as it `ends`, print a line for each run, and return how many could not be run.

    `expected` says of everything that is missing about how long it takes.
    """
    failed, missing = 0, len(expected)
    with progress() as bar:
        whole = bar.add_task(f"0/{missing} runs", total=sum(expected.values()))
        for number, (job, result) in enumerate(ends, start=1):
            if isinstance(result, cli.UserError):
                failed += 1
                line = f"not run: {result}"
            else:
                found = runs.read_metrics(settings, result)
                remarks = "".join(f"; BEWARE: {remark}" for remark in found["remarks"])
                line = f"AUC={found['auc']:.4f} in {duration(found['train_seconds'])}, run={result}{remarks}"
            print(f"{number}/{missing} {job}: {line}", flush=True)
            bar.update(whole, advance=expected[job], description=f"{number}/{missing} runs")
    return failed


def run_missing(
    settings: Settings, expected: Mapping[pool.Job, float], jobs: int, scheduler: str | None, executor: Executor
) -> int:
    """Run what is missing here, so many at a time, or on a cluster, and return how many could not be run."""
    missing = list(expected)
    if scheduler is None:
        ends = pool.run_all(settings, missing, jobs)
    else:
        ends = pool.run_on_cluster(settings, missing, executor)
    with contextlib.closing(ends):  # whatever ends this process, ends those of the grid
        return run(settings, expected, ends)


def run_models(settings: Settings, args: argparse.Namespace) -> int:
    """Run the models that were asked for, and return how many runs could not be run."""
    names, failed = models.models_called(args.models), 0
    tasks = chosen_tasks(settings, args.dataset)
    tried = models.trials(tasks, args.protocol, names, args.learning_rates)
    stages = (lambda: tried, lambda: models.chosen(settings, tried, args.seeds))
    with connected(args.scheduler) as executor:
        for title, stage in zip(("learning rates", "other seeds"), stages, strict=True):
            trials = stage()
            missing = [trial for trial in trials if not trial.is_finished(settings)]
            print(f"adjust_hyperparameter.py, {title}: {len(trials)} runs, {len(trials) - len(missing)} of them "
                  "finished before", flush=True)  # fmt: skip
            if args.dry_run:
                print(*(f"{trial}{'' if trial in missing else ': finished'}" for trial in trials), sep="\n")
                continue
            failed += run_missing(settings, dict.fromkeys(missing, 1.0), args.jobs, args.scheduler, executor)
    return failed


def run_experiments(settings: Settings, args: argparse.Namespace) -> int:
    """Run the experiments that were asked for, and return how many runs could not be run."""
    variants = [Variant(protocol, reduction) for protocol in args.protocol for reduction in args.reduction]
    jobs = plan.jobs_of(
        points(settings, chosen_tasks(settings, args.dataset), variants, args.experiment, args.seeds, args.longest)
    )
    if not jobs:
        raise cli.UserError(f"--longest {args.longest}: leaves nothing of {', '.join(args.experiment)} to run; give it "
                            "more epochs")  # fmt: skip
    if args.dry_run:
        list_runs(settings, jobs, plan.unfinished(Results(settings), jobs), args.jobs)
        return 0
    with connected(args.scheduler) as executor:
        plan.prepare(settings, jobs)
        missing = plan.unfinished(Results(settings), jobs)
        print(f"adjust_hyperparameter.py: {len(jobs)} runs, {len(jobs) - len(missing)} of them finished before",
              flush=True)  # fmt: skip
        expected = {job: plan.estimate(settings, job) for job in missing}
        return run_missing(settings, expected, args.jobs, args.scheduler, executor)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 7."""
    args = parser().parse_args(argv)
    settings = load_path(args.paths)
    if is_launched():
        raise cli.UserError("torchrun starts processes that train one model, which mlp.py does; start the grid without "
                            "it, with --jobs or --scheduler")  # fmt: skip
    failed = (run_models if args.models else run_experiments)(settings, args)
    if args.dry_run:
        return
    results = runs.rebuild_results(settings)
    print(f"{failed} could not be run; one line for each run in {results}")
    if failed:
        raise cli.UserError(f"{failed} runs could not be run, for the reasons above; mend them and give the same "
                            "command again")  # fmt: skip


if __name__ == "__main__":
    main()
