"""Whatever the machine does ends a script in one line and status 2."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import mlp
from bad_input import refusal
from mma4ctr import cli
from samples import ROOT

LONG = "x" * 3000


class PanicException(BaseException):
    """What Polars raises is no Exception."""


ERRORS = {
    "full": (OSError(errno.ENOSPC, "No space", "/there/x.npy"), r"/there/x\.npy: no space .* kB free in /"),
    "full, of Polars": (OSError("No space left on device (os error 28)"), r"a file, or the output .*: no space left"),
    "quota": (OSError(errno.EDQUOT, "Quota", "/x"), "/x: the disk quota is used up"),
    "read-only": (OSError(errno.EROFS, "Read-only", "/x"), "/x: the file system is read-only"),
    "no right": (PermissionError(errno.EACCES, "Denied", "/x"), "/x: permission denied"),
    "files": (OSError(errno.EMFILE, "Too many", "/x"), "/x: too many open files in this process"),
    "links": (OSError(errno.ELOOP, "Loop", "/x"), "/x: symbolic links lead in a circle"),
    "no number": (OSError("encoder error"), "a file, or the output of this command: encoder error"),
    "memory": (MemoryError(), r"out of memory \(MemoryError\)"),
    "memory of NumPy": (MemoryError(f"Unable to allocate {LONG}"), r"out of memory \(Unable to allocate x"),
    "memory of PyTorch": (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
    "memory of the GPU": (RuntimeError("CUDA out of memory. Tried to"), "out of memory"),
    "memory of Polars": (PanicException("failed to spawn thread: Os { code: 11 }"), "out of memory"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_of_the_machine_is_one_line(case: str, capfd: pytest.CaptureFixture) -> None:
    error, said = ERRORS[case]

    @cli.step
    def main(argv: Sequence[str] | None = None) -> None:
        raise error

    line = refusal(capfd, main, [])
    assert "None" not in line and len(line) < 300
    assert re.search(said, line), line


def test_a_mistake_in_the_project_keeps_its_traceback() -> None:
    @cli.step
    def main(argv: Sequence[str] | None = None) -> None:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        main()


@pytest.mark.parametrize("options", [["--dataset", LONG], [f"--epochs={'9' * 6000}"], [LONG], ["--lr_change", LONG]])
def test_a_long_argument_is_not_repeated(options: list[str], capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        mlp.main(options)
    assert ended.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert max(map(len, last.replace("=", " ").split())) < 100


def limit_addresses() -> None:
    """Do what ``ulimit -v 600000`` does."""
    resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, resource.RLIM_INFINITY))


def end_of(*words: str, before: Callable[[], None] | None = None, output: Path | None = None, **more: str):
    """Run a script to its end."""
    with open(output or os.devnull, "w") as stream:
        return subprocess.run([sys.executable, *words], cwd=ROOT, stdout=stream, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, **more}, preexec_fn=before, timeout=60)  # fmt: skip


def test_too_few_addresses_are_named_before_a_library_hangs() -> None:
    ended = end_of("viewer.py", before=limit_addresses)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "ulimit -v unlimited" in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_printed_is_no_result(unbuffered: str, tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    file.write_text("{}")
    ended = end_of("load_path.py", "--paths", str(file), output=Path("/dev/full"), PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 2 and ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1


def test_a_terminal_that_cannot_show_a_name_gets_it_escaped(tmp_path: Path) -> None:
    (tmp_path / "\N{SNOWMAN}").mkdir()
    (tmp_path / "\N{SNOWMAN}" / "path.json").write_text("{}")
    ended = end_of("load_path.py", "--paths", str(tmp_path / "\N{SNOWMAN}" / "path.json"), output=tmp_path / "printed",
                   PYTHONIOENCODING="ascii")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert r"\u2603/data" in (tmp_path / "printed").read_text()
