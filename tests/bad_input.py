"""What tests of bad input share: the scripts, the raw files that they break, and the one line that must be said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal

STEPS = {"1": preprocess_inter, "2": preprocess_multimodal, "3": get_user_embedding, "4": cross_matrix, "5": gen_matrix}
SCRIPTS = {f"{module.__name__}.py": module.main for module in (*STEPS.values(), mlp)}
TRACK = "dataset/TikTok2019ICME/track1"
LOG, FEEDS = "dataset/wechat/user_action.csv", "dataset/wechat/feed_info.csv"
ROWS, TITLE = f"{TRACK}/final_track1_train.txt", f"{TRACK}/track1_title.txt"
VIDEO, AUDIO = f"{TRACK}/track1_video_features_part3.txt", f"{TRACK}/track1_audio_features_part2.txt"


def listing(folder: Path) -> set[str]:
    """Return the files below a folder, without locks."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock")
    return {str(file.relative_to(folder)) for file in files}


def refusal(capfd: pytest.CaptureFixture, main: Callable, argv: list[str]) -> str:
    """Run a script that must fail; return its one line."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(argv)
    printed = capfd.readouterr().err
    assert stop.value.code == 2, printed
    assert printed.startswith("error: "), printed
    assert printed.count("\n") == 1, printed
    assert printed.endswith("\n"), printed
    assert len(printed) < 1500, printed
    return printed.removeprefix("error: ").rstrip("\n")


def named_in(line: str) -> tuple[str, list[str]]:
    """Return the command that the line of a refusal ends with: the script and what it is given."""
    command = re.search(r"; (?:re)?run python (\S+\.py) (.*?)(?: first)?$", line)
    assert command, line
    return command[1], command[2].split()


def run_with_what_it_asks_for(script: str, argv: list[str], capfd: pytest.CaptureFixture) -> list[str]:
    """Run a script, and before it just the commands that refusals name, one after another; return their scripts."""
    queue, named = [(script, argv)], []
    while queue:
        name, words = queue[-1]
        capfd.readouterr()
        try:
            SCRIPTS[name](words)
            queue.pop()
        except SystemExit:
            said = capfd.readouterr().err
            assert re.fullmatch(r"error: .*\n", said), said
            assert len(named) < 8, named
            queue.append(named_in(said.rstrip("\n")))
            named.append(queue[-1][0])
    return named


def replace(file: Path, content: bytes | None) -> None:
    """Put another file in the place of one that may be a link to the sample's."""
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)


def fields(line: str, separator: str, place: int, value: str | None) -> str:
    """Put `value` into one field of a line; None takes the field away."""
    parts = line.split(separator)
    if value is None:
        del parts[place]
    else:
        parts[place] = value
    return separator.join(parts)
