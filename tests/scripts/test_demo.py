"""The demo asks mlp.py for what there is."""

from __future__ import annotations

import pytest

import demo
import mlp
from mma4ctr.catalogue import MODALITIES, features_among, features_of


def test_it_trains_every_feature_of_one_task_and_all_modalities_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}

    def call(script: object, *words: str) -> list[str]:
        args = mlp.parser().parse_args(list(words))
        asked.setdefault(args.dataset, set()).update(features_of(MODALITIES, args.feature, args.modal_select))
        return [args.dataset]

    monkeypatch.setattr(demo, "call", call)
    demo.train(["--paths", "path.json"])
    assert asked == {
        "wechat": set(features_among(MODALITIES)), "tiktok_finish": {"vat_concat"}, "tiktok_like": {"vat_concat"},
    }  # fmt: skip


def test_the_table_fits_100_columns(capsys: pytest.CaptureFixture) -> None:
    figures = {"auc": 0.75, "auc_low": 0.7, "auc_high": 0.8, "gauc": 0.6, "logloss": 1.25, "logloss_calibrated": 0.5}
    names = [(task, feature) for task in ("wechat", "tiktok_finish") for feature in ("vat_concat", "user_item_rate")]
    demo.show([{"task": task, "feature": feature, "protocol": "published", **figures} for task, feature in names])
    printed = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in printed) <= 100
    assert sum("0.7500 [0.7000, 0.8000]" in line and line.split()[-1] == "0.5000" for line in printed) == 4
    assert sum("tiktok_finish, published" in line for line in printed) == 1  # above its rows
