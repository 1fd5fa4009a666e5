"""Use a finished run: score pairs of users and items, or rank items for users.

Reads   saved/<run>/ and the artefacts of steps 1 to 5 that the run was built on
Writes  the file of --out; without it, CSV on stdout

A pair is scored as it would be shown after all training rows: the user's last training clicks, the counts of all
training rows, the time slot after them, the context of the user's last training row. Ids are those of the logs.

--pairs FILE   CSV or Parquet with the columns user and item -> the same with a column probability
--user U ...   the --top items of each of these users, best first: user, rank, item, probability
--all_users    the same of every user of the data set
--items FILE   new items, which are scored and ranked with the others. Parquet: a column item, and for each modality of
               the run's feature a column of lists of numbers: <modality>, a row of step 2's matrix
               multi_modal/<data set>_<modality>.npy, or <modality>_raw, what the raw files have, which step 2 reduces.
               They pass the reductions and scalers that steps 2 to 5 fitted to the items of the logs.

An unknown user has no history. An unknown item needs content: without it a pair gets no probability. Both are counted
in a warning.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mma4ctr import cli
from mma4ctr.arguments import at_least_1
from mma4ctr.protocol import PROTOCOLS


def parser() -> argparse.ArgumentParser:
    """Return the parser of this script."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", metavar="ID", help="the run, by its id or its folder")
    which.add_argument("--best", action="store_true", help="the run with the highest validation AUC of --dataset")
    made.add_argument("--dataset", metavar="TASK", help="the task of --best")
    cli.add_protocol_argument(made, PROTOCOLS)
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--pairs", metavar="FILE", type=Path, help="score these pairs")
    what.add_argument("--user", nargs="+", metavar="U", help="rank items for these users")
    what.add_argument("--all_users", action="store_true", help="rank items for every user")
    made.add_argument("--top", type=at_least_1, metavar="K", default=10, help="items of a user (default: 10)")
    made.add_argument("--unseen", action="store_true", help="leave out items that the user met in any row of the task")
    made.add_argument("--items", metavar="FILE", type=Path, help="new items, see above")
    made.add_argument("--out", metavar="FILE", type=Path, help="CSV or Parquet, by the ending")
    return made


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Score or rank, and write the table."""
    args = parser().parse_args(argv)
    if args.best != (args.dataset is not None):
        raise cli.UserError("--best and --dataset TASK go together: the one names the task of the other")

    from load_path import load_path
    from mma4ctr.use import command, tables

    for file in (args.pairs, args.items, args.out):
        if file is not None:
            tables.ending_of(file)
    settings = load_path(args.paths)
    run = command.chosen(settings, args.run, args.dataset, args.protocol)
    if args.items is not None:
        run.add_items(tables.read(args.items, ("item",)), str(args.items))
    if args.pairs is not None:
        found = command.scored(run, tables.read(args.pairs, ("user", "item")))
    else:
        found = command.ranked(run, args.user, args.top, unseen=args.unseen)
    if args.out is None:
        print(found.write_csv(), end="")
    else:
        tables.write(args.out, found)
        print(f"recommend.py {run.run.task} {run.run.id}: {len(found):,} rows in {args.out}")


if __name__ == "__main__":
    main()
