"""Whatever --paths names, and whatever folders a path.json names: settings, or one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import load_path
from bad_input import refusal

LONG = "x" * 5000


def text(content: str) -> Callable[[Path], None]:
    """Return what writes a file of this content."""
    return lambda file: file.write_text(content)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "is no regular file"),
    "a FIFO": (os.mkfifo, "is no regular file"),
    "a device": (lambda file: file.symlink_to("/dev/zero"), "is no regular file"),
    "a link to itself": (lambda file: file.symlink_to(file), "Too many levels of symbolic links"),
    "huge": (text(" " * 2**21), "has 2,097,152 bytes, expected a path.json of at most 1,048,576"),
    "100,000 brackets": (text("[" * 100_000), "not valid JSON"),
    "a deep value": (text('{"seed": ' + "[" * 900 + "]" * 900 + "}"), r"seed is \[\[\[.*, expected a whole number"),
    "a deep list": (text("[" * 900 + "]" * 900), "expected an object of keys and values"),
    "a key twice": (
        text('{"seed": 0, "protocol": "clean", "seed": 5}'),
        "the key 'seed' is there twice, expected it once",
    ),
    "a nested key twice": (
        text('{"min_interactions": {"wechat": 1, "wechat": 2}}'),
        "the key 'wechat' is there twice, expected it once",
    ),
    "a number of 9,000 digits": (text('{"seed": ' + "9" * 9000 + "}"), "not valid JSON"),
    "a long key": (text(json.dumps({LONG: 1})), "unknown key"),
    "a long value": (text(json.dumps({"protocol": LONG})), "protocol is 'x"),
    "a large seed": (text('{"seed": 4294967296}'), "seed is 4294967296, expected a whole number from 0 to 4294967295"),
    "a minimum of 64 bits": (text('{"min_interactions": {"wechat": 9223372036854775808}}'), "min_interactions is"),
    "a NUL": (text(r'{"parent_folder": "a\u0000b"}'), "parent_folder is"),
    "a long folder": (text(json.dumps({"saved_path": LONG})), "saved_path is .*File name too long"),
    "a circle of links": (text('{"saved_path": "../loop/saved"}'), "saved_path leads over the link"),
    "a circle as parent": (text('{"parent_folder": "loop"}'), "parent_folder leads over the link"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_path_json_is_refused(case: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    make, said = FILES[case]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    make(tmp_path / "path.json")
    line = refusal(capfd, load_path.main, ["--paths", str(tmp_path / "path.json")])
    assert re.search(said, line), line
    assert "x" * 81 not in line and "[" * 81 not in line


@pytest.mark.parametrize(("name", "said"), [("", "--paths is empty"), ("a\0b", "no name of a file"),
                                            (LONG, "File name too long"), ("nothing", "No such file")])  # fmt: skip
def test_what_is_no_name_of_a_file_is_refused(name: str, said: str, capfd: pytest.CaptureFixture) -> None:
    line = refusal(capfd, load_path.main, ["--paths", name])
    assert said in line and "x" * 81 not in line


def test_a_folder_that_is_not_utf_8_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "path.json").write_text("{}")
    assert "it is not UTF-8" in refusal(capfd, load_path.main, ["--paths", str(folder / "path.json")])


def test_the_largest_seed_is_taken(tmp_path: Path) -> None:
    (tmp_path / "path.json").write_text('{"seed": 4294967295}')
    assert load_path.load_path(tmp_path / "path.json").seed == 2**32 - 1
