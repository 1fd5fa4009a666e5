"""Find the finished run that stands in for one that is wanted.

One run serves every epoch count that it passed through: the schedule of a longer run has the shorter one as its prefix.
"""

from __future__ import annotations

import dataclasses
import functools

from mma4ctr.runs import finished, folder
from mma4ctr.runs.finished import Evaluation, FinishedRun
from mma4ctr.runs.run import Run, identity
from mma4ctr.settings import Settings

DEVICES = ("cuda", "cpu")
PASSED_THROUGH = ("epochs", "eval_every", "versions")  # what a run may differ in from the one that it stands in for


def key_of(config: dict[str, object]) -> str:
    """Return what identifies a run apart from its number of epochs and when it was tested."""
    return identity(config, without=PASSED_THROUGH)


class FinishedRuns:
    """The finished runs of one path.json, by what they trained.

    Attributes
    ----------
    metrics : list of dict
        Of every run, RecBole's and label-rate predictors included.
    by_key : dict of str to list of FinishedRun
        MMa4CTR's runs.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = list(folder.all_metrics(settings))
        self.by_key: dict[str, list[FinishedRun]] = {}
        for content in self.metrics:
            if finished.native_model(content) == finished.MMA4CTR:
                found = finished.load(settings, content)
                self.by_key.setdefault(key_of(found.config), []).append(found)

    def standing_in_for(self, run: Run) -> FinishedRun | None:
        """Return a finished run, on any device, that was tested after as many epochs as `run` has."""
        for device in DEVICES:
            key = key_of(dataclasses.replace(run, device=device).config)
            for found in self.by_key.get(key, []):
                if found.evaluation(run.schedule.epochs) is not None:
                    return found
        return None

    @functools.cached_property
    def seeds(self) -> int:
        """How many seeds, from 0, the finished runs have at most."""
        runs_found = (found for group in self.by_key.values() for found in group)
        return 1 + max((found.config["seed"] for found in runs_found), default=-1)

    def metrics_of(self, evaluation: Evaluation) -> dict:
        """Return the metrics of the run that `evaluation` is of, as they were at its end."""
        return folder.read_metrics(self.settings, evaluation.run)

    def label_rate(self, evaluation: Evaluation, name: str) -> Evaluation:
        """Return a label-rate predictor on the test rows of `evaluation`."""
        run = self.metrics_of(evaluation)["label_rates"][name]
        figures = finished.figures_in(folder.read_metrics(self.settings, run))
        return Evaluation(run, folder.folder_of(self.settings, run), 0, figures, evaluation.rows)
