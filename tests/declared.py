"""Declared data sets of the tests: a short declaration, and how its log is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import reading
from mma4ctr.data.declared.dataset import Declared
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor

LEAST: dict[str, Any] = {
    "interactions": "log.csv", "user": "user", "item": "item", "labels": {"like": "label"},
    "modalities": {"visual": "visual.npy"},
}  # fmt: skip


def declared(**changed: Any) -> Declared:
    """Return a data set of the least declaration with other keys; those that are None are left out."""
    content = {key: value for key, value in {**LEAST, **changed}.items() if value is not None}
    return reading.parse("small", content, "path.json: datasets.small")


def read_part(dataset: Declared, part: Part) -> pl.DataFrame:
    """Read a part as step 1 does: a row that cannot be read is explained."""
    try:
        frame = dataset.interactions(part, {}).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        dataset.explain(part.file)
        raise AssertionError("a file that is not read is not explained") from error
    if frame["user"].has_nulls():
        dataset.explain(part.file)
        raise AssertionError("a row that is not read is not explained")
    return frame


def read(dataset: Declared, folder: Path) -> pl.DataFrame:
    """Read the log of a data set in `folder`."""
    parts = dataset.parts(LocalExecutor(), dataset.interaction_files(folder))
    return pl.concat([read_part(dataset, part) for part in parts])


def refused(dataset: Declared, folder: Path) -> str:
    """Return the one line that the log of a data set in `folder` ends in."""
    try:
        read(dataset, folder)
    except UserError as error:
        said = str(error)
        assert "\n" not in said and len(said) < 1000
        return said
    raise AssertionError("the log is read")
