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
from mma4ctr.catalogue import MODALITIES, features_of, groups_of
from mma4ctr.ending import from_here
from mma4ctr.protocol import PROTOCOLS
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
PLAN = """Made-up logs of both published data sets go through every step: logs, item features, user embeddings,
matrices (steps 0 to 5), {models} models (step 6), whose table follows, and then {then}.
About {minutes} on two cores the first time; what has not changed is not done again."""


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


def trainings() -> list[tuple[str, ...]]:
    """Return the options of step 6: vat_concat of every task, every feature of one of them, under both protocols."""
    from mma4ctr.data.registry import TASKS

    return [
        ("--dataset", task, "--modal_select", group, "--protocol", protocol, *TRAINING)
        for task in TASKS
        for protocol in PROTOCOLS
        for group in (groups_of(MODALITIES) if task == ALL_FEATURES_OF else ("tri_concat",))
    ]


def train(to: Sequence[str]) -> list[str]:
    """Run step 6 and return the runs."""
    return [run for options in trainings() for run in call(mlp.main, *to, *options)]  # type: ignore[attr-defined]


def write_report(to: Sequence[str]) -> None:
    """Run steps 7 to 9."""
    for options in GRIDS:
        call(adjust_hyperparameter.main, *to, *options, "--reduction", "average_pooling", "--jobs", "2")
    call(statis_and_draw.main, *to)
    call(viewer.main, *to, "--protocol", "published", "--reduction", "average_pooling")


def with_label_rates(settings: Settings, done: Iterable[str]) -> list[dict]:
    """Return the metrics of the runs, those of one task and protocol followed by the label-rate predictors."""
    from mma4ctr.features import fusion
    from mma4ctr.runs import folder as runs

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


def columns() -> dict[str, Callable[[dict], str]]:
    """Return the columns of the table, and how a run's metrics fill each; what a run does not have is empty."""
    from mma4ctr.evaluation.calibration import NAME
    from mma4ctr.evaluation.metrics import FIGURES

    return {
        "task and protocol": lambda run: f"{run['task']}, {run['protocol']}",
        "feature": lambda run: run["feature"],
        **{row.title: lambda run, row=row: row.in_demo(run) for row in FIGURES if row.demo is not None},
        "calibrated": lambda run: "" if run.get(NAME) is None else f"{run[NAME]:.4f}",
    }


def show(found: Iterable[dict]) -> None:
    """Print the table of runs."""
    title = "Test results on sample data (made up: not to be compared with published figures)"
    table, cells_of = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)), columns()
    for number, name in enumerate(cells_of):
        table.add_column(name, no_wrap=True, justify="left" if number < 2 else "right")
    before = None
    for run in found:
        group, *cells = (fill(run) for fill in cells_of.values())
        if before not in (None, group):
            table.add_section()
        table.add_row("" if group == before else group, *cells)
        before = group
    cli.print_table(table)
    print("user_rate, item_rate and user_item_rate know only the click rates of the training rows.")
    print("published: user embeddings carry test labels. clean: they do not; docs/protocols.md says why both.")
    print("LogLoss is large: the published loss orders a batch's rows, and says not how likely a click is;")
    print("calibrated is LogLoss after Platt's scaling on validation rows, which compares with the rates'.")


def recommendation(to: Sequence[str]) -> str:
    """Return a command that ranks items for a user of the sample, by this very Python: it works as it stands."""
    from mma4ctr.store import reading

    user = reading.load(load_path(to[1]), "users", dataset=ALL_FEATURES_OF)[0, 0]
    what = ("--best", "--dataset", ALL_FEATURES_OF, "--protocol", "clean", "--user", str(user), "--unseen")
    return shlex.join((from_here(sys.executable), "recommend.py", *to, *what))


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = cli.parser(__doc__)
    parser.add_argument("--scale", choices=("tiny", "demo"), default="demo", help="size of the sample (default: demo)")
    parser.add_argument("--out", type=Path, help="folder of the sample (default: sample/SCALE)")
    parser.add_argument("--no_report", action="store_true", help="stop after the table")
    args = parser.parse_args(argv)
    then = "nothing more" if args.no_report else "the reduced experiments and the report (7 to 9)"
    models = sum(len(features_of(MODALITIES, None, words[words.index("--modal_select") + 1])) for words in trainings())
    print(PLAN.format(models=models, then=then, minutes="a minute" if args.no_report else "three minutes"))
    out = args.out or Path("sample") / args.scale
    call(sample_data.main, "--scale", args.scale, "--out", str(out))
    to = ("--paths", str(out / "path.json"))
    prepare(to)
    found = with_label_rates(load_path(to[1]), train(to))
    show(found)
    if not args.no_report:
        write_report(to)
        show(found)  # once more: pages of output are between
    print(f"\nEverything lies in {out}; one line for each run in {out / 'saved' / 'results.csv'}")
    if not args.no_report:
        print(f"Every table and figure beside the published ones: {out / 'saved' / 'report.html'}")
    print(f"The ten best videos for a user: {recommendation(to)}")


if __name__ == "__main__":
    main()
