"""Run the whole pipeline on real data: MovieLens-100k, which RecBole brings along, steps 1 to 9, with the baselines.

A rating of 4 or 5 is a click. Content are the words of titles (textual) and the genres. MMa4CTR, the eight published
baselines and the label-rate predictors are trained and tested on the same rows under the clean protocol, each from
several seeds. Each model stands in the table after the number of epochs, of those that it was tested after, that has
the highest mean AUC on the validation rows. With --models, other models of the package are trained, too, each at the
learning rate, and with the weight decay or dropout of ids, that are best on the validation rows. What has not changed
since the last time is not done again.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from mma4ctr import cli  # first: it sees to how a script ends, from here on

# isort: split

import adjust_hyperparameter
import statis_and_draw
import viewer
from demo import call, prepare
from load_path import load_path
from mma4ctr.arguments import at_least_1
from mma4ctr.settings import RAW_FOLDER

DATASET = "ml100k_recbole"
LONGEST = 50  # epochs of MMa4CTR
ALSO = ("weight_decay=0.0001", "id_dropout=0.8")  # what other models are tried with, each that has it
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


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run the pipeline."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, default=Path("sample") / "real", help="where everything is written")
    parser.add_argument("--seeds", type=at_least_1, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="other models of the package: all, or their names")
    parser.add_argument("--no_report", action="store_true", help="stop after the table")
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from baseline import comp
    from mma4ctr.grid.results import Results
    from mma4ctr.report import leaderboard
    from mma4ctr.report.sources import TaskRuns
    from mma4ctr.store import disk

    content = {"parent_folder": ".", "protocol": "clean", RAW_FOLDER.format(DATASET): str(raw_folder())}
    disk.write_json(args.out / "path.json", content)
    to = ("--paths", str(args.out / "path.json"))
    here, seeds = (*to, "--dataset", DATASET), ("--seeds", str(args.seeds))
    prepare(here, ["clean"])
    call(adjust_hyperparameter.main, *here, "--protocol", "clean", "--reduction", "pca", "--experiment", *EXPERIMENTS,
         "--longest", str(LONGEST), *seeds)  # fmt: skip
    if args.models:
        call(adjust_hyperparameter.main, *here, "--protocol", "clean", "--models", *args.models, "--also", *ALSO,
             *seeds, "--jobs", "2")  # fmt: skip
    for models, tested in BASELINES.items():
        call(comp.main, *here, "--setting", "clean", "--models", *models, "--epochs", *map(str, tested),
             "--config", str(OPTIONS), *seeds)  # fmt: skip
    task = TaskRuns(Results(load_path(to[1])), DATASET)
    if not args.no_report:
        call(statis_and_draw.main, *here)
        call(viewer.main, *here, "--protocol", "clean", "--reduction", "pca")
    leaderboard.show(task, f"Test results on MovieLens-100k (real), clean protocol, {args.seeds} seeds")
    print(f"Everything lies in {args.out}; one line for each run in {args.out / 'saved' / 'results.csv'}")
    if not args.no_report:
        print(f"Every table and figure: {args.out / 'saved' / 'report.html'}")


if __name__ == "__main__":
    main()
