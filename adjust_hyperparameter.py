"""Step 7: run the publication's experiments, or other models; every finished run is kept and never repeated.

Reads   bipartite_graph/, multi_modal/, user_all_embeddings/, matrix/
Writes  saved/<run>/ and a line of saved/results.csv for each run (see mlp.py)
        saved/settings/<reduction>_<length>/: path.json and user embeddings of settings that path.json does not have

One run serves every number of epochs that it passes through. Killed at any moment, the same command goes on where it
was. Afterwards viewer.py writes the tables and figures.

With --models, the models of the package are trained on the same rows instead: each at some learning rates from one
seed, then, at the best of them, with what --also says, then, from all seeds, at what has the highest validation AUC.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from load_path import load_path
from mma4ctr import cli
from mma4ctr.arguments import REGULARISATIONS, at_least_1, learning_rate, regularisation
from mma4ctr.catalogue import USER_REDUCTIONS
from mma4ctr.ending import from_here
from mma4ctr.grid.experiments import EVERY, EXPERIMENTS, RATES
from mma4ctr.models import registry
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import EMBEDDINGS


def parser() -> argparse.ArgumentParser:
    """Return the parser of this step."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    cli.add_tasks_argument(made)
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--experiment", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME",
        help="; ".join(f"{name}: table {row.table.format('x')}" for name, row in EXPERIMENTS.items()),
    )  # fmt: skip
    what.add_argument("--models", nargs="+", metavar="NAME",
                      help=f"{EVERY}, or some of {', '.join(registry.names())}")  # fmt: skip
    made.add_argument("--learning_rates", nargs="+", type=learning_rate, default=list(RATES), metavar="RATE",
                      help="what each of --models is tried at (default: "
                      f"{' '.join(f'{rate:g}' for rate in RATES)})")  # fmt: skip
    made.add_argument("--also", nargs="+", type=regularisation, default=[], metavar="NAME=VALUE",
                      help="each tried at the best of the rates, for models that have it, beside the model's own: "
                      f"{' or '.join(REGULARISATIONS)} (default: none)")  # fmt: skip
    made.add_argument("--ablations", action="store_true",
                      help="then --models without each of their parts, those that have such experiments")  # fmt: skip
    made.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS), help="default: both")
    made.add_argument("--reduction", nargs="+", choices=EMBEDDINGS, default=list(USER_REDUCTIONS),
                      help=f"of the user embeddings: {', '.join(EMBEDDINGS)} (default: the first two)")  # fmt: skip
    made.add_argument("--seeds", type=at_least_1, default=1, metavar="N", help="seeds 0 to N - 1 (default: 1)")
    made.add_argument("--longest", type=at_least_1, default=100, metavar="EPOCHS",
                      help="leave out what takes more epochs (default: 100, nothing left out)")  # fmt: skip
    where = made.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=at_least_1, default=1, metavar="N", help="runs at a time (default: 1)")
    cli.add_scheduler_argument(where)
    made.add_argument("--dry_run", action="store_true", help="list the runs and about how long they take, and stop")
    return made


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 7."""
    args = parser().parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data.registry import chosen_tasks
    from mma4ctr.grid import running
    from mma4ctr.runs import folder as runs
    from mma4ctr.training.data_parallel import is_launched

    settings = load_path(args.paths)
    if is_launched():
        raise cli.UserError("torchrun starts processes that train one model, which mlp.py does; start the grid without "
                            "it, with --jobs or --scheduler")  # fmt: skip
    asked = running.Asked(
        tuple(chosen_tasks(settings, args.dataset)), tuple(args.protocol), tuple(args.reduction),
        tuple(args.experiment), tuple(args.models or ()), tuple(args.learning_rates), tuple(args.also),
        args.ablations, args.seeds, args.longest, args.jobs, args.scheduler,
    )  # fmt: skip
    if args.ablations and not args.models:
        raise cli.UserError("--ablations: found no --models, whose parts it leaves out; give --models mma4ctr_plus")
    if args.dry_run:
        return (running.list_models if args.models else running.list_experiments)(settings, asked)
    done, failed = (running.run_models if args.models else running.run_experiments)(settings, asked)
    results = runs.rebuild_results(settings)
    print(f"{done} run now, {failed} could not be run; one line for each run in {from_here(results)}")
    if failed:
        raise cli.UserError(f"{failed} runs could not be run, for the reasons above; mend them and give the same "
                            "command again")  # fmt: skip


if __name__ == "__main__":
    main()
