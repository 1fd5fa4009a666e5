"""A modality that says nothing is warned of by its step, by mlp.py and in the report; nothing crashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_multimodal
from bad_input import FEEDS
from load_path import load_path
from mma4ctr.data.blocks import doubts_of
from mma4ctr.report import sections
from mma4ctr.store import records

MATRICES = {
    "zero columns": (np.zeros((5, 0), np.float32), "x has no columns"),
    "zero": (np.zeros((5, 3), np.float32), "x is zero throughout, 5 rows of 3 columns"),
    "constant": (np.ones((5, 3), np.float32) * [1, 2, 3], "x is the same throughout"),
    "one row": (np.ones((1, 3), np.float32), None),
    "no rows": (np.ones((0, 3), np.float32), None),
    "ordinary": (np.eye(3, dtype=np.float32), None),
}


@pytest.mark.parametrize("name", MATRICES)
def test_matrices_that_tell_nothing_apart(name: str) -> None:
    matrix, said = MATRICES[name]
    found = doubts_of("x", matrix)
    assert [warning[: len(said or "")] for warning in found] == ([said] if said else [])


def emptied(file: Path, column: str, value: str) -> None:
    """Put one value into a column of feed_info.csv, and nothing into its stand-in."""
    header, *rows = file.read_text().splitlines()
    columns = header.split(",")
    places = {columns.index(column): value, columns.index(f"{column}_char"): ""}
    changed = []
    for row in rows:
        fields = row.split(",")
        for place, own in places.items():
            fields[place] = own
        changed.append(",".join(fields))
    file.write_text("\n".join([header, *changed]) + "\n")


@pytest.mark.parametrize("value", ["7 7", "0"])
def test_a_modality_without_information_is_warned_of_everywhere(built: Path, value: str) -> None:
    emptied(built.parent / FEEDS, "ocr", value)
    to = ["--paths", str(built), "--dataset", "wechat"]
    for _ in range(2):  # the second time it is up to date, and as doubtful
        with pytest.warns(UserWarning, match="^visual "):
            preprocess_multimodal.main(to)
    with pytest.warns(UserWarning, match="^user embedding of visual "):
        get_user_embedding.main(to)
    for step in (cross_matrix, gen_matrix):
        step.main(to)
    with (
        pytest.warns(UserWarning, match=r"^preprocess_multimodal\.py wechat: visual "),
        pytest.warns(UserWarning, match=r"^get_user_embedding\.py wechat: user embedding of visual "),
    ):
        mlp.main([*to, "--epochs", "1", "--device", "cpu", "--feature", "vat_concat"])
    settings = load_path(built)
    section = sections.doubts_section(settings, ["wechat"])
    warned = records.read(settings, records.MULTIMODAL, "wechat", {}).warnings
    assert warned and all(any(warning in line for line in section.paragraphs) for warning in warned)


def test_without_doubts_there_is_no_section(built: Path) -> None:
    assert sections.doubts_section(load_path(built), ["wechat", "tiktok"]) is None
