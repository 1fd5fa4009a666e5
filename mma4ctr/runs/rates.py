"""The label-rate predictors on the rows of a run, each kept as a run of its own."""

from __future__ import annotations

from collections.abc import Mapping

import scipy.special

from mma4ctr.evaluation import calibration, label_rates, remarks
from mma4ctr.features import fusion
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.runs import described, folder
from mma4ctr.runs.run import Run, identity


def config_of(run: Run, covers: str) -> dict[str, object]:
    """Return what identifies the label-rate predictors on the rows that a run covers."""
    # User embeddings play no part, so that every length and reduction shares these rows.
    used = {name: record for name, record in run.built_on.items() if not name.startswith("get_user_embedding.py")}
    return {
        "task": run.task, "rows": covers, "protocol": run.protocol, **run.split, "built_on": used,
        "code": {name: version for name, version in run.code.items() if name == run.protocol},
    }  # fmt: skip


def evaluate(run: Run, rows: TaskRows, covers: str) -> dict[str, str]:
    """Evaluate the three predictors on the rows of a run, once, and return the run of each.

    `covers` says which rows these are; see `fusion.covers`.
    """
    config = config_of(run, covers)
    own: Mapping[str, dict] = {name: {**config, "feature": name} for name in label_rates.NAMES}
    found = {name: identity(content) for name, content in own.items()}
    if all(folder.is_finished(run.settings, one) for one in found.values()):
        return found
    test = rows.part("test")
    known = rows.part("validation")
    validation, predicted = (label_rates.predictors(rows.part("training"), one) for one in (known, test))
    suffix = "" if config["rows"] == fusion.FUSED else f"@{config['rows']}"
    for name, one in found.items():
        place = folder.folder_of(run.settings, one)
        described.write_readme(place, f"{name}, which knows the click rates of training rows alone, on {run.task}.")
        folder.save_config(place, own[name])
        figures = folder.save_predictions(place, predicted[name], test, run.settings.seed)
        log_odds = [scipy.special.logit(rates[name]) for rates in (validation, predicted)]
        figures[calibration.NAME] = calibration.calibrated_logloss(log_odds[0], known[:, 2], log_odds[1], test[:, 2])
        minimum = run.settings.min_interactions[run.settings.dataset_of(run.task)]
        identified = {"run": one, "task": run.task, "feature": name + suffix, "protocol": run.protocol, **run.split}
        found_out = {**identified, **figures, "min_interactions": minimum}
        folder.save_metrics(place, {**found_out, "remarks": remarks.of_rows(run.settings, run.task)})
    return found
