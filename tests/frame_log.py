"""A data set whose log is one Parquet file of the contract's columns, for tests of what step 1 makes of a log."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from mma4ctr import settings as settings_file
from mma4ctr.catalogue import Task
from mma4ctr.data import build
from mma4ctr.data.blocks import Modality
from mma4ctr.data.contract import DataSet, Negatives
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor
from mma4ctr.settings import Settings


@dataclasses.dataclass
class FrameLog(DataSet):
    """The data set; `interactions` is the file as it is."""

    labels: tuple[str, ...] = ("click",)
    context: tuple[str, ...] = ()
    negatives: Negatives | None = None
    refuses_one_class: bool = False
    minimum: int = 1
    name = "log"
    folder = "raw"

    def __post_init__(self) -> None:
        """Give each label a task."""
        self.actions = self.labels
        self.tasks = tuple(Task(f"log_{label}", "log", label) for label in self.labels)

    def interaction_files(self, folder: Path) -> list[Path]:
        """Return the file."""
        return [folder / "log.parquet"]

    def interactions(self, part: Part, own: Mapping[str, Any]) -> pl.LazyFrame:
        """Scan the file."""
        return pl.scan_parquet(part.file)

    def parts(self, executor: Any, files: Any) -> list[Part]:
        """Return the file as one part."""
        return [Part(file) for file in files]

    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return one file."""
        return {"visual": [folder / "log.parquet"]}

    def read_modalities(self, folder: Path, kept: Any, values: Any, executor: Any) -> Iterator[Modality]:
        """Give every second kept item its place and the length of its name."""
        items = pl.Series(kept).gather_every(2)
        matrix = pl.DataFrame({"a": items.cast(pl.String).str.len_chars(), "b": pl.Series(range(len(items)))})
        yield Modality("visual", (pl.Series(range(len(kept))).gather_every(2)).to_numpy(), matrix.to_numpy())


def built(folder: Path, frame: pl.DataFrame, reader: FrameLog) -> Settings:
    """Run step 1 on a frame with some of the columns user, item, device, time, labels and context."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    zeros = {name: pl.lit(0, pl.Int64) for name in ("device", "time") if name not in frame.columns}
    ones = {name: pl.lit(1, pl.Int64) for name in reader.labels if name not in frame.columns}
    frame.with_columns(**zeros, **ones).write_parquet(folder / "raw" / "log.parquet")
    (folder / "path.json").write_text(json.dumps({"parent_folder": "."}))
    settings = settings_file.read(folder / "path.json", {"log": reader})
    build.labelled_rows(settings, "log", LocalExecutor(), force=False)
    return settings
