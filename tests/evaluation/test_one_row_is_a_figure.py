"""A new figure is one row of the table: everything that shows figures shows it, without another change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mma4ctr.settings import Settings
from samples import ROOT, own_runs

# The row is added before any other module is imported, as if it stood in the file.
WITH_A_ROW = """
import json
import sys

from mma4ctr.evaluation import metrics

metrics.FIGURES += (
    metrics.Figure("brier", "Brier", lambda found: float(((found.labels - found.probabilities) ** 2).mean())),
)

import demo
import mlp
from load_path import load_path
from mma4ctr.grid.results import Results
from mma4ctr.report import appendix
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.tables import experiment_table
from mma4ctr.runs import comparison, folder

(run,) = mlp.main(["--paths", sys.argv[1], "--epochs", "10", "--eval_every", "5", "--device", "cpu"])
settings = load_path(sys.argv[1])
demo.show([folder.read_metrics(settings, run)])
results = Results(settings)
runs = TaskRuns(results, "wechat")
evaluation = runs.any_evaluation(runs.variants[0])
shown = {
    "metrics": folder.read_metrics(settings, run)["brier"],
    "rates": results.label_rate(evaluation, "user_rate").figures["brier"],
    "history": json.loads((folder.folder_of(settings, run) / "history.json").read_bytes())[4]["test_brier"],
    "mean": comparison.summarise([evaluation]).figures["brier"],
    "details": [cell.details for row in experiment_table(runs, "performance").rows for cell in row if cell.details],
    "runs": [row[0].details for row in appendix.runs_section(results).tables[0].rows if row[0].text == run],
}
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> tuple[Path, list[str]]:
    """The folder of the runs, and what was printed."""
    paths = own_runs(tiny, tmp_path_factory.mktemp("one_row"))
    command = [sys.executable, "-c", WITH_A_ROW, str(paths.file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return paths.saved_path, done.stdout.splitlines()


def test_it_is_in_every_file_table_and_mean(output: tuple[Path, list[str]]) -> None:
    saved, printed = output
    found = json.loads(printed[-1])
    assert 0 < found["mean"] < 1
    assert found["mean"] == found["metrics"] != found["history"]
    assert found["rates"] != found["metrics"]
    header = (saved / "results.csv").read_text().partition("\n")[0].split(",")
    assert header[header.index("test_positives") :][:3] == ["test_positives", "brier", "logloss_calibrated"]
    assert f"brier: {found['mean']:.4f}" in found["runs"][0]
    assert any(f"Brier {found['mean']:.4f}" in line for details in found["details"] for line in details)


def test_it_has_a_column_in_the_demo(output: tuple[Path, list[str]]) -> None:
    _, printed = output
    found = json.loads(printed[-1])
    (head,) = (line for line in printed if "AUC [95 % interval]" in line)
    assert head.split("LogLoss")[1].split() == ["Brier", "calibrated"]
    assert any(f" {found['metrics']:.4f} " in line for line in printed[:-1])
