"""A finished run as an object: what it predicts is what its test predicted, by the ids of the logs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import mma4ctr
from mma4ctr.cli import UserError
from mma4ctr.runs import described, folder
from mma4ctr.settings import Settings
from mma4ctr.store import reading, records
from samples import ROOT

Used = tuple[Settings, dict[str, Path]]
MODELS = ("mma4ctr", "hyperctr")


@pytest.mark.parametrize("model", MODELS)
def test_pairs_of_test_rows_are_predicted_as_they_were_tested(used: Used, model: str) -> None:
    run = mma4ctr.load_run(used[1][model])
    tested = run.test_rows
    assert tested.columns == ["user", "item", "label", "probability"] and tested["user"].dtype == pl.Int64
    users, items = (reading.load(used[0], name, dataset="wechat") for name in ("users", "items"))
    rows = folder.load_array(used[1][model], "test_rows")
    assert (
        tested["user"].to_list() == users[rows[:, 0], 0].tolist()
        and tested["item"].to_list() == items[rows[:, 1]].tolist()
    )
    same = np.ones(len(rows), dtype=bool)
    if run.inputs.slots:
        same = run.inputs.slots.of_rows[run.inputs.task.parts["test"]] == run.inputs.slots.number
    assert same.sum() > 10
    found = run.predict(tested)
    np.testing.assert_allclose(found["probability"].to_numpy()[same], tested["probability"].to_numpy()[same], atol=1e-6)
    assert len(run.history) == 1 and run.history["epoch"].to_list() == [1]
    few = list(zip(tested["user"][:3].to_list(), tested["item"][:3].to_list(), strict=True))
    assert run.predict(few)["probability"].to_list() == pytest.approx(found["probability"][:3].to_list(), abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_top_of_a_user_is_the_best_of_all_pairs(used: Used, model: str) -> None:
    run = mma4ctr.load_run(used[1][model])
    users = run.test_rows["user"].unique().sort()[:3].to_list()
    items = reading.load(used[0], "items", dataset="wechat")
    top, fresh = run.top_k(users, 5), run.top_k(users, 5, unseen=True)
    assert top["rank"].to_list() == [1, 2, 3, 4, 5] * 3 and top["user"].to_list() == np.repeat(users, 5).tolist()
    rows = reading.load(used[0], "rows", task="wechat", protocol="clean")
    known = reading.load(used[0], "users", dataset="wechat")[:, 0]
    for user in users:
        with pytest.warns(UserWarning, match="items that are unknown or have no content"):
            scores = run.predict([(user, item) for item in items])["probability"].fill_null(-1).to_numpy()
        best = np.sort(scores)[::-1]
        own = top.filter(pl.col("user") == user)
        np.testing.assert_allclose(own["probability"], best[:5], atol=1e-6)
        met = set(items[rows[known[rows[:, 0]] == user, 1]].tolist())
        left = np.sort(scores[[item not in met for item in items]])[::-1]
        found = fresh.filter(pl.col("user") == user)
        np.testing.assert_allclose(found["probability"], left[:5], atol=1e-6)
        assert not met & set(found["item"].to_list())


def test_unknown_users_and_items_are_counted_and_said(used: Used) -> None:
    run = mma4ctr.load_run(used[1]["mma4ctr"])
    user, item = run.test_rows.row(0)[:2]
    with pytest.warns(UserWarning) as told:
        found = run.predict([("nobody", str(item)), (str(user), "nothing"), (str(user), str(item))])
    assert found["user"].to_list() == ["nobody", str(user), str(user)]
    assert [one is None for one in found["probability"]] == [False, True, False]
    assert [str(one.message) for one in told] == [
        "unknown users: 1, scored as users without any history",
        "items that are unknown or have no content: 1; 1 of 3 pairs get no probability",
    ]


@pytest.mark.parametrize("model", MODELS)
def test_a_known_item_given_as_a_new_one(used: Used, model: str) -> None:
    paths, runs = used
    run = mma4ctr.load_run(runs[model])
    user, item = run.test_rows.row(0)[:2]
    vectors = {}
    for name in run.modalities():
        ids = reading.load(paths, "modality_items", dataset="wechat", modality=name)
        vectors[name] = [
            reading.load(paths, "modality", dataset="wechat", modality=name)[ids.searchsorted(item)].tolist()
        ]
    before = run.predict([(user, item)])["probability"][0]
    table = pl.DataFrame({"item": ["fresh", str(item)], **{name: value * 2 for name, value in vectors.items()}})
    with pytest.warns(UserWarning, match="1 of 2 items are those of the logs"):
        assert run.add_items(table) == 1
    old, fresh = run.predict([(str(user), str(item)), (str(user), "fresh")])["probability"]
    assert old == pytest.approx(before, abs=1e-6)
    if model == "mma4ctr":
        assert fresh == pytest.approx(old, abs=1e-6)
    everything = run.top_k([str(user)], 10_000)
    assert "fresh" in everything["item"].to_list() and everything["item"].n_unique() == len(everything)
    with pytest.raises(UserError, match="has vectors of "):
        run.add_items(table.with_columns(visual=pl.Series([[1.0], [2.0]])).with_columns(item=pl.Series(["a", "b"])))
    with pytest.raises(UserError, match="is there twice"):
        run.add_items(table.with_columns(item=pl.Series(["a", "a"])))


def test_the_model_is_rebuilt_from_what_model_json_says(used: Used, tmp_path: Path) -> None:
    paths, runs = used
    told = json.loads((runs["hyperctr"] / "model.json").read_text())
    assert told["model"] == {"name": "hyperctr", "version": 1} and told["options"]["hidden"] == [128, 64, 32]
    assert told["sizes"]["slots"] == 4 and told["modalities"] == ["visual", "acoustic", "textual"]
    assert all((runs["hyperctr"] / file).is_file() for file in told["artefacts"]) and len(told["artefacts"]) >= 6
    paths.file.rename(paths.file.with_suffix(".away"))  # the settings are those of the run, not of a path.json
    try:
        assert len(mma4ctr.load_run(runs["hyperctr"]).top_k(k=1)) > 10
    finally:
        paths.file.with_suffix(".away").rename(paths.file)

    def changed(**changes: object) -> Path:
        place = tmp_path / "saved" / runs["mma4ctr"].name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(runs["mma4ctr"], place)
        content = described.read(place) | changes
        described.disk.write_json(place / "model.json", {**content, "checksum": records.identity(content)})
        return place

    with pytest.raises(UserError, match="was trained by version 7 of mma4ctr"):
        mma4ctr.load_run(changed(model={"name": "mma4ctr", "version": 7}))
    with pytest.raises(UserError, match="give run"):
        mma4ctr.load_run(changed(feature="visual"))
    with pytest.raises(UserError, match=r"is damaged, or of another run"):
        mma4ctr.load_run(changed(run="another"))
    with pytest.raises(UserError, match="is not the folder of a finished run"):
        mma4ctr.load_run(paths.saved_path)
    rates = folder.read_metrics(paths, runs["mma4ctr"].name)["label_rates"]["user_rate"]
    with pytest.raises(UserError, match="is a run of click rates"):
        mma4ctr.load_run(paths.saved_path / rates)
    assert all(described.sentence_of(file.name) for file in (paths.saved_path / rates).iterdir())
    assert "user_rate, which knows the click rates" in (paths.saved_path / rates / "README.md").read_text()


def test_every_file_of_a_run_is_told_of(used: Used) -> None:
    for place in used[1].values():
        text = (place / "README.md").read_text()
        for file in place.iterdir():
            assert described.sentence_of(file.name), file
        assert all(f"`{name}`" in text for name in described.FILES) and described.sentence_of("else.npy") is None


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys, mma4ctr; print(sorted({'torch', 'polars', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
