"""The null check: labels that depend on nothing score 0.5 under the clean protocol and more under the published one.

For each seed a sample with `--signal none` is written (users all alike, about 60 rows each), and vat_concat trained for
every task under both protocols. SE = sqrt((n1 + n0 + 1) / (12 n1 n0)) is the standard error of the AUC of scores that
know nothing of the labels (Mann and Whitney), n1 and n0 being the clicks and the other rows of the test part.

clean      |AUC - 0.5| <= 4 SE in every run and <= 4 SE / sqrt(runs) in the mean of a task
published  AUC >= 0.5 + 5 SE, and within 0.05 of what the user's click rate over all rows, test rows included, scores:
           the user embedding carries the labels that it is tested on
others     with --baselines or --native: |AUC - 0.5| <= 4 SE / sqrt(runs) in the mean of each of RecBole's, or of the
           package's other models and each task, under the clean protocol
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import measure
import null_check_models
import numpy as np
from null_error import mean_is_right, standard_error

sys.path.insert(0, str(measure.ROOT))

import cross_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
import sample_data
from baseline.models import MODELS
from load_path import load_path
from mma4ctr.data.registry import TASKS
from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.store import disk, reading

# Other models that can be checked -> their names.
KNOWN = {"baselines": list(MODELS), "native": [name for name in registry.names() if name != registry.DEFAULT]}
TRAINING = ("--feature", "vat_concat", "--epochs", "20", "--batch_size", "1024")


def prepare(out: Path, seed: int, least: int | None) -> Path:
    """Write the sample of one seed, run steps 1 to 4 on users with `least` rows, and return its path.json."""
    folder = out / f"null_{seed}"
    sample_data.main(["--scale", "tiny", "--signal", "none", "--seed", str(seed), "--out", str(folder)])
    if least:
        settings = json.loads((folder / "path.json").read_text())
        rows = dict.fromkeys(("wechat", "tiktok"), least)
        disk.write_json(folder / "path.json", settings | {"min_interactions": rows})
    to = ["--paths", str(folder / "path.json")]
    for step in (preprocess_inter, preprocess_multimodal, cross_matrix):
        step.main(to)
    for protocol in PROTOCOLS:
        get_user_embedding.main([*to, "--protocol", protocol])
    return folder / "path.json"


def all_rows_rate_auc(settings: Settings, task: str, test: np.ndarray) -> float:
    """Return the AUC on the test rows of the user's click rate over all rows, test rows included."""
    task_rows = reading.load(settings, "rows", task=task, protocol="published")
    clicks = np.bincount(task_rows[:, 0], weights=task_rows[:, 2])
    rate = clicks / np.maximum(np.bincount(task_rows[:, 0]), 1)
    return metrics.auc(test[:, 2], rate[test[:, 0]])


def check(file: Path, task: str, protocol: str, seed: int) -> dict[str, float]:
    """Train and test one task and return the figures of the check."""
    with contextlib.redirect_stdout(io.StringIO()):
        (run,) = mlp.main(
            ["--paths", str(file), "--dataset", task, "--protocol", protocol, "--seed", str(seed), *TRAINING]
        )
    settings = load_path(file)
    test = np.load(runs.folder_of(settings, run) / "test_rows.npy", allow_pickle=False)
    positives = int(test[:, 2].sum())
    found = {
        "auc": runs.read_metrics(settings, run)["auc"],
        "n1": positives,
        "se": standard_error(positives, len(test) - positives),
    }
    found["rate"] = all_rows_rate_auc(settings, task, test) if protocol == "published" else 0.5
    if protocol == "clean":
        found["right"] = abs(found["auc"] - 0.5) <= 4 * found["se"]
    else:
        found["right"] = found["auc"] >= 0.5 + 5 * found["se"] and abs(found["auc"] - found["rate"]) <= 0.05
    return found


def check_all(files: Sequence[Path], tasks: Sequence[str]) -> Iterator[bool]:
    """Print a line for each run and each mean, and yield whether it is right."""
    print(
        f"{'task':15}{'protocol':11}{'seed':>5}{'n1':>7}{'SE':>8}{'AUC':>8}{'(AUC-0.5)/SE':>14}{'rate, all rows':>16}"
    )
    for task in tasks:
        for protocol in PROTOCOLS:
            found = [check(file, task, protocol, seed) for seed, file in enumerate(files)]
            for seed, run in enumerate(found):
                off = (run["auc"] - 0.5) / run["se"]
                rate = f"{run['rate']:.4f}" if protocol == "published" else ""
                print(f"{task:15}{protocol:11}{seed:5}{run['n1']:7}{run['se']:8.4f}{run['auc']:8.4f}{off:14.1f}{rate:>16}"
                      f"{'' if run['right'] else '   WRONG'}", flush=True)  # fmt: skip
                yield run["right"]
            mean = mean_is_right(found) if protocol == "clean" else True
            average = np.mean([run["auc"] for run in found])
            print(f"{task:15}{protocol:11} mean{average:23.4f}{'' if mean else '   WRONG'}")
            yield mean


def main() -> None:
    """Run the check and exit with status 1 where it fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=measure.ROOT / "sample")
    parser.add_argument("--seeds", type=int, help="how many seeds, from 0 (default: 5; 3 for other models)")
    for kind, words in {"baselines": "RecBole's models, which need RecBole", "native": "the package's models"}.items():
        parser.add_argument(f"--{kind}", nargs="*", choices=KNOWN[kind], metavar="NAME",
                            help=f"check {words}, instead (default: all of them)")  # fmt: skip
    parser.add_argument("--min_interactions", type=int, metavar="N", help="leave users with fewer rows out, to be "
                        "done sooner: 68 leaves a sixth of the rows (default: of the sample's path.json)")  # fmt: skip
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="default: all")
    args = parser.parse_args()
    kind = next((kind for kind in KNOWN if getattr(args, kind) is not None), None)
    with contextlib.redirect_stdout(io.StringIO()):
        out, seeds = args.out.resolve(), range(args.seeds or (3 if kind else 5))
        files = [prepare(out, seed, args.min_interactions) for seed in seeds]
    wanted = kind and (getattr(args, kind) or KNOWN[kind])
    checks = null_check_models.check_all(kind, files, args.tasks, wanted) if kind else check_all(files, args.tasks)
    sys.exit(0 if all(list(checks)) else 1)


if __name__ == "__main__":
    main()
