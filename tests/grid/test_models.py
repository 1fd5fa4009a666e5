"""Every model with the same budget: what is tried, what is chosen by validation rows, what tables show of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import adjust_hyperparameter
from mma4ctr.cli import UserError
from mma4ctr.grid import models, pool
from mma4ctr.grid.results import Results
from mma4ctr.models import registry
from mma4ctr.runs import finished, tested
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from samples import own_runs

OPTIONS = ("--dataset", "wechat", "--protocol", "clean", "--models", "dnn", "--learning_rates", "0.01", "0.00001")


def test_the_best_rate_on_validation_rows_is_run_from_every_seed(
    tiny: Settings, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = lambda settings, jobs, processes: ((job, job.do(settings)) for job in jobs)  # noqa: E731
    monkeypatch.setattr(pool, "run_all", here)  # in this process: those of the grid have tests of their own
    paths = own_runs(tiny, tmp_path)
    words = ["--paths", str(paths.file), *OPTIONS, "--seeds", "3"]
    adjust_hyperparameter.main([*words, "--also", "weight_decay=0.0001", "--dry_run"])
    assert "then what depends on them: at the best rates, other seeds; time" in capsys.readouterr().out
    assert not list(runs.all_metrics(paths))
    adjust_hyperparameter.main(words)
    ran = [finished.load(paths, one) for one in runs.all_metrics(paths) if one.get("model") == "dnn"]
    tried = [run for run in ran if run.config["seed"] == 0]
    assert sorted(run.config["learning_rate"] for run in tried) == [0.00001, 0.01]
    best = max(tried, key=lambda run: run.valid_auc)
    others = [run for run in ran if run.config["seed"] != 0]
    assert [run.config["learning_rate"] for run in others] == 2 * [best.config["learning_rate"]]
    assert sorted(run.config["seed"] for run in others) == [1, 2]
    assert all(run.config["patience"] == 2 and run.config["loss"] == "bce" for run in ran)
    (shown,) = tested.natives(Results(paths), "wechat")
    assert shown.remarks == (f"learning_rate={best.config['learning_rate']}: the best of 2 on validation rows",)
    assert {run.metrics["run"] for run in shown.runs} == {run.metrics["run"] for run in (best, *others)}
    assert shown.epochs == [30]  # of all seeds, wherever they stopped
    assert {one.kept for one in shown.evaluations(30)} == {run.kept_epoch for run in shown.runs}
    capsys.readouterr()
    adjust_hyperparameter.main(words)
    said = capsys.readouterr().out
    assert "at the best rates" not in said
    assert "2 runs, 2 of them finished before" in said and "other seeds: 2 runs, 2 of them finished before" in said


def test_what_else_is_tried_at_the_best_rate(tiny: Settings, tmp_path: Path) -> None:
    paths = own_runs(tiny, tmp_path)
    rates = models.trials(["wechat"], ["clean"], ["dnn", "din"], [0.00001, 0.01])
    assert models.tried_also(paths, rates, [("weight_decay", 0.0001)]) == []  # nothing has been tried yet
    for trial in rates[:2]:
        trial.do(paths)
    best = max(rates[:2], key=lambda trial: trial.valid_auc(paths))
    also = [("weight_decay", 0.0), ("weight_decay", 0.0001), ("id_dropout", 0.8)]
    decays = models.tried_also(paths, rates, also)
    assert [(one.model, one.learning_rate, *one.also) for one in decays] == [
        ("dnn", best.learning_rate, ("weight_decay", 0)),
        ("dnn", best.learning_rate, ("weight_decay", 0.0001)),
    ]
    own, other = (one.run(paths) for one in decays)
    assert own.id == best.run(paths).id and other.config["weight_decay"] == 0.0001
    assert "weight_decay=0.0001, seed=0" in str(decays[1])
    decays[1].do(paths)
    (winner,) = models.best(paths, rates + decays)
    assert winner.valid_auc(paths) == max(one.valid_auc(paths) for one in (*rates[:2], *decays))
    (whole,) = models.trials(["wechat"], ["clean"], ["mma4ctr_plus"], [0.01])
    assert whole.run(paths).config["weight_decay"] == 1e-4 and "decay" not in str(whole)
    dropped = dataclasses.replace(whole, also=(("id_dropout", 0.8),), ablation="without rates").run(paths)
    assert dropped.options == {"id_dropout": 0.8, "rates": False}
    assert registry.ablation_of("mma4ctr_plus", (), dropped.config) == "without rates"


def test_all_are_all_but_the_one_with_experiments() -> None:
    assert models.models_called(["all"]) == registry.names()[1:]
    assert models.models_called(["mma4ctr", "dnn", "dnn"]) == ["mma4ctr", "dnn"]
    with pytest.raises(UserError, match=r"--models 'dnm': unknown, expected all or some of mma4ctr, "):
        models.models_called(["dnm"])


def test_ablations_are_trained_at_the_rate_of_the_whole_model(tiny: Settings, tmp_path: Path) -> None:
    paths = own_runs(tiny, tmp_path)
    tried = models.trials(["wechat"], ["clean"], ["mma4ctr_plus_small"], [0.003])
    (whole,) = tried
    config = whole.run(paths).config
    known = registry.ablations_of("mma4ctr_plus_small", ("visual", "acoustic", "textual"))
    assert {"without visual", "without rates", "batch_softmax instead of bce"} < set(known)
    assert "without ids" not in known and "without ids" in registry.ablations_of("mma4ctr_plus", ("visual",))
    assert "without visual" not in registry.ablations_of("mma4ctr_plus", ("visual",))
    assert registry.ablation_of("mma4ctr_plus_small", ("visual", "acoustic", "textual"), config) == ""
    assert models.ablated(paths, tried, 2) == []  # nothing has been tried yet
    for what, changes in known.items():
        own = dataclasses.replace(whole, ablation=what).run(paths)
        assert registry.ablation_of(own.model, ("visual", "acoustic", "textual"), own.config) == what
        flat = {**own.config, **own.config["options"]}
        assert changes.items() <= flat.items()
        assert {key for key in config if config[key] != own.config[key]} in ({"options"}, {"loss"})
    assert registry.ablation_of("mma4ctr_plus_small", ("visual",), {**config, "options": {"rank": 3}}) == ""
    with pytest.raises(UserError, match=r"--ablations: none of the models has any, expected some of mma4ctr_plus"):
        models.ablated(paths, models.trials(["wechat"], ["clean"], ["dnn"], [0.003]), 1)
    with pytest.raises(SystemExit):
        adjust_hyperparameter.main(["--paths", str(paths.file), "--ablations"])
