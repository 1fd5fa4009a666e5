"""The order of users is part of what a run is where its split depends on it, and of the commands that give it again.

Asserted: identities, rows, label rates, the table of runs, printed commands, the path.json of the grid, and that a
result in one order is not found where another is asked for.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import mlp
from bad_input import refusal
from load_path import load_path
from mma4ctr.grid import plan
from mma4ctr.grid.experiments import ADAPTIVE, Point, Variant
from mma4ctr.grid.results import Results
from mma4ctr.inputs import rows as task_rows
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS
from mma4ctr.report import drawings
from mma4ctr.report.sections import audit_section
from mma4ctr.report.sources import TaskRuns
from mma4ctr.runs import folder as runs
from mma4ctr.runs import rates, tested
from mma4ctr.runs.finished import load
from mma4ctr.runs.run import COMP, Run, identity, native, words_of
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import disk, reading
from samples import own_runs, with_changes

SHORT = Schedule(epochs=10, batch_size=1024)


def by_length(paths: Settings) -> Settings:
    """Return the settings with users in the order of their lengths."""
    return with_changes(paths, user_order="length")


@pytest.fixture(scope="module")
def trained(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, dict]]:
    """A run in each order in one folder: the settings, in seeded order, and the runs' metrics by order."""
    own, found = own_runs(tiny, tmp_path_factory.mktemp("orders")), {}
    for order in USER_ORDERS:
        (run,) = mlp.main(["--paths", str(own.file), "--epochs", "10", "--user_order", order])
        found[order] = runs.read_metrics(own, run)
    return own, found


# ------------------------------------------------------------------ identities


def test_the_default_is_no_part_of_an_identity_and_another_order_is(tiny: Settings) -> None:
    seeded, ordered = (native(one, "wechat", "visual", "published", SHORT, "cpu") for one in (tiny, by_length(tiny)))
    without = {name: value for name, value in seeded.config.items() if name != "user_order"}
    assert identity(without) == seeded.id != ordered.id
    label_rates = [rates.config_of(run, "visual") for run in (seeded, ordered)]
    assert identity(label_rates[0]) != identity(label_rates[1])
    del label_rates[0]["user_order"]
    assert identity(label_rates[0]) == identity(rates.config_of(seeded, "visual"))


def test_a_split_that_takes_no_notice_of_it_keeps_its_identity(tiny: Settings) -> None:
    for settings in (tiny, by_length(tiny)):
        assert "user_order" not in native(settings, "wechat", "visual", "clean", SHORT, "cpu").config
    clean = [native(one, "wechat", "visual", "clean", SHORT, "cpu") for one in (tiny, by_length(tiny))]
    assert clean[0].id == clean[1].id
    assert rates.config_of(clean[0], "visual") == rates.config_of(clean[1], "visual")
    for protocol in PROTOCOLS:  # RecBole's models: the clean split, or one of their own
        baselines = [Run(one, "wechat", "BPR", protocol, SHORT, {}, "BPR", {}, None, COMP, reads_users=False)
                     for one in (tiny, by_length(tiny))]  # fmt: skip
        assert baselines[0].id == baselines[1].id


# ------------------------------------------------------------------ rows and results


def test_the_test_rows_are_those_of_the_shortest_users(trained: tuple[Settings, dict[str, dict]]) -> None:
    own, found = trained
    all_rows = reading.load(own, "rows", task="wechat", protocol="published")
    lengths = np.bincount(all_rows[:, 0])
    for order, metrics in found.items():
        test = np.load(runs.folder_of(own, metrics["run"]) / "test_rows.npy")
        split = task_rows.load_fused(with_changes(own, user_order=order), "wechat", "published")
        assert np.array_equal(test, split.part("test"))
        shortest_trained_on = lengths[split.part("training")[:, 0]].min()
        assert (shortest_trained_on >= lengths[test[:, 0]].max()) == (order == "length")


def test_results_of_two_orders_stand_apart(trained: tuple[Settings, dict[str, dict]]) -> None:
    own, found = trained
    of_order = {order: {one["run"], *one["label_rates"].values()} for order, one in found.items()}
    assert len(set.union(*of_order.values())) == 2 * 4
    with (own.saved_path / "results.csv").open() as file:
        lines = {line["run"]: line["user_order"] for line in csv.DictReader(file)}
    assert lines == {run: order for order, one in of_order.items() for run in one}


def test_a_result_is_found_for_its_own_order_alone(trained: tuple[Settings, dict[str, dict]]) -> None:
    own, found = trained
    wanted = Point("wechat", Variant("published", "pca"), ADAPTIVE, 0, 10)
    for order in USER_ORDERS:
        settings = with_changes(own, user_order=order)
        assert Results(settings).find(wanted).run == found[order]["run"]
        current = [one for one, metrics in found.items() if tested.is_current(settings, load(own, metrics))]
        assert current == [order]


# ------------------------------------------------------------------ commands


def test_a_printed_command_gives_the_same_run(trained: tuple[Settings, dict[str, dict]], capfd) -> None:
    own, found = trained
    file = own.file.with_name("by_length.json")
    disk.write_json(file, {**json.loads(own.file.read_bytes()), "user_order": "length"})
    for settings in (own, load_path(file)):
        for metrics in found.values():
            words = words_of(settings, load(own, metrics).config)
            assert mlp.main(words) == [metrics["run"]]
            head = capfd.readouterr().out.splitlines()[0]
            assert head.startswith("mlp.py wechat vat_concat published")
            assert ("user_order=length" in head) == (metrics["user_order"] == "length")
        clean = native(settings, "wechat", "visual", "clean", SHORT, "cpu")
        assert "--user_order" not in words_of(settings, clean.config)


def test_an_order_that_nothing_takes_notice_of_is_refused(tiny: Settings, capfd: pytest.CaptureFixture) -> None:
    line = refusal(capfd, mlp.main, ["--paths", str(tiny.file), "--protocol", "clean", "--user_order", "length"])
    assert line.startswith("--user_order length: the clean protocol does not cut between users")
    assert "--protocol published" in line


def test_the_path_json_of_the_grid_has_the_order(tiny: Settings, tmp_path: Path) -> None:
    own = by_length(own_runs(tiny, tmp_path))
    point = Point("wechat", Variant("published", "average_pooling"), ADAPTIVE, 0, 10)
    plan.prepare(own, plan.jobs_of([point]))
    written = load_path(point.settings(own).file)
    assert written.user_order == "length"
    assert point.run(own, "cpu").id == point.run(written, "cpu").id
    assert point.run(own, "cpu").id != point.run(with_changes(own, user_order="seeded"), "cpu").id


# ------------------------------------------------------------------ the report


def test_figures_of_two_orders_stand_apart(tiny: Settings) -> None:
    for protocol, number in (("published", 2), ("clean", 1)):
        variant = Variant(protocol, "pca")
        assert len({drawings.folder_of(settings, variant) for settings in (tiny, by_length(tiny))}) == number
        assert drawings.folder_of(tiny, variant).name == f"{protocol}_pca"


def test_the_report_audits_both_orders_beside_what_was_trained_in_each(
    trained: tuple[Settings, dict[str, dict]],
) -> None:
    own, found = trained
    for settings in (own, by_length(own)):
        results = Results(settings)
        (table,) = audit_section(results, [TaskRuns(results, "wechat")]).tables
        shown = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        assert [(row["protocol"].text, row["user order"].text) for row in shown] == [
            ("published", "seeded"), ("published", "length"), ("clean", "")
        ]  # fmt: skip
        for row, name in zip(shown, USER_ORDERS, strict=False):
            test = np.load(runs.folder_of(own, found[name]["run"]) / "test_rows.npy")
            assert row["test users"].value == len(np.unique(test[:, 0]))
            assert row["MMa4CTR, all modalities"].value == pytest.approx(found[name]["auc"])
        assert shown[2]["MMa4CTR, all modalities"].text == ""
