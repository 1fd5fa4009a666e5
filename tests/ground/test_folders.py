"""The folders of path.json: none is two keys', none is a file, and no link leads nowhere."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from load_path import load_path
from mma4ctr.cli import UserError
from mma4ctr.settings import UNUSED

USED = (
    "graph_path", "modal_path", "matrix_path", "torch_model_path", "user_embedding_path", "saved_path",
    "wechat_dataset_path", "tiktok_dataset_path",
)  # fmt: skip


def written(folder: Path, **content: object) -> Path:
    file = folder / "path.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(USED, 2)))
def test_two_keys_that_name_one_folder_are_refused(tmp_path: Path, one: str, two: str) -> None:
    file = written(tmp_path, **{one: "here", two: "../data/./here/"})
    with pytest.raises(UserError, match="are one folder") as told:
        load_path(file)
    assert str(told.value).startswith(f"{file}: ")
    assert {one, two} <= set(str(told.value).split())


def test_a_key_that_names_another_keys_default_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"modal_path and matrix_path are one folder, .*multi_modal; give each"):
        load_path(written(tmp_path, matrix_path="multi_modal"))


def test_a_link_to_the_same_folder_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "matrix").mkdir(parents=True)
    (tmp_path / "data" / "linked").symlink_to("matrix")
    with pytest.raises(UserError, match="matrix_path and saved_path are one folder"):
        load_path(written(tmp_path, saved_path="linked"))


def test_unused_keys_may_name_any_folder(tmp_path: Path) -> None:
    load_path(written(tmp_path, **dict.fromkeys(UNUSED, "saved")))


@pytest.mark.parametrize("key", [*USED, *UNUSED, "parent_folder"])
@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_that_leads_nowhere_or_to_itself_is_refused(tmp_path: Path, key: str, target: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    with pytest.raises(
        UserError, match=rf"{key} leads over the link {link} to {tmp_path / target}, which is not there"
    ):
        load_path(written(tmp_path, **{key: str(link / "below")}))


@pytest.mark.parametrize("key", ["matrix_path", "parent_folder"])
def test_a_file_is_no_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "occupied").write_text("a file")
    for value in ("occupied", "occupied/below"):
        with pytest.raises(UserError, match=f"{key} leads to {tmp_path / 'occupied'}, which is a file"):
            load_path(written(tmp_path, **{key: str(tmp_path / value)}))


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    assert (
        load_path(written(tmp_path, matrix_path=str(tmp_path / "near" / "below"))).matrix_path == tmp_path / "far/below"
    )
