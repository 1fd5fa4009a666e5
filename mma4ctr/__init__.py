"""MMa4CTR: click prediction for micro-videos from visual, acoustic and textual content.

The package holds what two or more of the step scripts share; each script at the top of the project
is one step and reads from top to bottom.
"""

from __future__ import annotations

import importlib
from typing import Any

from mma4ctr import ending

__version__ = "0.1.0"

ending.begin()  # first of all: what a script imports takes seconds, in which it may be stopped

# Name -> module, which is imported when it is asked for.
LIBRARY = {"load_run": "mma4ctr.use.trained", "TrainedRun": "mma4ctr.use.trained"}


def __getattr__(name: str) -> Any:
    """Return what the package offers to programs; its libraries, which take seconds, are imported then."""
    if name not in LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LIBRARY[name]), name)
