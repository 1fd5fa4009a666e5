"""A full disk ends every script in one line that names file and room, and leaves nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
import sample_data
import statis_and_draw
from bad_input import listing, refusal
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import disk
from samples import with_changes

# Script and what it is given -> the keys of the folders that lie on the full disk.
CASES: dict[str, tuple[Callable, tuple[str, ...], tuple[str, ...]]] = {
    "1": (preprocess_inter.main, ("--dataset", "wechat"), ("graph_path",)),
    "2": (preprocess_multimodal.main, ("--dataset", "wechat"), ("modal_path",)),
    "3": (get_user_embedding.main, ("--dataset", "tiktok"), ("user_embedding_path",)),
    "4": (cross_matrix.main, ("--dataset", "wechat"), ("matrix_path",)),
    "5": (gen_matrix.main, ("--dataset", "wechat", "--dense"), ("matrix_path",)),
    "6, run": (mlp.main, ("--epochs", "1", "--device", "cpu"), ("saved_path",)),
    "6, checkpoint": (mlp.main, ("--epochs", "1", "--device", "cpu"), ("torch_model_path",)),
    "8": (statis_and_draw.main, ("--dataset", "wechat"), ("saved_path",)),
}


def fill(folder: Path, left: int) -> None:
    """Leave so many bytes of a disk free."""
    found = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(found.f_bavail * found.f_frsize - left))


@pytest.mark.parametrize("left", [4_096, 49_152])
@pytest.mark.parametrize("case", CASES)
def test_a_step_on_a_full_disk(
    case: str, left: int, small_disk: Path, tmp_path: Path, tiny: Settings, capfd: pytest.CaptureFixture
) -> None:
    main, options, keys = CASES[case]
    own = {key: tmp_path / key for key in ("saved_path", "torch_model_path")}
    own |= {key: small_disk / key for key in keys}
    settings = with_changes(tiny, file=tmp_path / "path.json", **own)
    disk.write_json(settings.file, content_of(settings))
    fill(small_disk, left if case != "6, checkpoint" else 4_096)
    line = refusal(capfd, main, ["--paths", str(settings.file), *options])
    assert line.startswith(f"{small_disk}/") and "no space left on the device (" in line and "kB free" in line
    assert not [name for name in listing(tmp_path) if name.endswith(".part")]


def test_a_sample_that_does_not_fit(small_disk: Path, capfd: pytest.CaptureFixture) -> None:
    line = refusal(capfd, sample_data.main, ["--scale", "tiny", "--out", str(small_disk / "sample")])
    assert line.startswith(f"{small_disk}/sample/") and "no space left on the device (" in line and "kB free" in line
    assert not [name for name in listing(small_disk) if name.endswith(".partial")]
