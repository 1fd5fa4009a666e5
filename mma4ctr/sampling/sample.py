"""What `sample_data.py` has to know of the sample logs of a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import Progress

from mma4ctr.sampling.split_counts import Counts


@dataclasses.dataclass(frozen=True)
class Sample:
    """How the sample logs of a data set are written.

    Attributes
    ----------
    files : tuple of str
        Their names.
    scales : mapping of (str, str) to object
        Scale and signal -> the sizes, which have a `min_interactions`.
    write : callable
        ``(folder, sizes, seed, progress) -> counts, lines``: writes the files; the counts have the data set's tasks in
        their order, the lines tell about the log.
    """

    files: tuple[str, ...]
    scales: Mapping[tuple[str, str], Any]
    write: Callable[[Path, Any, int, Progress], tuple[Counts, list[str]]]
