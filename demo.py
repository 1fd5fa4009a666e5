"""Run the whole pipeline on sample data: steps 0 to 6 for every task under both protocols, one table, then the report.

Each script's command is printed as it runs, so that the same can be done by hand. What has not changed since the last
time is not done again. The sample is made up: its figures show that the pipeline works, and say nothing about the
published ones.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mma4ctr import cli  # first: it sees to how a script ends, from here on

# isort: split

from rich import box
from rich.console import Console
from rich.table import Table

import adjust_hyperparameter
import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
import sample_data
import statis_and_draw
import viewer
from load_path import load_path
from mma4ctr.catalogue import MODALITIES, groups_of
from mma4ctr.data.registry import TASKS
from mma4ctr.evaluation.metrics import FIGURES
from mma4ctr.features import fusion
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings

# The sample has fewer rows than the real logs, so that the batches are smaller, too.
TRAINING = ("--epochs", "10", "--batch_size", "1024")
ALL_FEATURES_OF = "wechat"
# The report's experiments, reduced: every one of wechat, and every feature of the other tasks, with fewer epochs.
GRIDS = (
    ("--dataset", "wechat", "--protocol", "published", "--longest", "30"),
    ("--protocol", "published", "clean", "--longest", "10", "--experiment", "single_modal", "two_modal_concat",
     "two_modal_cross", "three_modal_cross", "performance"),
)  # fmt: skip
TABLE_WIDTH = 160  # characters; a narrower terminal wraps lines rather than lose figures
# Column of the table -> how a run's metrics fill it; a figure that a row does not have is empty.
COLUMNS: dict[str, Callable[[dict], str]] = {
    "task": lambda run: run["task"],
    "feature": lambda run: run["feature"],
    "protocol": lambda run: run["protocol"],
    "reduction": lambda run: run.get("reduction", ""),
    "in_features": lambda run: str(run.get("in_features", "")),
    "parameters": lambda run: f"{run['parameters']:,}" if "parameters" in run else "",
    **{figure.title: lambda run, figure=figure: figure.in_demo(run) for figure in FIGURES if figure.demo is not None},
    "seconds": lambda run: f"{run['train_seconds'] + run['test_seconds']:.1f}" if "train_seconds" in run else "",
}


def call(script: Callable[[Sequence[str]], object], *arguments: str) -> object:
    """Print the command of a step, then run it."""
    file = Path(str(sys.modules[script.__module__].__file__)).resolve()
    name = file.relative_to(Path(__file__).resolve().parent)
    print(f"\n$ python {name} {shlex.join(arguments)}", flush=True)
    return script(list(arguments))


def prepare(to: Sequence[str], protocols: Iterable[str] = tuple(PROTOCOLS)) -> None:
    """Run steps 1 to 5."""
    call(preprocess_inter.main, *to)
    call(preprocess_multimodal.main, *to)
    for protocol in protocols:
        call(get_user_embedding.main, *to, "--protocol", protocol)
    call(cross_matrix.main, *to)
    call(gen_matrix.main, *to)


def train(to: Sequence[str]) -> list[str]:
    """Run step 6: vat_concat of every task, every feature of one of them; return the runs."""
    done = []
    for task in TASKS:
        for protocol in PROTOCOLS:
            for group in groups_of(MODALITIES) if task == ALL_FEATURES_OF else ("tri_concat",):
                options = ("--dataset", task, "--modal_select", group, "--protocol", protocol, *TRAINING)
                done += call(mlp.main, *to, *options)
    return done


def write_report(to: Sequence[str]) -> None:
    """Run steps 7 to 9."""
    for options in GRIDS:
        call(adjust_hyperparameter.main, *to, *options, "--reduction", "average_pooling", "--jobs", "2")
    call(statis_and_draw.main, *to)
    call(viewer.main, *to, "--protocol", "published", "--reduction", "average_pooling")


def with_label_rates(settings: Settings, done: Iterable[str]) -> list[dict]:
    """Return the metrics of the runs, those of one task and protocol followed by the label-rate predictors."""
    found = [runs.read_metrics(settings, run) for run in done]
    groups: dict[tuple[str, str], list[dict]] = {}
    for run in found:
        groups.setdefault((run["task"], run["protocol"]), []).append(run)
    listed = []
    for group in groups.values():
        # The predictors of the last run: vat_concat's or another fused feature's, which all share their rows.
        fused = [run for run in group if fusion.covers(run["feature"]) == fusion.FUSED]
        listed += group + [runs.read_metrics(settings, run) for run in fused[-1]["label_rates"].values()]
    return listed


def show(found: Iterable[dict]) -> None:
    """Print the table of runs."""
    title = "Test results on sample data (made up: not to be compared with published figures)"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, justify="left" if name in ("task", "feature", "protocol") else "right")
    before = None
    for run in found:
        if before and before != (run["task"], run["protocol"]):
            table.add_section()
        before = (run["task"], run["protocol"])
        table.add_row(*(fill(run) for fill in COLUMNS.values()))
    console = Console()
    (console if console.width >= TABLE_WIDTH else Console(width=TABLE_WIDTH)).print(table)
    print("user_rate, item_rate and user_item_rate know only the click rates of the training rows.")
    print("published: user embeddings carry test labels. clean: they do not. The README says why both are shown.")


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = cli.parser(__doc__)
    parser.add_argument("--scale", choices=("tiny", "demo"), default="demo", help="size of the sample (default: demo)")
    parser.add_argument("--out", type=Path, help="folder of the sample (default: sample/SCALE)")
    parser.add_argument("--no_report", action="store_true", help="stop after the table")
    args = parser.parse_args(argv)
    out = args.out or Path("sample") / args.scale
    call(sample_data.main, "--scale", args.scale, "--out", str(out))
    to = ("--paths", str(out / "path.json"))
    prepare(to)
    show(with_label_rates(load_path(to[1]), train(to)))
    if not args.no_report:
        write_report(to)
    print(f"\nEverything lies in {out}; one line for each run in {out / 'saved' / 'results.csv'}")
    if not args.no_report:
        print(f"Every table and figure beside the published ones: {out / 'saved' / 'report.html'}")


if __name__ == "__main__":
    main()
