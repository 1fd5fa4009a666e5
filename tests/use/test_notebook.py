"""examples/library.ipynb works as it stands there: its cells are run in order, as plain Python."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from mma4ctr.settings import Settings
from samples import ROOT

Used = tuple[Settings, dict[str, Path]]


def columns_in(printed: str) -> list[list[str]]:
    """Return the names of the columns of each table that was printed."""
    return [re.findall(r"[a-z_]+", line) for line in re.findall(r"┐\n(│.*│)\n", printed)]


@pytest.mark.filterwarnings("ignore:unknown users")
def test_its_cells_run_and_print_what_they_are_shown_to_print(
    used: Used, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "sample" / "tiny" / "saved" / used[1]["mma4ctr"].name
    place.parent.mkdir(parents=True)
    place.symlink_to(used[1]["mma4ctr"])
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "examples" / "library.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    tables = []
    for cell in cells:
        if cell["cell_type"] == "code":
            shown = "".join(line for output in cell["outputs"] for line in output["text"])
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec("".join(cell["source"]), names)
            tables += columns_in(shown)
            assert columns_in(printed.getvalue()) == columns_in(shown)
            assert bool(printed.getvalue()) == bool(shown) and cell["execution_count"]
    assert ["user", "rank", "item", "probability"] in tables and len(tables) == 6
    assert "a new video" in shown and "null" not in printed.getvalue()
