"""Kill the experiment grid at random moments and start it again: it must end in the results of an undisturbed one.

A sample is written and copied. On one the grid runs in peace; on the other it is killed (SIGKILL) as often as asked, at
random moments within a third of the time that the first one took, and started again each time. Both results.csv are
then compared, train_seconds and test_seconds apart, and no process may be left over.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT))

import cross_matrix
import gen_matrix
import preprocess_inter
import preprocess_multimodal
import sample_data


def prepare(folder: Path, scale: str) -> Path:
    """Write a sample, run steps 1, 2, 4 and 5 on it, and return its path.json."""
    with contextlib.redirect_stdout(io.StringIO()):
        sample_data.main(["--scale", scale, "--dataset", "wechat", "--out", str(folder)])
        for step in (preprocess_inter, preprocess_multimodal, cross_matrix, gen_matrix):
            step.main(["--paths", str(folder / "path.json"), "--dataset", "wechat"])
    return folder / "path.json"


def start(file: Path, options: list[str]) -> subprocess.Popen:
    """Start the grid."""
    command = [sys.executable, str(measure.ROOT / "adjust_hyperparameter.py"), "--paths", str(file), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lines_of(file: Path) -> list[dict[str, str]]:
    """Return results.csv without its seconds."""
    with open(file.parent / "saved" / "results.csv", newline="") as stream:
        return [{key: value for key, value in line.items() if not key.endswith("_seconds")}
                for line in csv.DictReader(stream)]  # fmt: skip


def left_over(file: Path) -> int:
    """Return how many processes of a grid still run (by /proc, so on Linux)."""
    started_by = str(file).encode()
    return sum(started_by in line.read_bytes() for line in Path("/proc").glob("[0-9]*/cmdline") if line.exists())


def main() -> None:
    """Run the check and exit with status 1 where it fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=measure.ROOT / "sample" / "killed_grid")
    parser.add_argument("--scale", choices=("tiny", "demo"), default="tiny")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    options = ["--dataset", "wechat", "--longest", "30", "--protocol", "published", "--jobs", "2"]
    peaceful = prepare(args.out.resolve() / "peaceful", args.scale)
    # A copy with the times of its files: runs are identified by their raw files, too.
    killed = Path(shutil.copytree(peaceful.parent, args.out.resolve() / "killed")) / "path.json"
    started = time.perf_counter()
    start(peaceful, options).wait()
    whole = time.perf_counter() - started
    print(f"undisturbed: {len(lines_of(peaceful))} lines in {whole:.0f} s")
    moments = random.Random(args.seed)
    for number in range(1, args.kills + 1):
        grid, after = start(killed, options), moments.uniform(0, whole / 3)
        with contextlib.suppress(subprocess.TimeoutExpired):
            grid.wait(after)
        grid.send_signal(signal.SIGKILL)
        grid.wait()
        finished = len(list(killed.parent.glob("saved/*/metrics.json")))
        print(f"kill {number} after {after:.1f} s, {finished} lines finished", flush=True)
    start(killed, options).wait()
    time.sleep(1)
    same, rest = lines_of(peaceful) == lines_of(killed), left_over(killed)
    print(f"results.csv is {'the same' if same else 'NOT THE SAME'}; {rest} processes left over")
    sys.exit(0 if same and not rest else 1)


if __name__ == "__main__":
    main()
