"""Step 6: train a model on one feature (or each of a group) of one task, and test it.

Reads   bipartite_graph/, user_all_embeddings/, matrix/
Writes  saved/<run>/: config, per-epoch history, metrics, predictions, hidden layer and weights of a run
        saved/results.csv: one line for each run, label-rate predictors included
        torch_model/<run>/: the state that an interrupted run goes on from
The last line on stdout is  AUC=0.1234 LogLoss=0.1234 protocol=clean run=<id>
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from load_path import load_path
from mma4ctr import cli, memory
from mma4ctr.arguments import at_least_0, at_least_1, learning_rate, patience, seed, share, truth, weight_decay
from mma4ctr.catalogue import DEVICES, MODAL_SELECT, USER_HISTORIES, USER_REDUCTIONS, features_of
from mma4ctr.models import registry
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS
from mma4ctr.schedule import LOSSES, NEGATIVES, OBSERVED, Schedule
from mma4ctr.settings import Settings, embedding_name

if TYPE_CHECKING:
    from mma4ctr.runs.run import Run


def parser() -> argparse.ArgumentParser:
    """Return the parser of this step; the defaults are the published settings."""
    made = cli.parser(__doc__)
    cli.add_paths_argument(made)
    made.add_argument("--dataset", metavar="TASK", default="wechat", help="the task (default: wechat)")
    made.add_argument("--modal_select", choices=MODAL_SELECT, help="a group of features, trained one after another")
    made.add_argument(
        "--feature",
        metavar="NAME",
        help="one feature, such as visual, va_cross or vat_concat (default: all modalities, concat)",
    )
    made.add_argument("--model", metavar="NAME", default=registry.DEFAULT,
                      help=f"{', '.join(registry.names())} (default: {registry.DEFAULT})")  # fmt: skip
    made.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="what the model's Config has")
    add_schedule_arguments(made)
    made.add_argument("--unmet", type=at_least_1, metavar="N",
                      help="set each test click against N items that its user never met, too")  # fmt: skip
    made.add_argument("--threads", type=at_least_1, metavar="N",
                      help="of the CPU (default: as many as a batch keeps busy)")  # fmt: skip
    made.add_argument("--rank_test", action="store_true",
                      help="rank each test click among 1,000 items that its user never met, and count the items that "
                      "are recommended to anybody")  # fmt: skip
    made.add_argument("--device", choices=DEVICES, default="auto")
    cli.add_protocol_argument(made, PROTOCOLS)
    made.add_argument("--user_embedding_length", type=at_least_0, metavar="N",
                      help="columns before the device; built where it is missing (default: of path.json)")  # fmt: skip
    made.add_argument("--user_reduction", choices=USER_REDUCTIONS, help="likewise")
    made.add_argument("--user_history", choices=USER_HISTORIES,
                      help="made of all rows of the user, or of those before a row; likewise")  # fmt: skip
    made.add_argument("--user_order", choices=USER_ORDERS, help="default: user_order of path.json")
    return made


def add_schedule_arguments(made: argparse.ArgumentParser) -> None:
    """Add the options that are the fields of a `Schedule`; one that is not given is as the model has it."""
    group = made.add_argument_group("training", "each model has defaults of its own; those shown are of MMa4CTR")
    add = functools.partial(group.add_argument, default=argparse.SUPPRESS)
    add("--epochs", type=at_least_1, help=f"the most (default: {Schedule.epochs})")
    add("--learning_rate", type=learning_rate, help=f"of the first epoch (default: {Schedule.learning_rate})")
    add("--batch_size", type=at_least_1, help=f"rows (default: {Schedule.batch_size})")
    add("--lr_change", type=truth, help="halve the rate every 5 epochs: True or False (default: True)")
    add("--no_interruption", dest="interruption", action="store_false",
        help="keep epochs whose validation AUC is <= 0.5")  # fmt: skip
    add("--patience", type=patience, metavar="N",
        help="stop after N epochs without a better validation AUC, and take the best one (default: none)")  # fmt: skip
    add("--loss", choices=LOSSES, help=f"default: {Schedule.loss}")
    add("--weight_decay", type=weight_decay, help="L2 penalty in Adam's gradients (default: 0)")
    add("--negatives", choices=NEGATIVES, help=f"rows without a click that are trained on (default: {OBSERVED})")
    add("--negatives_each", type=at_least_1, metavar="K",
        help=f"drawn for each click (default: {Schedule.negatives_each})")  # fmt: skip
    add("--pool", type=at_least_1, help=f"items that the hardest are taken from (default: {Schedule.pool})")
    add("--alpha", type=share, help=f"of mixed ones, the share from the batch (default: {Schedule.alpha})")
    add("--seed", type=seed, help="of the first weights and the order of batches (default: 0)")
    add("--eval_every", type=at_least_1, metavar="N", help="test after every N epochs as well")


def schedule_of(args: argparse.Namespace) -> Schedule:
    """Return how to train: what was asked for, and otherwise what the model has by default."""
    given = {
        field.name: getattr(args, field.name) for field in dataclasses.fields(Schedule) if hasattr(args, field.name)
    }
    return Schedule(**{**registry.load(args.model).schedule, **given})


def further(args: argparse.Namespace, run: Run) -> Iterator[str]:
    """Yield the lines about the ranking tests of a finished run that were asked for."""
    if args.unmet is not None:
        from mma4ctr.runs import ranking

        found = ranking.evaluate(run, args.unmet)
        yield f"AUC {found['auc']:.4f} of {found['clicks']:,} test clicks against {args.unmet:,} unmet items each"
    if args.rank_test:
        from mma4ctr.use import rank_test

        yield rank_test.line_of(rank_test.evaluate(run))


def with_user_order(settings: Settings, order: str | None, protocol: str) -> Settings:
    """Return the settings with the order of users that was asked for; refuse one that a protocol takes no notice of."""
    if order is None:
        return settings
    if not PROTOCOLS[protocol].orders_users:
        raise cli.UserError(
            f"--user_order {order}: the {protocol} protocol does not cut between users; leave the option out, or give "
            f"--protocol {' or '.join(name for name, row in PROTOCOLS.items() if row.orders_users)}"
        )
    return dataclasses.replace(settings, user_order=order)


def with_user_embeddings(settings: Settings, args: argparse.Namespace, protocol: str) -> Settings:
    """Return the settings with the user embeddings that were asked for, which are built where they are missing."""
    from mma4ctr.features import build_users

    length = settings.user_embedding_length if args.user_embedding_length is None else args.user_embedding_length
    name = embedding_name(args.user_reduction or settings.user_reduction, args.user_history or settings.user_history)
    return build_users.with_user_embeddings(settings, name, length, settings.dataset_of(args.dataset), protocol)


@cli.step
def main(argv: Sequence[str] | None = None) -> list[str]:
    """Run step 6 and return the ids of its runs."""
    args = parser().parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data.registry import dataset_of, task_of
    from mma4ctr.runs import fit
    from mma4ctr.runs.run import native
    from mma4ctr.training import threads
    from mma4ctr.training.devices import device_of, engine_of

    settings, device = load_path(args.paths), device_of(args.device)
    options, schedule = registry.options_of(registry.config_of(args.model, args.set)), schedule_of(args)
    modalities = dataset_of(settings, task_of(settings, args.dataset).dataset).modalities
    features = features_of(modalities, args.feature, args.modal_select)
    protocol, done = args.protocol or settings.protocol, []
    warned: set[str] = set()  # features build on the same steps
    settings = with_user_order(settings, args.user_order, protocol)
    memory.keep_freed_memory()
    if args.threads:
        threads.fix(args.threads)
    with contextlib.closing(engine_of(device, args.model)) as engine:
        if args.user_embedding_length is not None or args.user_reduction or args.user_history:
            settings = engine.agreed(with_user_embeddings(settings, args, protocol) if engine.is_first else settings)
        for feature in features:
            run = native(settings, args.dataset, feature, protocol, schedule, device.type, args.model, options)
            for warning in run.warnings if engine.is_first else ():
                if warning not in warned:
                    warnings.warn(warning, stacklevel=1)
                warned.add(warning)
            fit.finish(run, engine, functools.partial(further, args))
            done.append(run.id)
    return done


if __name__ == "__main__":
    main()
