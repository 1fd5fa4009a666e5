"""Print what the finished runs found, as saved/results.csv has it, in a table of 100 columns.

Reads   saved/<run>/metrics.json
Writes  saved/results.csv, anew
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from load_path import load_path
from mma4ctr import cli
from mma4ctr.ending import from_here
from mma4ctr.protocol import PROTOCOLS

# Head of a column -> its value, from a line of results.csv; the task stands above its runs.
SHOWN: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "run": lambda line: line["run"],
    "protocol": lambda line: line["protocol"],
    "model, feature": lambda line: "/".join(filter(None, (line["model"], line["feature"]))),
    "epoch": lambda line: text(line["best_epoch"] if line["patience"] else line["epochs"], "d"),
    "rate": lambda line: text(line["learning_rate"], "g"),
    "seed": lambda line: text(line["seed"], "d"),
    "AUC": lambda line: text(line["auc"], ".4f"),
    "GAUC": lambda line: text(line["gauc"], ".4f"),
    "LogLoss": lambda line: text(line["logloss"], ".4f"),
}
RISING = ("logloss", "logloss_calibrated")  # the less, the better


def order_of(column: str) -> Any:
    """Return the key that sorts lines: the best figures, or the least of any other column, first; gaps last."""
    from mma4ctr.evaluation.metrics import FIGURES

    falls = column in {figure.name for figure in FIGURES} - set(RISING)

    def key(line: Mapping[str, Any]) -> tuple:
        value = line[column]
        return (value is None, 0 if value is None else -value if falls else value)

    return key


def text(value: float | None, form: str) -> str:
    """Return a number as the table shows it, blank where a run has none."""
    return "" if value is None else f"{value:{form}}"


def show(title: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Print the table of a task."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, head in enumerate(SHOWN):
        table.add_column(head, no_wrap=True, justify="left" if number < 3 else "right")
    for line in lines:
        table.add_row(*(value(line) for value in SHOWN.values()))
    cli.print_table(table)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables of the chosen tasks."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    cli.add_tasks_argument(parser)
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: both")
    parser.add_argument("--sort", metavar="COLUMN", help="of results.csv, such as auc: the best first (default: as "
                        "there, by task, protocol, feature and model)")  # fmt: skip
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data.registry import chosen_tasks
    from mma4ctr.runs import folder

    settings = load_path(args.paths)
    if args.sort is not None and args.sort not in folder.COLUMNS:
        raise cli.UserError(f"--sort {args.sort!r:.60}: unknown, expected one of {', '.join(folder.COLUMNS)}")
    lines = [line for line in map(folder.line_of, folder.all_metrics(settings))
             if args.protocol in (None, line["protocol"])]  # fmt: skip
    tasks = chosen_tasks(settings, args.dataset) if args.dataset else sorted({line["task"] for line in lines})
    for task in tasks:
        own = sorted((line for line in lines if line["task"] == task),
                     key=lambda line: [str(line[name] or "") for name in folder.ORDER])  # fmt: skip
        if not own:
            print(
                f"{task}: no finished run in {from_here(settings.saved_path)}; python mlp.py --dataset {task} makes one"
            )
            continue
        show(f"{task}: {len(own):,} runs", sorted(own, key=order_of(args.sort)) if args.sort else own)
    if lines:
        print(f"all columns: {from_here(folder.rebuild_results(settings))}")


if __name__ == "__main__":
    main()
