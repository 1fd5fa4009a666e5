"""mlp.py builds the user embeddings that it is asked for, and trains on them what a path.json of their own gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import get_user_embedding
import mlp
from mma4ctr.runs import folder
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import disk
from samples import own_runs, with_changes

SHORT = ("--epochs", "1", "--batch_size", "1024", "--protocol", "clean")


@pytest.mark.parametrize(("length", "reduction"), [(5, "average_pooling"), (3, None), (0, None)])
def test_an_ablation_is_one_command(tiny: Settings, tmp_path: Path, length: int, reduction: str | None) -> None:
    own = own_runs(tiny, tmp_path)
    asked = ("--user_embedding_length", str(length), *(("--user_reduction", reduction) if reduction else ()))
    (run,) = mlp.main(["--paths", str(own.file), *SHORT, *asked])
    found = folder.read_metrics(own, run)
    assert (found["user_embedding_length"], found["reduction"]) == (length, reduction or "pca")
    # By hand: a path.json with these settings, and step 3.
    by_hand = with_changes(own, file=tmp_path / "other.json", user_embedding_length=length,
                           user_reduction=reduction or "pca", user_embedding_path=tmp_path / "embeddings",
                           saved_path=tmp_path / "by_hand")  # fmt: skip
    disk.write_json(by_hand.file, content_of(by_hand))
    get_user_embedding.main(["--paths", str(by_hand.file), "--dataset", "wechat", "--protocol", "clean"])
    assert mlp.main(["--paths", str(by_hand.file), *SHORT]) == [run]
    one, other = (settings.saved_path / run / "predictions.npy" for settings in (own, by_hand))
    assert one.read_bytes() == other.read_bytes()
    before = sorted(file.stat().st_mtime_ns for file in own.saved_path.rglob("user_all_embeddings/*"))
    assert mlp.main(["--paths", str(own.file), *SHORT, *asked]) == [run]
    assert before == sorted(file.stat().st_mtime_ns for file in own.saved_path.rglob("user_all_embeddings/*"))
