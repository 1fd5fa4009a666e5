"""How the numbers of a command line are read: what argparse calls for an option's text."""

from __future__ import annotations

import argparse
import math

MOST = 2**31 - 1  # no option means anything beyond it
LEAST_RATE = 1e-12  # a learning rate below it moves hardly any float32 weight


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


def at_least_0(text: str) -> int:
    """Read a whole number that may be 0."""
    return 0 if text == "0" else at_least_1(text)


def learning_rate(text: str) -> float:
    """Read a learning rate: a number that is neither 0 nor infinite."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not LEAST_RATE <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a number from {LEAST_RATE:g} to {MOST}")
    return number


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a number from 0 to 1")
    return number


def patience(text: str) -> int | None:
    """Read a whole number of 1 or more, or ``none``."""
    return None if text == "none" else at_least_1(text)


def weight_decay(text: str) -> float:
    """Read a number from 0 on."""
    return 0.0 if text in ("0", "0.0") else learning_rate(text)


# What --also takes: name -> what reads its value.
REGULARISATIONS = {"weight_decay": weight_decay, "id_dropout": share}


def regularisation(text: str) -> tuple[str, float]:
    """Read ``name=value``, the name being one of `REGULARISATIONS`."""
    name, _, value = text.partition("=")
    if name not in REGULARISATIONS:
        raise argparse.ArgumentTypeError(
            f"{text!r:.60} is not {' or '.join(f'{one}=NUMBER' for one in REGULARISATIONS)}"
        )
    return name, REGULARISATIONS[name](value)


def seed(text: str) -> int:
    """Read a seed: a whole number of 0 or more."""
    if not (text.isascii() and text.isdecimal()) or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number from 0 to {MOST}")
    return int(text)
