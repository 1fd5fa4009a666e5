"""Every step on raw logs of a chosen scale: time and memory, beside limits that are measured in the same run.

    python benchmarks/pipeline.py --scale tenth --dataset wechat tiktok

writes the sample if it is not there (full: 25 GB), runs steps 1 to 6 on it from nothing, each in a process of its own,
and keeps what was measured in benchmarks/results/<dataset>_<scale>.json, from which write_results.py makes RESULTS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT))

from load_path import load_path
from mma4ctr.data.registry import DATASETS
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.sampling.scales import WECHAT_SCALES
from mma4ctr.settings import Settings

SCALES = [scale for scale, signal in WECHAT_SCALES if signal == "taste"]
TIMED_TASKS = {"wechat": "wechat", "tiktok": "tiktok_finish"}
FEATURE, PROTOCOL, BATCH, EPOCHS = "vat_concat", "clean", 8_192, 5
LIMITS, PASSES = (str(measure.ROOT / "benchmarks" / name) for name in ("limits.py", "passes.py"))


@dataclasses.dataclass
class Line:
    """One line of the table.

    seconds, megabytes : what was measured
    limit_megabytes : what the memory must stay below
    bare_seconds : what the step cannot do without, measured in the same run; None where `most_seconds` is the limit
    most_seconds : the limit, in seconds, or in multiples of `bare_seconds` where that is there
    """

    what: str
    seconds: float
    megabytes: float | None
    limit_megabytes: float | None
    most_seconds: float
    bare_seconds: float | None = None
    bare: str = ""

    def text(self) -> str:
        """Return the line as it is printed."""
        memory = "" if self.megabytes is None else f"{self.megabytes:8.0f} MB"
        if self.bare_seconds is None:
            return f"{self.what:34}{self.seconds:9.2f} s {memory:11}   limit {self.most_seconds:g} s"
        ratio = self.seconds / self.bare_seconds
        return (f"{self.what:34}{self.seconds:9.2f} s {memory:11}   {ratio:.2f} x {self.bare} "
                f"({self.bare_seconds:.2f} s), limit {self.most_seconds:g} x")  # fmt: skip


def step(script: str, file: Path, dataset: str, *more: str) -> tuple[float, float]:
    """Run a step from nothing; return seconds and megabytes."""
    return measure.run(script, "--paths", str(file), "--dataset", dataset, "--force", *more)[:2]


def inter(file: Path, dataset: str) -> list[Line]:
    """Measure step 1; of WeChat's short log nearly all rows are kept, and writing them takes most of the time."""
    measured = step("preprocess_inter.py", file, dataset)
    if dataset == "wechat":
        return [Line("preprocess_inter", *measured, 6_000, 30)]
    limits = {(): "a bare polars count-then-filter", ("item_id",): "the same, items counted too"}
    bare = {also: measure.run(LIMITS, "count_then_filter", str(file), dataset, *also)[0] for also in limits}
    return [Line("preprocess_inter", *measured, 6_000, 2.0, bare[also], what) for also, what in limits.items()]


def multimodal(file: Path, dataset: str) -> list[Line]:
    """Measure step 2."""
    measured = step("preprocess_multimodal.py", file, dataset)
    if dataset == "wechat":
        return [Line("preprocess_multimodal", *measured, 6_000, 300)]
    limits = {
        "kept_lines": "pulling out the kept lines",
        "decoded_lines": "pulling them out, numbers decoded",
    }
    bare = {name: measure.run(LIMITS, name, str(file), dataset)[0] for name in limits}
    return [Line("preprocess_multimodal", *measured, 6_000, 2.0, bare[name], what) for name, what in limits.items()]


def embedding(file: Path, dataset: str) -> Line:
    """Measure step 3, both protocols."""
    measured = [step("get_user_embedding.py", file, dataset, "--protocol", name) for name in PROTOCOLS]
    seconds, megabytes = zip(*measured, strict=True)
    return Line("get_user_embedding, both protocols", sum(seconds), max(megabytes), 6_000, 60)


def matrices(file: Path, dataset: str) -> Line:
    """Measure steps 4 and 5 together."""
    measured = [step(script, file, dataset) for script in ("cross_matrix.py", "gen_matrix.py")]
    seconds, megabytes = zip(*measured, strict=True)
    bare = json.loads(measure.run(LIMITS, "write_again", str(file), dataset)[2])["on the disk"]
    return Line("cross_matrix and gen_matrix", sum(seconds), max(megabytes), 8_000, 2.0, bare,
                "writing their output to the disk")  # fmt: skip


def training(file: Path, dataset: str) -> list[Line]:
    """Measure step 6: an epoch with its validation, and a test of 860,000 rows."""
    task, saved = TIMED_TASKS[dataset], load_path(file).saved_path
    # A seed of the clock: a run that was finished before would not be trained again.
    options = ("--feature", FEATURE, "--protocol", PROTOCOL, "--epochs", str(EPOCHS), "--batch_size", str(BATCH),
               "--no_interruption", "--seed", str(time.time_ns() % 10**9))  # fmt: skip
    _, megabytes, output = measure.run("mlp.py", "--paths", str(file), "--dataset", task, *options)
    folder = saved / re.search(r"run=(\w+)$", output.strip())[1]
    found, history = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "history"))
    # The fastest of both, since what else the machine does only slows them down.
    seconds, rows = min(entry["seconds"] for entry in history), found["rows"]["training"]
    passes = measure.run(PASSES, "bare_passes", str(found["in_features"]), str(rows), str(BATCH))
    _, test_megabytes, tested = measure.run(PASSES, "score_rows", str(file), task, FEATURE, PROTOCOL)
    return [
        Line(f"epoch of {task}, {rows:,} rows", seconds, megabytes, 8_000, 1.3, json.loads(passes[2])["seconds"],
             "the bare passes over resident batches"),
        Line(f"test of 860,000 rows of {task}", json.loads(tested)["seconds"], test_megabytes, 4_000, 2.0),
    ]  # fmt: skip


def sizes(settings: Settings, dataset: str) -> dict[str, object]:
    """Return what the table of growth needs: rows and files."""
    counts = json.loads((settings.graph_path / "records" / f"preprocess_inter_{dataset}.json").read_text())["counts"]
    return {
        "rows": counts["raw"]["rows"], "kept_rows": counts["kept"]["rows"], "kept_users": counts["kept"]["users"],
        "kept_items": counts["kept"]["items"], "raw_megabytes": measure.size_of(settings.raw_folder(dataset)),
        "matrix_megabytes": measure.size_of(settings.matrix_path, f"{dataset}_*"),
    }  # fmt: skip


PARTS = {"inter": inter, "multimodal": multimodal, "embedding": embedding, "matrices": matrices, "training": training}


def measure_all(file: Path, dataset: str, scale: str, parts: Sequence[str]) -> None:
    """Measure parts of the pipeline on one data set, print the lines as they come, and keep them with those before."""
    name = f"{dataset}_{scale}"
    lines = (measure.kept(name) or {"lines": {}})["lines"]
    for part in parts:
        found = PARTS[part](file, dataset)
        found = found if isinstance(found, list) else [found]
        print("\n".join(line.text() for line in found), flush=True)
        lines[part] = [dataclasses.asdict(line) for line in found]
    found = sizes(load_path(file), dataset)
    print(f"{'matrix/ on disk':34}{found['matrix_megabytes']:9.1f} MB   limit 3000 MB for everything")
    command = f"python benchmarks/pipeline.py --scale {scale} --dataset {dataset}"
    content = {"dataset": dataset, "scale": scale, "date": datetime.date.today().isoformat(), "command": command,
               "sizes": found, "lines": {part: lines[part] for part in PARTS if part in lines}}  # fmt: skip
    measure.keep(name, content)


def main() -> None:
    """Write the samples that are not there, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="tenth")
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the sample (default: sample/bench_<scale>)")
    args = parser.parse_args()
    out = (args.out or measure.ROOT / "sample" / f"bench_{args.scale}").resolve()
    for dataset in args.dataset:
        seconds, *_ = measure.run("sample_data.py", "--scale", args.scale, "--dataset", dataset, "--out", str(out))
        print(f"{dataset}, {args.scale}: sample written, or there, after {seconds:.1f} s", flush=True)
        measure_all(out / "path.json", dataset, args.scale, args.parts)


if __name__ == "__main__":
    main()
