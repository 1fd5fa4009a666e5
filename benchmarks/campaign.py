"""Damage what the pipeline reads, kill it at work, run it twice at once: never exit status 0 with another result.

A sample is written and goes through the pipeline undisturbed. Then each case works on a copy. Most cases damage one
thing (a raw file, path.json, an artefact, a record, a run, a checkpoint, a command line) and run what a user would run
next; the others stop a command by a signal at a random moment, or run two at once, and run the command again. Each is
good if it is

  refused     exit status 2 and exactly one line, which names what is damaged
  same        exit status 0 and the very result of the undisturbed pipeline
  warned      exit status 0 and another result, with a warning that names the damage (where features are missing)
  other data  exit status 0 and another result, because a raw file legitimately says something else

and nothing is left half-written. Everything else is a failure, is printed with what it takes to repeat it, and makes
the exit status 1. The table at the end counts the cases.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import multiprocessing
import os
import queue
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent import futures
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import damages
import kills
import measure
import scenes
from verdicts import FAILURES, GOOD, Verdict

PLAYED = {"damage": damages.play, "kill": kills.play}
PATIENCE = 300.0  # seconds that a case may take
SPAWN = multiprocessing.get_context("spawn")


class Case(NamedTuple):
    """One case, by which it can be repeated."""

    what: str
    number: int

    def __str__(self) -> str:
        return f"{self.what}-{self.number}"


class Outcome(NamedTuple):
    """What came of a case."""

    case: Case
    kind: str
    done: str
    verdict: Verdict


def case(text: str) -> Case:
    """Return the case that is called so."""
    what, _, number = text.partition("-")
    if what not in PLAYED or not number.isdigit():
        raise ValueError(text)
    return Case(what, int(number))


# ---- the processes that cases are played in


def serve(connection: Connection) -> None:
    """Play cases until there are no more: the work of one process."""
    with contextlib.suppress(EOFError):
        while True:
            what, *arguments = connection.recv()
            try:
                connection.send(PLAYED[what](*arguments))
            except Exception:
                connection.send(("(the campaign itself)", "", Verdict("OTHER STATUS", traceback.format_exc()[-900:])))


class Worker:
    """A process that plays cases, one after another; where one kills it or takes too long, another takes its place."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the process."""
        self.connection, its = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(its,))
        self.process.start()
        its.close()

    def end(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(5)
        self.process.kill()
        self.process.join()

    def play(self, one: Case, *arguments: object) -> Outcome:
        """Play one case."""
        self.connection.send((one.what, *arguments))
        try:
            if self.connection.poll(PATIENCE):
                return Outcome(one, *self.connection.recv())
            why = f"not at its end after {PATIENCE:.0f} s"
        except EOFError:
            why = "it ended the process that it was played in"
        self.end()
        self.start()
        return Outcome(one, "(no end)", "", Verdict("OTHER STATUS", why))


def play_all(cases: Sequence[Case], reference: Path, seed: int, jobs: int, keep: bool) -> Iterator[Outcome]:
    """Play cases, so many at a time, and yield what came of each; keep their folders if asked to."""
    workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()

    def play(one: Case) -> Outcome:
        worker, folder = workers.get(), reference.parent / str(one)
        try:
            return worker.play(one, reference, folder, one.number, seed)
        finally:
            workers.put(worker)
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)

    for _ in range(jobs):
        workers.put(Worker())
    with futures.ThreadPoolExecutor(jobs) as threads:
        yield from threads.map(play, cases)
    for _ in range(jobs):
        workers.get().end()


# ---- what is said


def repeat(one: Case, seed: int) -> str:
    """Return the command that plays a case again."""
    return f"python benchmarks/campaign.py --seed {seed} --only {one}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return how many cases of each kind ended in what."""
    columns = [name for name in (*GOOD, *FAILURES) if any(outcome.verdict.name == name for outcome in outcomes)]
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for outcome in outcomes:
        for kind in (outcome.kind, "all"):
            counts[kind][outcome.verdict.name] += 1
    width = max(map(len, counts))
    lines = [f"{'':{width}}  {'cases':>6}" + "".join(f"{name:>14}" for name in columns)]
    for kind in (*sorted(set(counts) - {"all"}), "all"):
        numbers = "".join(f"{counts[kind][name] or '':>14}" for name in columns)
        lines.append(f"{kind:{width}}  {counts[kind].total():>6}{numbers}")
    return "\n".join(lines)


def prepare(reference: Path) -> None:
    """Make the reference, in a process of its own; exit with status 1 where that fails."""
    process = SPAWN.Process(target=scenes.prepare, args=(reference, scenes.QUESTIONS), kwargs={"report": True})
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(1)


def run_campaign(cases: Sequence[Case], folder: Path, args: argparse.Namespace) -> list[Outcome]:
    """Play all cases on one reference; print those that fail, and return the outcomes."""
    started, outcomes = time.perf_counter(), []
    prepare(folder / "reference")
    print(f"the undisturbed pipeline took {time.perf_counter() - started:.0f} s", flush=True)
    for outcome in play_all(cases, folder / "reference", args.seed, args.jobs, bool(args.only)):
        outcomes.append(outcome)
        if outcome.verdict.name in FAILURES or args.only:
            print(f"{outcome.verdict.name}: {outcome.kind}: {outcome.done}\n    {outcome.verdict.why}\n"
                  f"    {repeat(outcome.case, args.seed)}", flush=True)  # fmt: skip
    print(f"{len(outcomes)} cases in {time.perf_counter() - started:.0f} s with --jobs {args.jobs}")
    return outcomes


def main() -> None:
    """Run the campaign and exit with status 1 where a case fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=300, help="cases with something damaged (default: 300)")
    parser.add_argument("--kills", type=int, default=60, help="cases with a signal, or two commands (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the cases")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--only", nargs="+", type=case, metavar="CASE", help="such as damage-17 or kill-3: these "
                        "alone, and their folders are kept")  # fmt: skip
    parser.add_argument("--out", type=Path, default=measure.ROOT / "sample" / "campaign")
    args = parser.parse_args()
    os.environ.update(scenes.ONE_THREAD)  # before any process starts that computes something
    counts = {"damage": args.damages, "kill": args.kills}
    cases = args.only or [Case(what, number) for what, count in counts.items() for number in range(1, count + 1)]
    args.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="campaign_", dir=args.out.resolve()))
    try:
        outcomes = run_campaign(cases, folder, args)
    finally:
        if not args.only:
            shutil.rmtree(folder)
    print(table(outcomes))
    failed = sum(outcome.verdict.name in FAILURES for outcome in outcomes)
    print(f"{failed} of {len(outcomes)} cases failed" + (f"; the folders are in {folder}" if args.only else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
