"""Make benchmarks/RESULTS.md from what the benchmarks kept in benchmarks/results/.

Every figure comes from those files; the sentences stand in results.md.jinja beside this script.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import math
import os
import platform
from pathlib import Path

import jinja2
import measure

SCALES = ("hundredth", "tenth", "full")
LIBRARIES = ("numpy", "scipy", "polars", "torch", "scikit-learn")
GROWING = {"inter": "preprocess_inter", "multimodal": "preprocess_multimodal", "embedding": "get_user_embedding",
           "matrices": "cross_matrix and gen_matrix", "training": "an epoch of training"}  # fmt: skip


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """Return what the figures were measured on: this machine, which must be the one that the benchmarks ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    return {"processor": processor(), "cores": os.cpu_count(), "memory": f"{memory:.0f} GiB",
            "system": f"{platform.system()} {platform.release()}",
            "versions": ", ".join([f"Python {platform.python_version()}", *versions])}  # fmt: skip


def verdict(line: dict) -> str:
    """Return whether a line holds its limits, and by how much."""
    measured = line["seconds"] / (line["bare_seconds"] or 1)
    memory_holds = line["megabytes"] <= line["limit_megabytes"]
    return "yes" if measured <= line["most_seconds"] and memory_holds else "**no**"


def exponent(small: tuple[float, float], large: tuple[float, float]) -> str:
    """Return by which power of the rows a figure grows from one scale to the next."""
    (rows, figure), (more_rows, more) = small, large
    return f"{math.log(more / figure) / math.log(more_rows / rows):.2f}"


def growth(runs: dict[str, dict]) -> list[dict[str, object]]:
    """Return for each step its seconds and megabytes at each scale, and the powers by which they grow."""
    found = []
    for part, step in GROWING.items():
        at = [(run, run["lines"][part][0]) for run in runs.values()]
        points = {name: [(run["sizes"]["rows"], line[name]) for run, line in at] for name in ("seconds", "megabytes")}
        slopes = {name: [exponent(*pair) for pair in itertools.pairwise(row)] for name, row in points.items()}
        found.append({"step": step, "lines": [line for _, line in at], "slopes": slopes})
    return found


def main() -> None:
    """Write RESULTS.md."""
    runs = {
        dataset: {scale: run for scale in SCALES if (run := measure.kept(f"{dataset}_{scale}"))}
        for dataset in ("wechat", "tiktok")
    }
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("results.md.jinja").render(
        machine=machine(), runs=runs, growth={name: growth(found) for name, found in runs.items()}, verdict=verdict,
        row_by_row=measure.kept("row_by_row"), cpu=measure.kept("engines_cpu"), cuda=measure.kept("engines_cuda"),
    )  # fmt: skip
    (folder / "RESULTS.md").write_text(text)
    print(folder / "RESULTS.md")


if __name__ == "__main__":
    main()
