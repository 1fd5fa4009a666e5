"""How many threads a run trains with: as many as have something to do.

PyTorch deals the work of each operation out among all cores. Where a batch is small there is too little of it: the
threads wait for one another, and where other processes keep the cores busy, each of a thousand waits takes as long as
these are let run. So one thread is taken for every `OPERATIONS` that a step has.
"""

from __future__ import annotations

import torch

OPERATIONS = 5e8  # of a step, for each thread: some 10 ms of one core's
PASSES = 6  # a multiplication and an addition for each weight and row, forward, and twice that backward

_most: int | None = None  # None: as many as PyTorch takes by itself
_fixed: int | None = None


def at_most(number: int) -> None:
    """Let no run of this process have more threads than its share of the machine."""
    global _most
    _most = number
    torch.set_num_threads(number)


def fix(number: int) -> None:
    """Let every run of this process have so many threads."""
    global _fixed
    _fixed = number


def number_for(rows: int, weights: int, most: int) -> int:
    """Return how many threads, of `most`, have something to do in a step over so many rows and weights."""
    return max(1, min(most, int(PASSES * rows * weights / OPERATIONS)))


def in_words(number: int | None) -> str:
    """Return a number of threads as it is read; of an earlier run it is not known."""
    return "an unknown number of threads" if number is None else f"{number} thread{'' if number == 1 else 's'}"


def take(rows: int, weights: int) -> int:
    """Take as many threads as a step over so many rows and weights keeps busy, and return the number."""
    global _most
    if _most is None:
        _most = torch.get_num_threads()
    number = _fixed or number_for(rows, weights, _most)
    torch.set_num_threads(number)
    return number
