"""Plan the runs of the experiment grid: which there are, what they need, and about how long they take."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Sequence

import numpy as np
import torch

from mma4ctr.features import build_users
from mma4ctr.grid.experiments import Point, Setting
from mma4ctr.grid.results import Results
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.losses import LOSSES
from mma4ctr.runs import fit
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts
from mma4ctr.training.adam import Adam
from mma4ctr.training.devices import device_of

TRAINING_SHARE = 0.8  # of a task's rows
TIMED_SECONDS = 0.05  # how long a training step is timed for an estimate
TIMED_INPUT = Sizes(user_columns=66, item_columns=128)


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: the figures that it is for, all of one setting, task, variant and seed."""

    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        """The figure after the most epochs."""
        return max(self.points, key=lambda point: point.epochs)

    @property
    def place(self) -> Point:
        """What its figures have in common: all but their epochs."""
        return dataclasses.replace(self.last, epochs=0)

    @property
    def schedule(self) -> Schedule:
        """How the run is trained, and when it is tested: at least after the epochs of every figure."""
        every = math.gcd(*(point.epochs for point in self.points))
        return self.last.schedule(every if every < self.last.epochs else None)

    def do(self, settings: Settings) -> str:
        """Do the run on the device that is here and return its id; a `UserError` reaches the caller."""
        return fit.finish_in_silence(self.last.run(settings, device_of("auto").type, self.schedule.eval_every))

    def __str__(self) -> str:
        point = self.last
        default = Setting(point.setting.feature)
        changed = [f"{name}={value}" for name, value in dataclasses.asdict(point.setting).items()
                   if value != getattr(default, name)]  # fmt: skip
        words = [point.task, point.setting.feature, str(point.variant), *changed, f"seed={point.seed}"]
        return ", ".join([*words, f"{point.epochs} epochs"])


def jobs_of(points: Sequence[Point]) -> list[Job]:
    """Return one run for all figures that differ in their epochs alone."""
    groups: dict[Point, list[Point]] = {}
    for point in points:
        groups.setdefault(dataclasses.replace(point, epochs=0), []).append(point)
    return [Job(tuple(group)) for group in groups.values()]


def unfinished(results: Results, jobs: Sequence[Job]) -> list[Job]:
    """Return the runs that no finished run stands in for."""
    return [job for job in jobs if any(results.trajectory(point) is None for point in job.points)]


def prepare(settings: Settings, jobs: Sequence[Job]) -> None:
    """Build the user embeddings that the runs need and that are not there yet, in folders of their own."""
    needed = dict.fromkeys((job.last.variant, job.last.setting.user_embedding_length,
                            settings.dataset_of(job.last.task)) for job in jobs)  # fmt: skip
    for variant, length, dataset in needed:
        build_users.with_user_embeddings(settings, variant.reduction, length, dataset, variant.protocol)


@functools.cache
def seconds_of_step(batch_size: int) -> float:
    """Time a training step of MMa4CTR on rows of noise, 194 wide, where it would be trained."""
    device = device_of("auto")
    model = registry.build(registry.DEFAULT, {}, TIMED_INPUT).to(device)
    optimiser = Adam(model.parameters(), foreach=True)
    batch = Batch(content=torch.rand(batch_size, TIMED_INPUT.content, device=device))
    clicks = (batch.content[:, 0] > 0.5).float()  # type: ignore[index]
    steps, started = -1, time.perf_counter()
    while steps < 1 or time.perf_counter() - started < TIMED_SECONDS:
        loss = LOSSES["batch_softmax"](model(batch), clicks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # waits for the device
        steps += 1
        if steps == 0:
            started = time.perf_counter()  # the first step warms up
    return (time.perf_counter() - started) / steps


def estimate(settings: Settings, job: Job) -> float | None:
    """Return about how many seconds a run will take on a machine that does nothing else, None without its rows."""
    point = job.last
    file = artifacts.path(settings, "rows", task=point.task, protocol=point.variant.protocol)
    if not file.exists():
        return None
    rows = int(TRAINING_SHARE * len(np.load(file, mmap_mode="r", allow_pickle=False)))
    steps = math.ceil(rows / point.setting.batch_size)
    return point.epochs * steps * seconds_of_step(min(point.setting.batch_size, max(rows, 1)))
