"""Say wherever figures are shown whether the logs behind them are real."""

from __future__ import annotations

from mma4ctr.sampling import marker
from mma4ctr.settings import Settings

SAMPLE_WARNING = (
    "Measured on sample data, which are made up: the figures show that the pipeline works. They are not to be compared "
    "with the published ones, and no published figure was reached on them."
)


def data_name(settings: Settings, dataset: str) -> str:
    """Return what to call the logs of a data set: made up ones are always named so."""
    return "sample data" if marker.is_sample(settings.raw_folder(dataset)) else "this log"


def ours(settings: Settings, dataset: str) -> str:
    """Return what to call our own figures on a data set."""
    return "ours (sample)" if marker.is_sample(settings.raw_folder(dataset)) else "ours"
