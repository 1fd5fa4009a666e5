"""mlp.py --rank_test: the ranks and the coverage are those of a loop over clicks and users."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mlp
import mma4ctr
from mma4ctr.evaluation import ranking
from mma4ctr.settings import Settings
from mma4ctr.use import rank_test
from samples import words_of

Used = tuple[Settings, dict[str, Path]]


@pytest.mark.parametrize("model", ["mma4ctr", "hyperctr"])
def test_ranks_are_those_of_every_unmet_item(used: Used, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_test, "NUMBER", 5_000)  # more than the sample has items: all unmet ones are candidates
    run = mma4ctr.load_run(used[1][model])
    monkeypatch.setattr(rank_test, "AT_ONCE", 7)
    inputs, parts = run.inputs, run.inputs.task.parts
    monkeypatch.setitem(parts, "test", parts["test"][inputs.task.part("test")[:, 2] == 1][:9])
    ranks, candidates = rank_test.ranks_of(run)
    rows = inputs.task.rows
    covered = {int(item) for places in parts.values() for item in rows[places, 1]}
    for place, (user, item, _) in enumerate(inputs.task.part("test")):
        left = sorted(covered - set(rows[rows[:, 0] == user, 1].tolist()))
        assert candidates[place] == len(left)
        if model == "mma4ctr":  # which scores a pair alike at any moment
            users, items = run._ids("users").known, run._ids("items").known
            scores = run.predict([(users[int(user)], items[one]) for one in [int(item), *left]])[
                "probability"
            ].to_numpy()
            assert ranks[place] == pytest.approx(ranking.ranks_of_clicks(scores[:1], scores[None, 1:])[0], abs=1)


def test_it_is_printed_and_kept(used: Used, capsys: pytest.CaptureFixture) -> None:
    paths, runs = used
    words = words_of(paths)
    assert mlp.main([*words, "--rank_test", "--unmet", "30"]) == [runs["mma4ctr"].name]
    said = capsys.readouterr().out.splitlines()
    found = json.loads((runs["mma4ctr"] / "ranking.json").read_text())
    run = mma4ctr.load_run(runs["mma4ctr"])
    assert found["clicks"] == run.test_rows["label"].sum()
    top = run.top_k(k=10, unseen=True)
    assert found["coverage"] == pytest.approx(top["item"].n_unique() / found["items"])
    assert 0 < found["mrr"] < found["recall@10"] + 0.1 and 0 < found["ndcg@10"] < found["recall@10"] < 1
    assert said[-1].startswith("AUC=") and said[-2].strip() == rank_test.line_of(found)
    assert f"AUC {found['auc']:.4f}, NDCG@10 {found['ndcg@10']:.4f}, Recall@10" in said[-2] and "30 unmet" in said[-3]
    assert mlp.main([*words, "--rank_test"]) and capsys.readouterr().out.splitlines()[-2] == said[-2]
