"""As many threads as a batch keeps busy, within a process's share of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mlp
from mma4ctr.models.layers import number_of_multiplied, number_of_parameters
from mma4ctr.runs import folder
from mma4ctr.settings import Settings
from mma4ctr.training import threads
from samples import own_runs


@pytest.mark.parametrize(("rows", "weights", "most", "expected"), [
    (1024, 29_225, 16, 1), (8192, 29_225, 16, 2), (8192, 29_225, 1, 1), (65_536, 29_225, 16, 16), (1, 1, 4, 1),
])  # fmt: skip
def test_small_batches_take_one(rows: int, weights: int, most: int, expected: int) -> None:
    assert threads.number_for(rows, weights, most) == expected


def test_a_run_says_how_many_it_took(
    tiny: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(threads, "_fixed", None)
    monkeypatch.setattr(threads, "_most", 4)
    own = own_runs(tiny, tmp_path)
    train = ("--paths", str(own.file), "--epochs", "1")
    (small,) = mlp.main([*train, "--batch_size", "256"])
    assert " s on 1 thread, " in capsys.readouterr().out
    (asked,) = mlp.main([*train, "--batch_size", "512", "--threads", "3"])
    assert torch.get_num_threads() == 3
    assert [folder.read_metrics(own, run)["threads"] for run in (small, asked)] == [1, 3]


def test_a_table_is_no_work() -> None:
    model = torch.nn.ModuleDict({"ids": torch.nn.Embedding(1_000, 8), "layer": torch.nn.Linear(8, 4)})
    assert (number_of_parameters(model), number_of_multiplied(model)) == (8_036, 36)
    model["ids"].requires_grad_(False)
    assert (number_of_parameters(model), number_of_multiplied(model)) == (36, 36)
