"""Commands that are printed can be pasted into a shell, whatever the folder is called."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import demo
import mlp
import viewer
from bad_input import refusal
from mma4ctr.grid.results import Results
from mma4ctr.report import appendix
from mma4ctr.settings import Settings
from samples import own_runs

NAME = "a b'c $(touch it)"
# In place of Python: it prints what it is given, a word a line, and nothing else must happen.
PRINT_WORDS = "python() { printf '%s\\n' \"$@\"; }\n"


def words_of(commands: list[str], folder: Path) -> list[list[str]]:
    """Return the words after ``python`` of each command, as bash reads them."""
    script = PRINT_WORDS + "\n".join(f"{command}; echo ---" for command in commands)
    told = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert not told.stderr
    return [part.strip("\n").split("\n") for part in told.stdout.split("---\n")[:-1]]


@pytest.fixture
def own(tiny: Settings, tmp_path: Path) -> Settings:
    """The tiny sample with runs of its own in a folder with a name that a shell would read."""
    (tmp_path / NAME).mkdir()
    return own_runs(tiny, tmp_path / NAME)


def test_the_commands_of_the_report(own: Settings, tmp_path: Path) -> None:
    mlp.main(["--paths", str(own.file), "--epochs", "1", "--device", "cpu", "--feature", "visual"])
    commands = list(appendix.commands_of(Results(own)))
    found = words_of(commands, tmp_path)
    assert any(words[0] == "mlp.py" for words in found) and len(found) > 8
    assert all(words[words.index("--paths") + 1] == str(own.file) for words in found)


def test_the_command_of_a_figure_without_runs(own: Settings, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    line = refusal(capfd, viewer.main, ["--paths", str(own.file), "--protocol", "clean"])
    (words,) = words_of([re.search(r"run (python adjust_.*) first$", line)[1]], tmp_path)
    assert words[:3] == ["adjust_hyperparameter.py", "--paths", str(own.file)]


def test_the_command_that_a_refusal_names(tiny: Settings, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    shutil.copy(tiny.file, folder / "path.json")
    line = refusal(capfd, mlp.main, ["--paths", str(folder / "path.json")])
    (words,) = words_of([re.search(r"run (python preprocess_inter.*) first$", line)[1]], tmp_path)
    assert words == ["preprocess_inter.py", "--paths", str(folder / "path.json"), "--dataset", "wechat"]


def test_the_commands_of_the_demo(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    out = tmp_path / NAME
    demo.call(demo.sample_data.main, "--scale", "tiny", "--dataset", "wechat", "--out", str(out))
    command = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("$ "))
    assert words_of([command.removeprefix("$ ")], tmp_path)[0][-1] == str(out)
