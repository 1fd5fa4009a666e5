"""Words that several steps print: counts, and the way to the same path.json."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mma4ctr import cli
from mma4ctr.data.registry import load_settings
from mma4ctr.store import artifacts


@pytest.mark.parametrize(
    ("value", "text"), [({"rows": 12_345, "users": 7}, "12,345 rows, 7 users"), (9_876, "9,876"), ("64 columns",) * 2]
)
def test_counts_in_words(value: object, text: str) -> None:
    assert cli.count_in_words(value) == text


def test_commands_lead_to_the_same_settings(tmp_path: Path) -> None:
    default = load_settings()
    assert artifacts.to_settings(default) == []
    assert artifacts.command(default, "a.py", "wechat") == "python a.py --dataset wechat"
    own = dataclasses.replace(default, file=tmp_path / "own.json")
    assert artifacts.to_settings(own) == ["--paths", str(tmp_path / "own.json")]
    expected = f"python a.py --paths {tmp_path / 'own.json'} --dataset wechat --protocol clean"
    assert artifacts.command(own, "a.py", "wechat", "clean") == expected
