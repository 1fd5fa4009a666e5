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
