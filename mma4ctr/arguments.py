"""How the numbers of a command line are read: what argparse calls for an option's text."""

from __future__ import annotations

import argparse
import math

MOST = 2**31 - 1  # no option means anything beyond it


def truth(text: str) -> bool:
    """Read the True or False of ``--lr_change``."""
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"{text!r:.60} is neither True nor False")
    return text == "True"


def at_least_1(text: str) -> int:
    """Read a whole number that must be 1 or more."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number from 1 to {MOST}")
    return int(text)


def positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a number above 0, at most {MOST}")
    return number


def seed(text: str) -> int:
    """Read a seed: a whole number of 0 or more."""
    if not (text.isascii() and text.isdecimal()) or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number from 0 to {MOST}")
    return int(text)
