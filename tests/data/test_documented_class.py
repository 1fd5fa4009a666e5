"""The data set that docs/data_set_class.md shows works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import preprocess_inter
import preprocess_multimodal
from load_path import load_path
from mma4ctr.data import registry
from mma4ctr.store import reading
from samples import ROOT


def test_the_data_set_of_the_readme_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "data_set_class.md").read_text(), re.DOTALL)
    scope: dict = {"__name__": "clips"}
    exec(compile(shown, "data_set_class.md", "exec"), scope)
    monkeypatch.setitem(registry.DATASETS, "clips", scope["DATASET"])
    for name, task in registry.tasks_in([scope["DATASET"]]).items():
        monkeypatch.setitem(registry.TASKS, name, task)
    folder = tmp_path / "dataset" / "clips"
    folder.mkdir(parents=True)
    rows = [(user, (7 * user + k) % 50, k, (user + k) % 2) for user in range(3) for k in range(20)]
    lines = [",".join(map(str, row)) for row in rows]
    (folder / "clips.csv").write_text("\n".join(["user,item,time,like", *lines, ""]))
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    (tmp_path / "path.json").write_text(json.dumps({"parent_folder": "."}))
    for step in (preprocess_inter, preprocess_multimodal):
        step.main(["--paths", str(tmp_path / "path.json"), "--dataset", "clips"])
    settings = load_path(tmp_path / "path.json")
    items = reading.load(settings, "items", dataset="clips")
    found = reading.load(settings, "rows", task="clips", protocol="clean").tolist()
    assert [(user, int(items[item]), click) for user, item, click in found] == [
        (user, item, like) for user, item, _, like in rows
    ]
    np.testing.assert_array_equal(
        reading.load(settings, "modality", dataset="clips", modality="visual"), vectors[items]
    )
