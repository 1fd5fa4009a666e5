"""Say wherever figures are shown whether the logs behind them are real."""

from __future__ import annotations

from mma4ctr.data.registry import dataset_of
from mma4ctr.sampling import marker
from mma4ctr.settings import Settings

SAMPLE_WARNING = (
    "Measured on sample data, which are made up: the figures show that the pipeline works. They are not to be compared "
    "with the published ones, and no published figure was reached on them."
)


def is_sample(settings: Settings, dataset: str) -> bool:
    """Tell whether the logs of a data set are made up."""
    return marker.is_sample(settings.raw_folder(dataset))


def data_name(settings: Settings, dataset: str) -> str:
    """Return what to call the logs of a data set: made up ones are always named so."""
    return "sample data" if is_sample(settings, dataset) else "this log"


def heading(settings: Settings, task: str, what: str, how: str) -> tuple[str, str]:
    """Return the two lines above a figure of a task: what it shows, and how it was measured on whose logs."""
    return f"{task}: {what}", f"{how}; {data_name(settings, settings.dataset_of(task))}"


def are_drawn(settings: Settings, dataset: str) -> bool:
    """Tell whether rows without a click were drawn, so that figures are of no observed labels."""
    return dataset_of(settings, dataset).negatives is not None


def ours(settings: Settings, dataset: str) -> str:
    """Return what to call our own figures on a data set."""
    said = ["sample"] if is_sample(settings, dataset) else []
    said += ["drawn negatives"] if are_drawn(settings, dataset) else []
    return f"ours ({', '.join(said)})" if said else "ours"
