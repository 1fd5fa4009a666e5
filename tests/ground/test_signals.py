"""A signal ends a script in one line with a status of its own, and undoes what is half-done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mma4ctr import cli, signals
from mma4ctr.sampling import files
from samples import ROOT

STATUS = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}


def wait_for_a_signal() -> None:
    """Do what takes longer than the signal needs."""
    for _ in range(1000):
        time.sleep(0.01)
    raise AssertionError("no signal arrived")


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_undoes_what_is_half_done(
    number: signal.Signals, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    undone = []

    @cli.step
    def main(argv: Sequence[str] | None = None) -> None:
        try:
            with files.whole_file(tmp_path / "half") as file:
                file.write(b"half")
                os.kill(os.getpid(), number)
                wait_for_a_signal()
        finally:
            os.kill(os.getpid(), number)  # a second one does not interrupt what the first one has begun
            time.sleep(0.01)
            undone.append(True)

    before = [signal.getsignal(one) for one in signals.SIGNALS]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == STATUS[number]
    printed = capfd.readouterr().err
    assert printed.startswith("stopped by ") and printed.endswith("run the same command to go on\n"), printed
    assert printed.count("\n") == 1 and undone and not list(tmp_path.iterdir())
    assert before == [signal.getsignal(one) for one in signals.SIGNALS]


def test_a_signal_that_a_library_swallows_is_raised_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.1)

    @cli.step
    def main(argv: Sequence[str] | None = None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            wait_for_a_signal()
        except BaseException:
            wait_for_a_signal()

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 143 and capfd.readouterr().err.count("\n") == 1


def test_a_signal_ends_no_later_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is seen to again after a while: by then another main may be at work in the same process."""
    monkeypatch.setattr(signals, "PATIENCE", 0.2)
    for _ in range(3):
        with pytest.raises(signals.Stopped), signals.raised_signals():
            os.kill(os.getpid(), signal.SIGINT)
            wait_for_a_signal()
    with signals.raised_signals():
        time.sleep(0.8)


LONG_CALL = """
import hashlib
from mma4ctr import cli, signals

signals.PATIENCE = 0.2

@cli.step
def main(argv=None):
    print("working", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes in which Python raises nothing

main()
"""


def test_a_long_call_into_a_library_is_not_waited_for() -> None:
    started = subprocess.Popen([sys.executable, "-c", LONG_CALL], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert started.stdout is not None and started.stdout.readline() == "working\n"
    started.terminate()
    errors = started.communicate(timeout=30)[1]
    assert started.returncode == 143 and errors == "stopped by SIGTERM; run the same command to go on\n"


def test_a_script_that_imports_is_stopped_in_one_line() -> None:
    started = subprocess.Popen([sys.executable, "viewer.py"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while "polars" not in Path(f"/proc/{started.pid}/maps").read_text():  # mapped long before all is imported
        assert started.poll() is None
        time.sleep(0.005)
    started.send_signal(signal.SIGINT)
    errors = started.communicate(timeout=30)[1]
    assert started.returncode == 130 and errors == "stopped by Ctrl-C; run the same command to go on\n"
