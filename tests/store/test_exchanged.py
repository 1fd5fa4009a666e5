"""An artefact that is not the one that its step wrote is refused by whoever reads it, whatever was done to it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mlp
import statis_and_draw
from bad_input import SCRIPTS, named_in, refusal
from load_path import load_path
from mma4ctr.settings import Settings
from mma4ctr.store import records
from samples import paths_file

TRAIN = ("--dataset", "wechat", "--epochs", "1", "--device", "cpu")


def of_array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """Return what changes the array in a file."""

    def damage(file: Path) -> None:
        array = np.load(file)
        np.save(file, np.ascontiguousarray(change(array)).astype(array.dtype))

    return damage


def with_nan(array: np.ndarray) -> np.ndarray:
    array[len(array) // 2] = np.nan if array.dtype.kind == "f" else -1
    return array


def flipped(file: Path) -> None:
    """Flip the lowest bit of the last number."""
    content = bytearray(file.read_bytes())
    content[-4] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "a row less": of_array(lambda array: array[1:]),
    "a row twice": of_array(lambda array: np.concatenate([array, array[-1:]])),
    "rows in another order": of_array(lambda array: array[::-1]),
    "nan": of_array(with_nan),
    "a bit": flipped,
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "empty": lambda file: file.write_bytes(b""),
}
# Files that a run of vat_concat reads, of each step.
READ = {
    "bipartite_graph/wechat_items.npy": "preprocess_inter.py",
    "bipartite_graph/wechat_published_rows.npy": "preprocess_inter.py",
    "user_all_embeddings/wechat_textual_published_pca_21.npy": "get_user_embedding.py",
    "matrix/wechat_fused_items.npy": "cross_matrix.py",
    "matrix/wechat_acoustic_fused.npy": "cross_matrix.py",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Settings, tiny_raw: Path) -> Path:
    """A copy of the artefacts of the tiny sample, to be damaged and mended again; returns its path.json."""
    folder = tmp_path_factory.mktemp("exchanged") / "copy"
    shutil.copytree(tiny.parent_folder, folder, ignore=shutil.ignore_patterns("*_dense.npy", "saved"))
    return paths_file(folder, tiny_raw)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READ)
def test_a_run_refuses_it_and_names_file_record_and_command(
    trained: Path, name: str, damage: str, capfd: pytest.CaptureFixture
) -> None:
    file, to = trained.parent / name, ["--paths", str(trained)]
    whole = file.read_bytes()
    try:
        DAMAGES[damage](file)
        line = refusal(capfd, mlp.main, [*to, *TRAIN])
    finally:
        file.write_bytes(whole)
    assert line.startswith(f"{file}: is not the file that was written")
    assert str(file.parent / "records" / READ[name].removesuffix(".py")) in line
    script, words = named_in(line)
    assert script == READ[name] and words[-1] == "--force" and words[:2] == to
    assert not list((trained.parent / "saved").glob("*/metrics.json"))


PAIRS = {
    "of the other protocol": (
        "user_all_embeddings/wechat_visual_clean_pca_21.npy", "user_all_embeddings/wechat_visual_published_pca_21.npy",
    ),
    "of another modality": (
        "user_all_embeddings/wechat_acoustic_published_pca_21.npy",
        "user_all_embeddings/wechat_visual_published_pca_21.npy",
    ),
    "of another task": ("bipartite_graph/tiktok_like_published_rows.npy", "bipartite_graph/wechat_published_rows.npy"),
    "of the record alone": (
        "user_all_embeddings/records/get_user_embedding_wechat_wechat_clean_pca_21.json",
        "user_all_embeddings/records/get_user_embedding_wechat_wechat_published_pca_21.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
def test_an_exchanged_file_is_refused(trained: Path, pair: str, capfd: pytest.CaptureFixture) -> None:
    source, target = (trained.parent / name for name in PAIRS[pair])
    whole = target.read_bytes()
    try:
        shutil.copy2(source, target)
        line = refusal(capfd, mlp.main, ["--paths", str(trained), *TRAIN])
    finally:
        target.write_bytes(whole)
    assert line.startswith(f"{target}: ") and " --force" in line


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("multi_modal/wechat_visual.npy", "get_user_embedding.py"),
        ("multi_modal/wechat_acoustic_items.npy", "cross_matrix.py"),
        ("multi_modal/wechat_textual.npy", "gen_matrix.py"),
        ("bipartite_graph/tiktok_items.npy", "preprocess_multimodal.py"),
    ],
)
def test_a_step_refuses_what_an_earlier_one_did_not_write(
    built: Path, name: str, reader: str, capfd: pytest.CaptureFixture
) -> None:
    file = built.parent / name
    DAMAGES["a bit"](file)
    to = ["--paths", str(built), "--dataset", Path(name).name.split("_")[0]]
    line = refusal(capfd, SCRIPTS[reader], [*to, "--force"])
    assert line.startswith(f"{file}: is not the file that was written")
    script, words = named_in(line)
    SCRIPTS[script](words[:-1])  # without --force: what is damaged is not current
    SCRIPTS[reader]([*to, "--force"])


def test_a_statistic_that_was_changed_is_refused(built: Path, capfd: pytest.CaptureFixture) -> None:
    file = built.parent / "bipartite_graph" / "statistics" / "wechat_actions.json"
    file.write_text(file.read_text().replace("0", "1", 1))
    line = refusal(capfd, statis_and_draw.main, ["--paths", str(built), "--dataset", "wechat"])
    assert line.startswith(f"{file}: is not the file that was written")


def test_what_is_built_anew_with_other_contents_is_another_thing(built: Path, capfd: pytest.CaptureFixture) -> None:
    settings = load_path(built)
    record = records.read(settings, records.MULTIMODAL, "wechat", {})
    other = dataclasses.replace(record, outputs={name: checksum[::-1] for name, checksum in record.outputs.items()})
    assert (other.recipe, other.id) == (record.recipe, other.id) and other.id != record.id
    records.write(settings, other)
    line = refusal(capfd, mlp.main, ["--paths", str(built), *TRAIN])
    assert "built on an earlier result of preprocess_multimodal.py" in line
