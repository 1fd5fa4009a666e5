"""Which processes are left of one that was started with `MARK` in its environment (by /proc, so on Linux)."""

from __future__ import annotations

import time
from pathlib import Path

MARK = "STARTED_BY_TEST"


def left_of(mark: str, seconds: float) -> list[str]:
    """Return the command lines of the processes that are left; wait up to so many seconds until none is."""
    last = time.monotonic() + seconds
    while (found := _running(f"{MARK}={mark}".encode())) and time.monotonic() < last:
        time.sleep(0.05)
    return found


def _running(mark: bytes) -> list[str]:
    marked = (
        process for process in Path("/proc").glob("[0-9]*") if mark in _bytes_of(process / "environ").split(b"\0")
    )
    return [_bytes_of(process / "cmdline").replace(b"\0", b" ").decode() for process in marked]


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has just ended
        return b""
