"""Every declaration that is shipped goes through the steps on a small log in the published format."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

import adjust_hyperparameter
import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import plain_logs
import preprocess_inter
import preprocess_multimodal
import statis_and_draw
import viewer
from load_path import load_path
from mma4ctr.data import registry
from mma4ctr.data.declared import schema
from mma4ctr.evaluation import remarks
from mma4ctr.report import drawings
from mma4ctr.runs import folder as runs
from mma4ctr.sampling import public
from mma4ctr.settings import Settings
from mma4ctr.store import reading, records
from plain_logs import FORMATS
from samples import ROOT

SHIPPED = sorted(file.stem for file in (ROOT / "datasets").glob("*.yaml"))
STEPS = (preprocess_inter, preprocess_multimodal, get_user_embedding, cross_matrix, gen_matrix)
# Modality -> its columns, and whether they are so many exactly or at most (a share of the variance is kept).
EXACTLY, AT_MOST = True, False
TITLES = {"textual": (300, AT_MOST)}
MMREC = {"visual": (4096, AT_MOST), "textual": (384, AT_MOST)}
COLUMNS: dict[str, dict[str, tuple[int, bool]]] = {
    "movielens_100k": {**TITLES, "genres": (19, AT_MOST)},
    "movielens_1m": {**TITLES, "genres": (18, AT_MOST)},
    "movielens_10m": {**TITLES, "genres": (18, AT_MOST)},
    "ml100k_recbole": {**TITLES, "genres": (18, AT_MOST)},
    "movielens_1m_multimodal": {
        "visual": (768, AT_MOST), "acoustic": (512, AT_MOST), "textual": (384, AT_MOST), "video": (512, AT_MOST),
    },
    "dbbook": {"visual": (768, AT_MOST), "textual": (768, AT_MOST)},
    "lfm2k": {"visual": (768, AT_MOST), "acoustic": (512, AT_MOST), "textual": (384, AT_MOST)},
    "taobao": {"category": (32, EXACTLY)},
    "kuairand_pure": {"tags": (46, AT_MOST), "author": (32, AT_MOST), "kind": (20, AT_MOST)},
    "kuaishou": {"visual": (128, EXACTLY), "textual": (128, EXACTLY)},
    "microvideo_1_7m": {"visual": (128, EXACTLY), "category": (512, AT_MOST)},
    "microlens_100k": {"visual": (1024, AT_MOST), "video": (768, AT_MOST), "textual": (1024, AT_MOST)},
    **dict.fromkeys(("mmrec_baby", "mmrec_sports", "mmrec_clothing"), MMREC),
    "mmssl_tiktok": {"visual": (128, AT_MOST), "acoustic": (128, AT_MOST), "textual": (768, AT_MOST)},
}  # fmt: skip


def sample(folder: Path, name: str) -> tuple[Settings, list[str]]:
    """Write a sample and a path.json that leads to it; return the settings and the arguments of steps."""
    public.write(name, folder / "dataset" / name)
    file = folder / "path.json"
    file.write_text(json.dumps({"parent_folder": ".", "protocol": "clean"}))
    return load_path(file), ["--paths", str(file)]


def test_every_declaration_has_a_sample_and_the_other_way_round() -> None:
    assert list(public.NAMES) == SHIPPED == sorted(FORMATS) == sorted(COLUMNS)
    assert set(SHIPPED) <= set(load_path().datasets)


def test_the_documentation_has_the_facts_of_the_declarations() -> None:
    text = (ROOT / "docs" / "datasets.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| [^|]+ \| (.+) \|$", text, re.MULTILINE
    )
    assert sorted(name for name, *_ in rows) == SHIPPED
    datasets = load_path().datasets
    for name, *numbers, modalities in rows:
        published = datasets[name].declaration.published
        assert [int(number.replace(",", "")) for number in numbers] == [
            published.users, published.items, published.rows,
        ]  # fmt: skip
        assert re.sub(r" \([^)]*\)", "", modalities).split(", ") == list(datasets[name].modalities)


def test_the_documentation_has_every_key() -> None:
    cells = re.findall(r"^\| (`.+?) \|", (ROOT / "docs" / "datasets.md").read_text(), re.MULTILINE)
    documented = set(re.findall(r"`([a-z_.]+)`", " ".join(cells)))
    own = {f"interactions.{key}" for key in schema.Interactions.__struct_fields__}
    assert {*schema.Declaration.__struct_fields__, *own, *schema.Source.__struct_fields__} <= documented


@pytest.mark.parametrize("name", SHIPPED)
def test_a_sample_goes_through_every_step(name: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    settings, to = sample(tmp_path, name)
    for step in STEPS:
        step.main(to)
    assert "warning" not in capfd.readouterr().err
    log = list(FORMATS[name].rows(tmp_path / "dataset" / name))
    kept = plain_logs.kept(log, FORMATS[name].least)
    check_counts(settings, name, log, kept)
    check_rows(settings, name, kept)
    check_modalities(settings, name, sorted({row.item for row in kept}))
    tasks = list(registry.tasks_of(settings, [name]))
    (run,) = mlp.main([*to, "--dataset", tasks[0], "--epochs", "8", "--batch_size", "128", "--device", "cpu"])
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.endswith(f"protocol=clean run={run}")
    assert float(last.split()[0].removeprefix("AUC=")) > 0.55
    of_rows = remarks.of_rows(settings, tasks[0])
    assert bool(of_rows) == (settings.datasets[name].declaration.negatives is not None)
    assert runs.read_metrics(settings, run)["remarks"] == of_rows
    statis_and_draw.main(to)
    assert {file.name for file in (settings.saved_path / "figures").iterdir()} >= {
        f"{name}_users.svg", f"{name}_items.svg", f"{name}_ratios.svg",
    }  # fmt: skip


def check_counts(settings: Settings, name: str, log: list[plain_logs.Row], kept: list[plain_logs.Row]) -> None:
    """Compare what step 1 counted, in the whole log and in what it kept."""
    counts = records.require(settings, records.INTER, name).counts
    for part, rows in (("raw", log), ("kept", kept)):
        users, items = {row.user for row in rows}, {row.item for row in rows}
        assert counts[part] == {"rows": len(rows), "users": len(users), "items": len(items)}
    totals = reading.load_json(settings, "actions", dataset=name)
    assert totals["rows"] == len(log)
    positives = {task.removeprefix(f"{name}_"): sum(row.labels[task] for row in log) for task in FORMATS[name].labels}
    for task, count in positives.items():
        label = registry.task_of(settings, task if task == name else f"{name}_{task}").label
        assert totals[label] == count


def check_rows(settings: Settings, name: str, kept: list[plain_logs.Row]) -> None:
    """Compare users, items and the rows of every task."""
    users = reading.load(settings, "users", dataset=name)[:, 0]
    items = reading.load(settings, "items", dataset=name)
    assert users.tolist() == sorted({row.user for row in kept})
    assert items.tolist() == sorted({row.item for row in kept})
    tasks = list(registry.tasks_of(settings, [name]))
    assert tasks == list(FORMATS[name].labels or [name])
    for task in tasks:
        rows = reading.load(settings, "rows", task=task, protocol="clean")
        found = list(zip(users[rows[:, 0]].tolist(), items[rows[:, 1]].tolist(), rows[:, 2].tolist(), strict=True))
        wanted = plain_logs.distinct(kept, task)
        if FORMATS[name].labels:
            assert found == wanted
        else:
            clicks = [row for row in found if row[2]]
            assert clicks == wanted
            drawn = {row[:2] for row in found if not row[2]}
            assert len(drawn) == len(found) - len(clicks) == 4 * len(clicks)
            assert not drawn & {row[:2] for row in clicks}


def check_modalities(settings: Settings, name: str, kept: list[int]) -> None:
    """Compare which items have features, and of how many columns."""
    assert list(registry.dataset_of(settings, name).modalities) == list(COLUMNS[name])
    for modality, (columns, is_exact) in COLUMNS[name].items():
        items = reading.load(settings, "modality_items", dataset=name, modality=modality)
        matrix = reading.load(settings, "modality", dataset=name, modality=modality)
        assert len(matrix) == len(items)
        assert matrix.shape[1] == columns if is_exact else 1 <= matrix.shape[1] <= columns
        assert np.ptp(matrix, axis=0).max() > 0
        assert items.tolist() == (kept if modality != "tags" else tagged(settings.raw_folder(name), kept))


def tagged(folder: Path, kept: list[int]) -> list[int]:
    """Return the kept videos of KuaiRand that have a tag."""
    with (folder / "video_features_basic_pure.csv").open(newline="") as file:
        tags = {int(row["video_id"]): row["tag"] for row in csv.DictReader(file)}
    assert "" in tags.values()
    return [video for video in kept if tags[video]]


def test_a_real_log_has_the_published_size(tmp_path: Path) -> None:
    recbole = importlib.util.find_spec("recbole")
    if recbole is None:
        pytest.skip("RecBole, which brings MovieLens 100k along, is not installed; make test installs it")
    folder = Path(str(recbole.origin)).parent / "dataset_example" / "ml-100k"
    file = tmp_path / "path.json"
    file.write_text(json.dumps({"parent_folder": ".", "ml100k_recbole_dataset_path": str(folder)}))
    for step in (preprocess_inter, preprocess_multimodal):
        step.main(["--paths", str(file)])
    settings = load_path(file)
    published = {"rows": 100_000, "users": 943, "items": 1_682}
    assert records.require(settings, records.INTER, "ml100k_recbole").counts["kept"] == published
    assert reading.load_json(settings, "actions", dataset="ml100k_recbole") == {"rows": 100_000, "like": 55_375}
    for modality in ("textual", "genres"):
        assert len(reading.load(settings, "modality_items", dataset="ml100k_recbole", modality=modality)) == 1_682


@pytest.mark.slow
def test_a_declared_data_set_has_a_grid_and_a_report(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawings, "write", lambda *_, **__: None)  # UMAP takes its time and is tested elsewhere
    name = "movielens_100k"
    settings, to = sample(tmp_path, name)
    for step in STEPS:
        step.main(to)
    grid = ("--experiment", "single_modal", "--protocol", "clean", "--reduction", "pca", "--longest", "10")
    adjust_hyperparameter.main([*to, *grid])
    for main in (statis_and_draw.main, viewer.main):
        main(to)
    page = (settings.saved_path / "report.html").read_text()
    assert name in page and "genres" in page
    assert f"{name}: runs under clean" not in capfd.readouterr().out
