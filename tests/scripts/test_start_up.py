"""Nobody who asks a script for --help waits for libraries; benchmarks/start_up.py has the seconds."""

from __future__ import annotations

import subprocess
import sys

from samples import ROOT

SCRIPTS = sorted(file.stem for file in ROOT.glob("*.py"))
SLOW = ("torch", "scipy", "sklearn", "matplotlib", "pandas", "distributed", "umap", "recbole")
HELP = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        importlib.import_module(name).main(["--help"])
    assert "--" in printed.getvalue(), name
    print(name, *(module for module in {slow!r} if module in sys.modules))
"""


def test_help_imports_nothing_slow() -> None:
    command = [sys.executable, "-c", HELP.format(slow=SLOW), *SCRIPTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == SCRIPTS
