"""Users and items that are text go in and come out as the log has them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse

import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
import recommend
from load_path import load_path
from mma4ctr.data import blocks, build, names
from mma4ctr.settings import Settings
from mma4ctr.store import reading

USERS, ITEMS = [f"user {number}" for number in range(30)], [f"été {number}" for number in range(60)]
DECLARATION = {
    "interactions": "log.csv", "user": "who", "item": "what", "time": "at", "labels": {"like": "label"},
    "context": ["tab"], "modalities": {"visual": {"file": "vectors.npy", "ids": "ids.txt"}}, "min_interactions": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], pl.DataFrame, np.ndarray]:
    """The words that lead to a run, its log, and the vectors of the items."""
    folder = tmp_path_factory.mktemp("text")
    raw, rng = folder / "data" / "dataset" / "mine", np.random.default_rng(0)
    raw.mkdir(parents=True)
    vectors = rng.random((len(ITEMS), 6), dtype=np.float32)
    np.save(raw / "vectors.npy", vectors)
    (raw / "ids.txt").write_text("\n".join(ITEMS) + "\n")
    rows = [(user, item, at, int(rng.random() < vectors[item, 0]), str(item % 3))
            for user in range(30) for at, item in enumerate(rng.choice(50, 30, replace=False))]  # fmt: skip
    log = pl.DataFrame(rows, schema=["who", "what", "at", "label", "tab"], orient="row")
    log = log.with_columns(
        pl.Series("who", [USERS[row[0]] for row in rows]), pl.Series("what", [ITEMS[row[1]] for row in rows])
    )
    log.write_csv(raw / "log.csv")
    file = folder / "path.json"
    file.write_text(json.dumps({"datasets": {"mine": DECLARATION}}))
    words = ["--paths", str(file), "--dataset", "mine"]
    for step in (preprocess_inter, preprocess_multimodal):
        step.main(words)
    for step in (get_user_embedding, gen_matrix):
        step.main([*words, "--protocol", "clean"])
    (found,) = mlp.main([*words, "--protocol", "clean", "--model", "destine", "--epochs", "1", "--device", "cpu"])
    return ["--paths", str(file), "--run", found], log, vectors


def test_they_are_those_of_the_log(run, tmp_path: Path) -> None:
    words, log, _ = run
    recommend.main([*words, "--all_users", "--top", "5", "--unseen", "--out", str(tmp_path / "top.parquet")])
    top = pl.read_parquet(tmp_path / "top.parquet")
    assert set(top["user"]) == set(USERS) and set(top["item"]) <= set(ITEMS[:50]) and len(top) == 150
    met = log.select(user="who", item="what")
    assert len(top.join(met, on=["user", "item"])) == 0


def test_new_items_are_ranked_with_the_others(run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words, _, vectors = run
    fresh = pl.DataFrame({"item": ["7", ITEMS[3]], "visual_raw": vectors[[55, 3]].tolist()})
    fresh.write_parquet(tmp_path / "new.parquet")
    pl.DataFrame({"user": [USERS[1], "?"], "item": ["7", ITEMS[59]]}).write_csv(tmp_path / "pairs.csv")
    capsys.readouterr()
    with pytest.warns(UserWarning) as told:
        recommend.main([*words, "--pairs", str(tmp_path / "pairs.csv"), "--items", str(tmp_path / "new.parquet")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "user,item,probability" and lines[1].startswith("user 1,7,0.") and lines[2] == f"?,{ITEMS[59]},"
    assert [str(one.message).partition(":")[0] for one in told][-2:] == [
        "unknown users",
        "items that are unknown or have no content",
    ]


def test_raw_vectors_become_what_step_2_made_of_them(run) -> None:
    words, _, vectors = run
    settings = load_path(words[1])
    ids = reading.load(settings, "modality_items", dataset="mine", modality="visual")
    stored = reading.load(settings, "modality", dataset="mine", modality="visual")
    assert stored.shape[1] < vectors.shape[1]
    named = names.named_items(settings, "mine").to_list()
    own = vectors[[ITEMS.index(named[place]) for place in ids]]
    raw = build.raw_modality(settings, "mine", "visual")
    np.testing.assert_allclose(blocks.projected(raw, own), stored, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dataset", ["wechat", "tiktok"])
def test_raw_vectors_of_the_published_data_sets(tiny: Settings, dataset: str) -> None:
    for modality in ("visual", "acoustic", "textual"):
        raw = build.raw_modality(tiny, dataset, modality)
        dense = (one.matrix.toarray() if scipy.sparse.issparse(one.matrix) else one.matrix for one in raw.blocks)
        own = np.hstack(list(dense))[:7]
        stored = reading.load(tiny, "modality", dataset=dataset, modality=modality)[:7]
        np.testing.assert_allclose(blocks.projected(raw, own), stored, rtol=1e-4, atol=1e-5)
