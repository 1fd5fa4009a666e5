"""Do a run: train its model, test it, and leave its folder."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from mma4ctr import memory
from mma4ctr.evaluation import calibration, metrics, remarks
from mma4ctr.evaluation.bootstrap import FEWEST_USERS
from mma4ctr.features import fusion
from mma4ctr.inputs import gather
from mma4ctr.models import registry
from mma4ctr.models.contract import Model
from mma4ctr.models.layers import number_of_multiplied, number_of_parameters
from mma4ctr.protocol import SEEDED
from mma4ctr.runs import described, folder, rates
from mma4ctr.runs.run import Run
from mma4ctr.store import disk, reading
from mma4ctr.training import threads
from mma4ctr.training.batches import EVALUATION_ROWS, Batches, batches_of_parts
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.devices import device_of, engine_of
from mma4ctr.training.engine import Engine, hidden_of, log_odds_of
from mma4ctr.training.trainer import Trainer


def build(run: Run) -> tuple[gather.Inputs, Model]:
    """Return what the model of a run needs, and the model itself, new."""
    model = registry.load(run.model)
    config = model.Config(**run.options)
    length, slots = (getattr(config, name, None) for name in ("history_length", "slots"))
    with run.reading():
        inputs = gather.load(run.settings, run.task, run.feature, run.protocol, model.needs, length, slots)
    return inputs, registry.build(run.model, run.options, inputs.sizes, inputs.graph)


def describe(run: Run) -> None:
    """Write what the folder of a finished run says of itself, where it was made before there was any."""
    place = folder.folder_of(run.settings, run.id)
    if not (place / described.MODEL).exists():
        with reading.noted() as files:
            inputs, _ = build(run)
        described.write(run, place, inputs, files)


def take(model: Model, state: Mapping[str, torch.Tensor]) -> None:
    """Give a model, still on the host, what it ended with; what it learnt beforehand decides the shapes of buffers."""
    for name, value in state.items():
        owner, _, own = name.rpartition(".")
        module = model.get_submodule(owner)
        if own in module._buffers:
            module.register_buffer(own, torch.empty_like(value))
    model.load_state_dict(state)


def finished_model(run: Run, device: torch.device | None = None) -> tuple[gather.Inputs, Model]:
    """Return what the model of a finished run needs, and the model as it ended, by default on the run's device.

    Raises
    ------
    UserError
        If its weights are missing or are not what the run wrote; as `build`.
    """
    inputs, model = build(run)
    weights = folder.load_weights(folder.folder_of(run.settings, run.id))
    take(model, torch.load(weights, map_location="cpu", weights_only=True))
    return inputs, model.to(device_of(run.device or "auto") if device is None else device).eval()


def calibrated(model: Model, parts: Mapping[str, Batches], test: torch.Tensor) -> float:
    """Return the LogLoss of log-odds `test` (rows,) of the test rows after Platt's scaling on the validation rows."""
    validation = log_odds_of(model, parts["validation"].batches(EVALUATION_ROWS)).cpu().numpy()
    labels = {name: parts[name].rows[:, 2] for name in ("validation", "test")}
    return calibration.calibrated_logloss(validation, labels["validation"], test.cpu().numpy(), labels["test"])


def keep_evaluations(run: Run, parts: Mapping[str, Batches]) -> Callable[[Model, dict[str, float]], None]:
    """Return what to do after an epoch: test it if `eval_every` asks, and keep figures and predictions."""
    place, every, test = folder.folder_of(run.settings, run.id), run.schedule.eval_every, parts["test"]

    def after_epoch(model: Model, entry: dict[str, float]) -> None:
        if every and entry["epoch"] % every == 0:
            log_odds = log_odds_of(model, test.batches(EVALUATION_ROWS))
            predicted = torch.sigmoid(log_odds).cpu().numpy()
            figures = folder.save_predictions(place, predicted, test.rows, run.settings.seed, f"_{entry['epoch']}")
            figures[calibration.NAME] = calibrated(model, parts, log_odds)
            entry |= {f"test_{name}": value for name, value in figures.items()}

    return after_epoch


def test_model(run: Run, model: Model, parts: Mapping[str, Batches]) -> dict[str, Any]:
    """Score the test rows, keep predictions, hidden layer and weights, and return figures and remarks."""
    test = parts["test"]
    place, test_rows = folder.folder_of(run.settings, run.id), test.rows
    started = time.perf_counter()
    log_odds = log_odds_of(model, test.batches(EVALUATION_ROWS))
    predicted = torch.sigmoid(log_odds).cpu().numpy()
    metrics.auc(test_rows[:, 2], predicted), metrics.logloss(test_rows[:, 2], predicted)
    seconds = time.perf_counter() - started  # of what the published test does: predictions, AUC and LogLoss
    hidden = hidden_of(model, test)
    if hidden is not None:
        folder.save_array(place, "hidden", hidden)
    with disk.replacing(place / "weights.pt") as temporary, open(temporary, "wb") as stream:
        torch.save(model.state_dict(), stream)
    figures = folder.save_predictions(place, predicted, test_rows, run.settings.seed)
    figures[calibration.NAME] = calibrated(model, parts, log_odds)
    return {**figures, "test_seconds": seconds, "remarks": remarks.of_predictions(predicted)}


def fit(run: Run, engine: Engine) -> None:
    """Train, test and leave the run's folder; its metrics, written last, mark it as finished.

    Raises
    ------
    UserError
        If an artefact is missing, a part has a single class, or the model cannot take what it is given.
    """
    settings, place = run.settings, folder.folder_of(run.settings, run.id)
    with reading.noted() as files:
        inputs, model = build(run)
    parts = batches_of_parts(inputs, run.protocol, device_of(run.device or "auto"))
    taken = threads.take(run.schedule.batch_size, number_of_multiplied(model))
    checkpoint = Checkpoint(folder.checkpoint_of(settings, run.id), run.id)
    trainer = Trainer(model, parts, run.schedule, checkpoint, engine)
    if not engine.is_first:
        trainer.run()  # the first process tests and writes
        return
    described.write(run, place, inputs, files)
    folder.save_config(place, run.config)
    folder.save_array(place, "test_rows", inputs.task.part("test"))
    folder.save_array(place, "test_places", inputs.task.parts["test"])
    trainer.run(keep_evaluations(run, parts))
    tested, progress = test_model(run, model, parts), trainer.progress
    disk.write_json(place / "history.json", progress.history)
    folder.save_metrics(place, {
        **{key: value for key, value in run.config.items() if key not in ("built_on", "code")}, "run": run.id,
        "in_features": inputs.sizes.content, "parameters": number_of_parameters(model), **tested,
        "interruptions": progress.interruptions, "epochs_run": len(progress.history),
        "best_epoch": progress.best_epoch + 1, "train_seconds": progress.train_seconds,
        "threads": taken,
        "min_interactions": settings.min_interactions[settings.dataset_of(run.task)],
        "rows": {name: len(places) for name, places in inputs.task.parts.items()},
        "label_rates": rates.evaluate(run, inputs.task, fusion.covers(run.feature)),
        "remarks": [*remarks.of_rows(settings, run.task), *tested["remarks"], *remarks.of_history(progress.history)],
    })  # fmt: skip


def report(run: Run, *, finished_before: bool, further: Iterable[str] = ()) -> None:
    """Print what a finished run found, and `further` lines; the last line is for programs."""
    found = folder.read_metrics(run.settings, run.id)
    again = " (finished before; not repeated)" if finished_before else ""
    model = "" if run.model == registry.DEFAULT else f"{run.model}, "
    order = found.get("user_order", SEEDED)
    ordered = "" if order == SEEDED else f", user_order={order}"
    print(f"mlp.py {run.task} {model}{run.feature} {run.protocol}{ordered}{again}")
    print("  rows: " + ", ".join(f"{number:,} {name}" for name, number in found["rows"].items()))
    print(f"  {found['in_features']} inputs, {found['parameters']:,} parameters, {found['epochs_run']} epochs in "
          f"{found['train_seconds']:.1f} s on {threads.in_words(found.get('threads'))}, {found['interruptions']} "
          "interruptions")  # fmt: skip
    gauc = "none" if found["gauc"] is None else f"{found['gauc']:.4f}"
    interval = f"no AUC interval (fewer than {FEWEST_USERS} test users have both classes)"
    if found["auc_low"] is not None:
        interval = f"AUC 95 % interval {found['auc_low']:.4f} to {found['auc_high']:.4f} over test users"
    print(f"  {interval}, GAUC {gauc}, {found['test_positives']:,} test positives")
    for line in further:
        print(f"  {line}")
    for remark in found["remarks"]:
        print(f"  BEWARE: {remark}")
    print(f"AUC={found['auc']:.4f} LogLoss={found['logloss']:.4f} protocol={run.protocol} run={run.id}", flush=True)


def finish(run: Run, engine: Engine, further: Callable[[Run], Iterable[str]] = lambda run: ()) -> None:
    """Do a run unless it is finished, and say what it found, with `further` lines about the finished run."""
    with folder.writing(run.settings, run.id) if engine.is_first else contextlib.nullcontext():
        finished_before = engine.agreed(folder.is_finished(run.settings, run.id))
        if not finished_before:
            fit(run, engine)
        elif engine.is_first:
            describe(run)
    if engine.is_first:
        folder.rebuild_results(run.settings)
        report(run, finished_before=finished_before, further=further(run))


def finish_in_silence(run: Run) -> str:
    """Do a run without a word and return its id; a `UserError` reaches the caller."""
    memory.keep_freed_memory()
    silence = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with silence[0], silence[1], contextlib.closing(engine_of(device_of(run.device or "auto"), run.model)) as engine:
        finish(run, engine)
    return run.id
