"""Go through the grid: list what is asked for, or run what of it is missing and say what comes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mma4ctr.cli import UserError
from mma4ctr.executor import DaskExecutor, Executor, connected
from mma4ctr.grid import plan, pool
from mma4ctr.grid.experiments import Variant, points
from mma4ctr.grid.models import Trial, ablated, chosen, models_called, trials, tried_also
from mma4ctr.grid.results import Results
from mma4ctr.runs import folder
from mma4ctr.settings import Settings

NAME = "adjust_hyperparameter.py"
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the grid is asked for: the options of adjust_hyperparameter.py, by their names."""

    tasks: tuple[str, ...]
    protocols: tuple[str, ...]
    reductions: tuple[str, ...]
    experiments: tuple[str, ...]
    models: tuple[str, ...]
    learning_rates: tuple[float, ...]
    also: tuple[tuple[str, float], ...]
    ablations: bool
    seeds: int
    longest: int
    jobs: int
    scheduler: str | None

    def jobs_of(self, settings: Settings, experiments: Sequence[str]) -> list[plan.Job]:
        """Return the runs of some experiments; one run may serve several of them."""
        variants = [Variant(protocol, reduction) for protocol in self.protocols for reduction in self.reductions]
        return plan.jobs_of(points(settings, self.tasks, variants, experiments, self.seeds, self.longest))

    def all_jobs(self, settings: Settings) -> list[plan.Job]:
        """Return the runs of all experiments that are asked for; raise `UserError` if there are none."""
        jobs = self.jobs_of(settings, self.experiments)
        if not jobs:
            raise UserError(f"--longest {self.longest}: leaves nothing of {', '.join(self.experiments)} to run; give "
                            "it more epochs")  # fmt: skip
        return jobs

    def stages(self, settings: Settings) -> dict[str, Callable[[], list[Trial]]]:
        """Return what is run one after another, by its title: each stage depends on what ran in those before it."""
        rates = trials(self.tasks, self.protocols, models_called(self.models), self.learning_rates)

        @functools.cache  # the best of the rates is the same for every stage after them
        def also() -> list[Trial]:
            return tried_also(settings, rates, self.also) if self.also else []

        return {
            "learning rates": lambda: rates,
            **({"at the best rates": also} if self.also else {}),
            "other seeds": lambda: chosen(settings, rates + also(), self.seeds),
            **({"ablations": lambda: ablated(settings, rates + also(), self.seeds)} if self.ablations else {}),
        }


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def time_of(seconds: Iterable[float | None], processes: int = 1) -> str:
    """Return about how long runs take that take so long, None for one of which it is not known."""
    found = list(seconds)
    if None in found:
        return f"{UNKNOWN} (step 1 has not run)"
    return f"about {duration(sum(one for one in found if one is not None) / processes)}"


def list_experiments(settings: Settings, asked: Asked) -> None:
    """Print the runs of the experiments, then how many each has and what is left of them, and about how long it takes.

    Nothing is built or written.
    """
    jobs = asked.all_jobs(settings)
    missing = plan.unfinished(Results(settings), jobs)
    seconds = {job: plan.estimate(settings, job) for job in missing}
    for job in jobs:
        print(f"{job}: {time_of([seconds[job]]) if job in seconds else 'finished'}")
    left = {job.place for job in missing}
    for name in asked.experiments:
        places = {job.place for job in asked.jobs_of(settings, [name])}
        print(f"{name}: {len(places)} runs, {len(places - left)} finished, {len(places & left)} to do")
    epochs = sum(job.last.epochs for job in missing)
    print(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them finished; {len(missing)} to run, {epochs:,} epochs: "
          f"{time_of(seconds.values(), asked.jobs)} with --jobs {asked.jobs}")  # fmt: skip


def list_models(settings: Settings, asked: Asked) -> None:
    """Print the runs of the models, then how many each has and what is left of them; nothing is written."""
    stages = asked.stages(settings)
    listed = [trial for stage in stages.values() for trial in stage()]
    finished = {trial for trial in listed if trial.is_finished(settings)}
    for trial in listed:
        print(f"{trial}{': finished' if trial in finished else ''}")
    for name in dict.fromkeys(trial.model for trial in listed):
        own = {trial for trial in listed if trial.model == name}
        print(f"{name}: {len(own)} runs, {len(own & finished)} finished, {len(own - finished)} to do")
    print(f"{len(listed)} runs, {len(finished)} of them finished; {len(listed) - len(finished)} to run, then what "
          f"depends on them: {', '.join(list(stages)[1:])}; time {UNKNOWN}")  # fmt: skip


def progress() -> Progress:
    """Return a progress bar over runs, by the time that they are expected to take; silent without a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"))
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True)


def go_through(settings: Settings, expected: Mapping[pool.Job, float], ends: Iterable[pool.End]) -> int:
    """Go through what is missing as it `ends`, print a line for each run, and return how many could not be run.

    `expected` says of everything that is missing about how long it takes.
    """
    failed, missing = 0, len(expected)
    with progress() as bar:
        whole = bar.add_task(f"0/{missing} runs", total=sum(expected.values()))
        for number, (job, result) in enumerate(ends, start=1):
            if isinstance(result, UserError):
                failed += 1
                line = f"not run: {result}"
            else:
                found = folder.read_metrics(settings, result)
                remarks = "".join(f"; BEWARE: {remark}" for remark in found["remarks"])
                line = f"AUC={found['auc']:.4f} in {duration(found['train_seconds'])}, run={result}{remarks}"
            print(f"{number}/{missing} {job}: {line}", flush=True)
            bar.update(whole, advance=expected[job], description=f"{number}/{missing} runs")
    return failed


def run_missing(settings: Settings, expected: Mapping[pool.Job, float], asked: Asked, executor: Executor) -> int:
    """Run what is missing here, so many at a time, or on a cluster, and return how many could not be run."""
    missing = list(expected)
    if isinstance(executor, DaskExecutor):
        ends = pool.run_on_cluster(settings, missing, executor)
    else:
        ends = pool.run_all(settings, missing, asked.jobs)
    with contextlib.closing(ends):  # whatever ends this process, ends those of the grid
        return go_through(settings, expected, ends)


def run_models(settings: Settings, asked: Asked) -> tuple[int, int]:
    """Run the models that were asked for, and return how many runs were done and how many could not be."""
    done = failed = 0
    with connected(asked.scheduler) as executor:
        for title, stage in asked.stages(settings).items():
            asked_now = stage()
            missing = [trial for trial in asked_now if not trial.is_finished(settings)]
            print(f"{NAME}, {title}: {len(asked_now)} runs, {len(asked_now) - len(missing)} of them finished before",
                  flush=True)  # fmt: skip
            not_run = run_missing(settings, dict.fromkeys(missing, 1.0), asked, executor)
            done, failed = done + len(missing) - not_run, failed + not_run
    return done, failed


def run_experiments(settings: Settings, asked: Asked) -> tuple[int, int]:
    """Run the experiments that were asked for, and return how many runs were done and how many could not be.

    Raises
    ------
    UserError
        If the most epochs that were asked for leave nothing.
    """
    jobs = asked.all_jobs(settings)
    with connected(asked.scheduler) as executor:
        plan.prepare(settings, jobs)
        missing = plan.unfinished(Results(settings), jobs)
        print(f"{NAME}: {len(jobs)} runs, {len(jobs) - len(missing)} of them finished before", flush=True)
        expected: dict[pool.Job, float] = {job: plan.estimate(settings, job) or 1.0 for job in missing}
        failed = run_missing(settings, expected, asked, executor)
    return len(missing) - failed, failed
