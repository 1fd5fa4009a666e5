"""What the finished runs give for the figures of the tables."""

from __future__ import annotations

import dataclasses
import functools

from mma4ctr.cli import UserError
from mma4ctr.grid.experiments import Point, Setting
from mma4ctr.runs.find import FinishedRuns
from mma4ctr.runs.finished import Evaluation, FinishedRun
from mma4ctr.runs.run import Run


class Results(FinishedRuns):
    """The finished runs of one path.json, by the figures that they give."""

    @functools.cache  # noqa: B019 - one object lives as long as the script
    def _any_run(self, point: Point) -> Run | None:
        """Return the run of a figure but for its schedule, None where an earlier step has not run for its settings."""
        try:
            return point.run(self.settings, "cpu")
        except UserError:
            return None

    def trajectory(self, point: Point) -> FinishedRun | None:
        """Return a finished run that was tested after the epochs of `point`, on the artefacts as they are now."""
        # What a run builds on does not depend on how it is trained: the records are read once for all schedules.
        setting = Setting(point.setting.feature, point.setting.user_embedding_length)
        run = self._any_run(dataclasses.replace(point, setting=setting, seed=0, epochs=0))
        return None if run is None else self.standing_in_for(dataclasses.replace(run, schedule=point.schedule()))

    def find(self, point: Point) -> Evaluation | None:
        """Return what a finished run scored at `point`, None if there is none."""
        found = self.trajectory(point)
        return None if found is None else found.evaluation(point.epochs)
