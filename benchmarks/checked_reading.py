"""Time the reading of an artefact with the check of its checksum against reading it alone.

A matrix of the size of TikTok's largest is written and read from memory (the page cache), so that the disk hides
nothing, in turns; the fastest of each counts, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np

sys.path.insert(0, str(measure.ROOT))

from mma4ctr.store import checksums, disk

ROWS, COLUMNS = 2_420_353, 71  # items with every modality, columns of the visual one (full TikTok data)
LIMIT = 1.3


def plainly(file: Path) -> np.ndarray:
    """Read an array as NumPy does."""
    with open(file, "rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def fastest(functions: list[Callable[[], object]], times: int) -> list[float]:
    """Return the fewest seconds of each function, called in turns."""
    seconds = [[] for _ in functions]
    for _ in range(times):
        for function, own in zip(functions, seconds, strict=True):
            started = time.perf_counter()
            function()
            own.append(time.perf_counter() - started)
    return [min(own) for own in seconds]


def main() -> None:
    """Print the seconds and their ratio; exit with status 1 where it is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--times", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "matrix.npy"
        disk.write_array(file, np.random.default_rng(0).random((args.rows, COLUMNS), dtype=np.float32))
        known = disk.Known("", checksums.of_file(file))
        plain, checked = fastest([lambda: plainly(file), lambda: disk.read_array(file, known)], args.times)
        size = file.stat().st_size / 1e6
    print(f"{size:,.0f} MB: {plain:.3f} s without, {checked:.3f} s with the check, {checked / plain:.2f} x "
          f"(limit {LIMIT} x)")  # fmt: skip
    sys.exit(checked > LIMIT * plain)


if __name__ == "__main__":
    main()
