"""The model that models/README.md shows works as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import mlp
from mma4ctr import models
from mma4ctr.models import registry
from mma4ctr.settings import Settings
from samples import ROOT, own_runs


def test_the_model_of_the_readme_is_trained(
    tiny: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "mma4ctr" / "models" / "README.md").read_text()
    (shown,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"python mlp\.py (.*)", text)
    (tmp_path / "dot.py").write_text(shown)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    try:
        mlp.main(["--paths", str(own_runs(tiny, tmp_path).file), *command.split(), "--epochs", "1", "--device", "cpu"])
    finally:
        registry.load.cache_clear()
        sys.modules.pop("mma4ctr.models.dot", None)
    assert re.search(r"AUC=0\.\d{4} LogLoss=\d\.\d{4} protocol=clean run=", capsys.readouterr().out)
