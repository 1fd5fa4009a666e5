"""How long a script takes to say how it is used, and a short training from its command to its last line.

Each command runs in a process of its own, in turn with a bare ``python -c pass`` and with one that imports PyTorch,
which no training can do without. ``--imports`` adds the modules that took longest to import, as ``-X importtime`` has
them: of mlp.py's training.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

REPEATS = 5
SCRIPTS = sorted(file.stem for file in measure.ROOT.glob("*.py"))
BARE = {"python -c pass": ["-c", "pass"], "import torch": ["-c", "import torch"]}
OPTIONS = ("--protocol", "clean", "--epochs", "5")


def seconds_of(words: list[str]) -> float:
    """Return the seconds of a Python process that ends well."""
    before = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=measure.ROOT, check=True, capture_output=True)
    return time.perf_counter() - before


def sample(folder: Path) -> list[str]:
    """Write the tiny sample, take it through steps 1 to 5, and return the options that lead to it."""
    to = ["--paths", str(folder / "path.json"), "--dataset", "wechat"]
    steps = ("preprocess_inter", "preprocess_multimodal", "get_user_embedding", "cross_matrix", "gen_matrix")
    seconds_of(["sample_data.py", "--scale", "tiny", "--out", str(folder)])
    for name in steps:
        protocol = OPTIONS[:2] if not name.startswith("preprocess") else ()
        seconds_of([f"{name}.py", *to, *protocol])
    return to


def slowest_imports(words: list[str], number: int = 15) -> list[str]:
    """Return the lines of ``-X importtime`` with the most cumulated time."""
    done = subprocess.run([sys.executable, "-X", "importtime", *words], cwd=measure.ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:") and "[us]" not in line]
    return sorted(lines, key=lambda line: -int(line.split("|")[1]))[:number]


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imports", action="store_true", help="what of a training's imports takes longest")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/start_up.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        to = sample(Path(folder))
        commands = {**BARE, **{f"{name}.py --help": [f"{name}.py", "--help"] for name in SCRIPTS}}
        found: dict[str, list[float]] = {name: [] for name in (*commands, "mlp.py, 5 epochs, tiny")}
        for turn in range(REPEATS):
            for name, words in commands.items():
                found[name].append(seconds_of(words))
            found["mlp.py, 5 epochs, tiny"].append(seconds_of(["mlp.py", *to, *OPTIONS, "--seed", str(turn)]))
        medians = {name: statistics.median(seconds) for name, seconds in found.items()}
        for name, seconds in medians.items():
            print(f"{name:36}{seconds:8.2f} s")
        if args.imports:
            print(*slowest_imports(["mlp.py", *to, *OPTIONS, "--seed", str(REPEATS)]), sep="\n")
    if args.keep:
        measure.keep("start_up", medians)


if __name__ == "__main__":
    main()
