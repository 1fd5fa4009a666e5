"""Run the whole pipeline on real data: MovieLens-100k, which RecBole brings along, steps 1 to 9, with the baselines.

A rating of 4 or 5 is a click. Content are the words of titles (textual) and the genres. MMa4CTR, the eight published
baselines and the label-rate predictors are trained and tested on the same rows under the clean protocol, each from
several seeds. Each model stands in the table after the number of epochs, of those that it was tested after, that has
the highest mean AUC on the validation rows. With --models, other models of the package are trained, too, each at the
learning rate that is best on the validation rows. What has not changed since the last time is not done again.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from mma4ctr import cli  # first: it sees to how a script ends, from here on

# isort: split

from rich import box
from rich.console import Console
from rich.table import Table

import adjust_hyperparameter
import statis_and_draw
import viewer
from baseline import comp
from demo import call, prepare
from load_path import load_path
from mma4ctr.arguments import at_least_1
from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.results import Results
from mma4ctr.report.sources import LabelRate, Ours, Source, TaskRuns
from mma4ctr.runs import folder as runs
from mma4ctr.runs.comparison import Summary, summarise
from mma4ctr.runs.finished import Evaluation
from mma4ctr.settings import RAW_FOLDER
from mma4ctr.store import disk

DATASET = "ml100k_recbole"
LONGEST = 50  # epochs of MMa4CTR
EXPERIMENTS = ("performance", "single_modal", "two_modal_cross")
# Models of RecBole -> after how many epochs they are tested. Those that read histories take longer and overfit sooner.
BASELINES = {
    ("BPR",): (10, 20, 30, 50),
    ("LightGCN", "NGCF"): (10, 20),
    ("FPMC",): (2, 5, 10),
    ("BERT4Rec", "GCSAN", "DIN", "DIEN"): (1, 2, 3),
}
OPTIONS = Path(__file__).resolve().parent / "baseline" / "real.yaml"


def raw_folder() -> Path:
    """Return where RecBole keeps MovieLens-100k.

    Raises
    ------
    UserError
        If RecBole is not installed, or has no such folder.
    """
    found = importlib.util.find_spec("recbole")
    folder = Path(str(found.origin)).parent / "dataset_example" / "ml-100k" if found else None
    if folder is None or not folder.is_dir():
        raise cli.UserError(f"{folder or 'recbole'}: not there; RecBole 1.2.1 brings MovieLens-100k along: run make "
                            "real, or install it as README.md says")  # fmt: skip
    return folder


def validation_auc(evaluations: Sequence[Evaluation]) -> float:
    """Return the mean over seeds of the validation AUC when these runs were tested."""
    found = [runs.load_json(one.folder, "history")[(one.kept or one.epoch) - 1]["valid_auc"] for one in evaluations]
    return sum(found) / len(found)


def chosen(source: Source) -> tuple[int | None, Sequence[Evaluation]]:
    """Return after how many epochs a model is shown, by its validation rows alone, and what it scored then."""
    found = {epochs: source.evaluations(epochs) for epochs in source.epochs}
    best = max(found, key=lambda epochs: validation_auc(found[epochs])) if None not in found else None
    return best, found[best]


def sources_of(task: TaskRuns) -> Iterator[Source]:
    """Yield MMa4CTR on all modalities and on each alone, the baselines, and the label-rate predictors, if they ran."""
    (variant,) = [one for one in task.variants if one.protocol == "clean" and one.reduction == "pca"]
    ours = [task.adaptive, *task.experiments["single_modal"].rows.values()]
    yield from (one for one in (Ours(task, variant, setting) for setting in ours) if one.epochs)
    yield from (one for one in task.others if one.protocol == "clean")
    known = task.any_evaluation(variant)
    if known is not None:
        yield from (LabelRate(name, task.results.label_rate(known, name)) for name in LABEL_RATES)


def name_of(source: Source) -> str:
    """Return what a model is called in the table."""
    if not isinstance(source, Ours):
        return source.name
    return f"MMa4CTR, {'all' if source.setting == source.runs.adaptive else source.setting.feature}"


def cells_of(source: Source) -> tuple[str, ...]:
    """Return the row of a model."""
    epochs, evaluations = chosen(source)
    found: Summary = summarise(evaluations)
    figures = found.figures
    spread = "" if epochs is None or found.seeds < 2 else f"{found.spread:.4f}"
    return (
        name_of(source), "" if epochs is None else str(epochs), f"{figures['auc']:.4f}",
        "[{:.4f}, {:.4f}]".format(*found.interval), spread, f"{figures['gauc']:.4f}", f"{figures['logloss']:.4f}",
        f"{figures['average_precision']:.4f}",
    )  # fmt: skip


def show(task: TaskRuns, seeds: int) -> None:
    """Print the table."""
    table = Table(title=f"Test results on MovieLens-100k (real), clean protocol, {seeds} seeds", box=box.SIMPLE_HEAD)
    for name in ("model", "epochs", "AUC", "95 % interval", "± seeds", "GAUC", "LogLoss", "AP"):
        table.add_column(name, no_wrap=True, justify="left" if name == "model" else "right")
    for source in sources_of(task):
        table.add_row(*cells_of(source))
    console = Console()
    (console if console.width >= 100 else Console(width=100)).print(table)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run the pipeline."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, default=Path("sample") / "real", help="where everything is written")
    parser.add_argument("--seeds", type=at_least_1, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="other models of the package: all, or their names")
    parser.add_argument("--no_report", action="store_true", help="stop after the table")
    args = parser.parse_args(argv)
    content = {"parent_folder": ".", "protocol": "clean", RAW_FOLDER.format(DATASET): str(raw_folder())}
    disk.write_json(args.out / "path.json", content)
    to = ("--paths", str(args.out / "path.json"))
    here, seeds = (*to, "--dataset", DATASET), ("--seeds", str(args.seeds))
    prepare(here, ["clean"])
    call(adjust_hyperparameter.main, *here, "--protocol", "clean", "--reduction", "pca", "--experiment", *EXPERIMENTS,
         "--longest", str(LONGEST), *seeds)  # fmt: skip
    if args.models:
        call(adjust_hyperparameter.main, *here, "--protocol", "clean", "--models", *args.models, *seeds, "--jobs", "2")
    for models, tested in BASELINES.items():
        call(comp.main, *here, "--setting", "clean", "--models", *models, "--epochs", *map(str, tested),
             "--config", str(OPTIONS), *seeds)  # fmt: skip
    task = TaskRuns(Results(load_path(to[1])), DATASET)
    if not args.no_report:
        call(statis_and_draw.main, *here)
        call(viewer.main, *here, "--protocol", "clean", "--reduction", "pca")
    show(task, args.seeds)
    print(f"Everything lies in {args.out}; one line for each run in {args.out / 'saved' / 'results.csv'}")
    if not args.no_report:
        print(f"Every table and figure: {args.out / 'saved' / 'report.html'}")


if __name__ == "__main__":
    main()
