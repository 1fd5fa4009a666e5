"""The ranking test of a finished run with all its figures, and how much of the items is recommended to anybody."""

from __future__ import annotations

from typing import Any

import numpy as np

from mma4ctr.cli import UserError
from mma4ctr.evaluation import ranking
from mma4ctr.runs import folder
from mma4ctr.runs.ranking import STREAM, draws_of, refuse_counts, scores_of, test_clicks
from mma4ctr.runs.run import Run
from mma4ctr.store import disk
from mma4ctr.use.trained import TrainedRun

NUMBER = 1_000  # candidates of a click, as the HyperCTR paper has it
AT_ONCE = 2_048  # clicks whose candidates are kept at a time
FILE = "ranking.json"


def ranks_of(run: TrainedRun) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank of each test click (n,) float64 among its candidates, and how many these are (n,).

    Candidates are `NUMBER` items that the user met in no row of the task, or all of them where there are fewer. Each
    is shown in the place of the click, at the same moment and with the same history.
    """
    inputs, settings = run.inputs, run.run.settings
    test, shown = inputs.task.part("test"), test_clicks(inputs, run.run.protocol, run.device)
    clicks, items, met = draws_of(inputs)
    rng = np.random.default_rng([settings.seed, STREAM])
    ranks, numbers = [], []
    for start in range(0, len(clicks), AT_ONCE):
        some = clicks[start : start + AT_ONCE]
        drawn = ranking.distinct_unmet(rng, met, test[some, 0], items, NUMBER, inputs.items)
        some, drawn = some[drawn[:, 0] >= 0], drawn[drawn[:, 0] >= 0]
        if len(some) == 0:
            continue
        own = test[some, 1].astype(np.int64)[:, None]
        scores = scores_of(run.model, shown, some, np.hstack([own, np.where(drawn >= 0, drawn, own)]))
        others = np.where(drawn >= 0, scores[:, 1:], np.nan)
        ranks.append(ranking.ranks_of_clicks(scores[:, 0], others))
        numbers.append((drawn >= 0).sum(1))
    if not ranks:
        raise UserError("--rank_test: every user of the test has met nearly all items; leave the option out")
    return np.concatenate(ranks), np.concatenate(numbers)


def coverage_of(run: TrainedRun, k: int = ranking.FIGURES_AT) -> tuple[int, int]:
    """Return how many items are among the top k unmet ones of any user, and how many there are to recommend."""
    found: set[object] = set()
    for chunk in run.top_chunks(None, k, unseen=True):
        found.update(chunk["item"].unique().to_list())
    return len(found), run.number_of_candidates


def evaluate(run: Run) -> dict[str, Any]:
    """Return the ranking test of a finished run, which stays in its folder; what was found before is read.

    Returns
    -------
    dict
        The figures of `evaluation.ranking`; ``clicks`` and ``candidates``, the most of one; ``coverage``, the share of
        ``items`` that are among the top 10 of any user, of those that the user met in no row of the task.

    Raises
    ------
    UserError
        If the model needs what an item that was not shown does not have, or no user has unmet items.
    """
    place = folder.folder_of(run.settings, run.id)
    file = place / FILE
    if file.exists():
        return disk.read_object(file, disk.Known(f"the same command after removing {file}"))
    trained = TrainedRun(place)
    refuse_counts(trained.inputs, run.model, "--rank_test")
    ranks, candidates = ranks_of(trained)
    recommended, items = coverage_of(trained)
    found = {
        **ranking.figures_of_ranks(ranks, candidates),
        "clicks": len(ranks), "candidates": int(candidates.max()), "coverage": recommended / items, "items": items,
    }  # fmt: skip
    disk.write_json(file, found)
    return found


def line_of(found: dict[str, Any]) -> str:
    """Return the line that says what `evaluate` found."""
    k = ranking.FIGURES_AT
    return (
        f"{found['clicks']:,} test clicks, each among {found['candidates']:,} unmet items: AUC {found['auc']:.4f}, "
        f"NDCG@{k} {found[f'ndcg@{k}']:.4f}, Recall@{k} {found[f'recall@{k}']:.4f}, MRR {found['mrr']:.4f}; coverage "
        f"{found['coverage']:.1%} of {found['items']:,} items"
    )
