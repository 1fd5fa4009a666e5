"""Bad input ends in one clear line and exit status 2, and leaves nothing half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
from bad_input import FEEDS, LOG, ROWS, STEPS, TITLE, TRACK, VIDEO, fields, listing, refusal, replace
from samples import ROOT, paths_file

FILES = {
    "empty": (b"", "the file is empty; download it again"),
    "missing": (None, "no such raw file|found neither, expected one of"),
    "header only": (
        b"userid,feedid,device,read_comment,like,click_avatar,forward,favorite,comment,follow\n",
        "no rows",
    ),
}


@pytest.mark.parametrize(("step", "name", "case"), [
    ("1", LOG, "empty"), ("1", LOG, "missing"), ("1", LOG, "header only"), ("1", ROWS, "empty"), ("1", ROWS, "missing"),
    ("2", FEEDS, "empty"), ("2", FEEDS, "missing"), ("2", VIDEO, "empty"), ("2", TITLE, "empty"),
])  # fmt: skip
def test_an_empty_or_missing_raw_file_is_named(
    step: str, name: str, case: str, raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    content, said = FILES[case]
    replace(raw / name, content)
    (tmp_path / "out").mkdir()
    file = paths_file(tmp_path / "out", raw)
    dataset = "tiktok" if name.startswith(TRACK) else "wechat"
    line = refusal(capfd, STEPS[step].main, ["--paths", str(file), "--dataset", dataset])
    assert str((raw / name).parent) in line
    assert re.search(said, line), line
    assert listing(tmp_path / "out") == {"path.json"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize(("step", "name"), [("1", LOG), ("1", ROWS), ("2", FEEDS), ("2", VIDEO)])
def test_a_file_that_must_not_be_read_is_named(
    step: str, name: str, raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    replace(raw / name, (raw / name).read_bytes())
    (raw / name).chmod(0)
    (tmp_path / "out").mkdir()
    dataset = "tiktok" if name.startswith(TRACK) else "wechat"
    to = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", dataset]
    assert f"{raw / name}: Permission denied" in refusal(capfd, STEPS[step].main, to)
    assert listing(tmp_path / "out") == {"path.json"}


@pytest.mark.parametrize("dataset", ["wechat", "tiktok"])
@pytest.mark.parametrize("step", ["1", "2"])
def test_no_raw_folder(step: str, dataset: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps({"parent_folder": "nowhere"}))
    line = refusal(capfd, STEPS[step].main, ["--paths", str(file), "--dataset", dataset])
    assert f"{dataset}_dataset_path in path.json" in line
    assert listing(tmp_path) == {"path.json"}


def test_header_only_feed_info(raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    header = (raw / FEEDS).read_bytes().partition(b"\n")[0]
    replace(raw / FEEDS, header + b"\n")
    line = refusal(
        capfd, preprocess_multimodal.main, ["--paths", str(paths_file(tmp_path, raw)), "--dataset", "wechat"]
    )
    assert "no item has any feature" in line


def test_no_user_is_left(tiny_raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    file = paths_file(tmp_path, tiny_raw, min_interactions={"wechat": 10**6})
    line = refusal(capfd, preprocess_inter.main, ["--paths", str(file), "--dataset", "wechat"])
    assert "min_interactions of wechat is 1000000" in line
    assert "lower it" in line
    assert listing(tmp_path) == {"path.json"}


# ---- earlier steps and features


@pytest.mark.parametrize(("script", "missing", "named"), [
    (preprocess_multimodal, "bipartite_graph", "preprocess_inter.py"),
    (get_user_embedding, "bipartite_graph", "preprocess_inter.py"),
    (get_user_embedding, "multi_modal", "preprocess_multimodal.py"),
    (cross_matrix, "multi_modal", "preprocess_multimodal.py"), (gen_matrix, "multi_modal", "preprocess_multimodal.py"),
    (mlp, "bipartite_graph", "preprocess_inter.py"), (mlp, "multi_modal", "preprocess_multimodal.py"),
    (mlp, "user_all_embeddings", "get_user_embedding.py"), (mlp, "matrix", "cross_matrix.py"),
])  # fmt: skip
def test_a_missing_step_is_named(
    script, missing: str, named: str, built: Path, capfd: pytest.CaptureFixture
) -> None:  # fmt: skip
    shutil.rmtree(built.parent / missing)
    before = listing(built.parent)
    dataset = "tiktok_like" if script is mlp else "tiktok"
    line = refusal(capfd, script.main, ["--paths", str(built), "--dataset", dataset])
    assert re.search(rf"run python {named} --paths \S+path\.json --dataset tiktok( --protocol published)? first", line)
    assert listing(built.parent) == before


@pytest.mark.parametrize("dataset", ["wechat", "tiktok"])
def test_where_nothing_has_run_the_first_step_is_named(
    tiny_raw: Path, tmp_path: Path, dataset: str, capfd: pytest.CaptureFixture
) -> None:
    task = {"wechat": "wechat", "tiktok": "tiktok_like"}[dataset]
    line = refusal(capfd, mlp.main, ["--paths", str(paths_file(tmp_path, tiny_raw)), "--dataset", task])
    assert re.search(rf"run python preprocess_inter\.py --paths \S+path\.json --dataset {dataset} first", line)


def change_settings(file: Path, **changes: object) -> Path:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return file


@pytest.mark.parametrize(("options", "changes", "said"), [
    (["--feature", "smell"], {}, "--feature 'smell': unknown, expected one of visual, acoustic"),
    (["--feature", "visual"], {"user_embedding_length": 0}, "user_embedding_length is 0, which only vat_concat takes"),
    (["--feature", "vat_concat"], {"user_embedding_length": 160}, "in_features is"),
])  # fmt: skip
def test_a_feature_that_cannot_be_trained(
    options: list[str], changes: dict, said: str, built: Path, capfd: pytest.CaptureFixture
) -> None:
    to = ["--paths", str(change_settings(built, **changes))]
    if changes:
        get_user_embedding.main(to)
    before = listing(built.parent)
    line = refusal(capfd, mlp.main, [*to, *options])
    assert said in line
    assert listing(built.parent) == before


def test_a_feature_of_a_modality_without_files(raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    for file in (raw / TRACK).glob("*audio*"):
        file.unlink()
    (tmp_path / "out").mkdir()
    to = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", "tiktok"]
    for script in STEPS.values():
        script.main(to)
    line = refusal(capfd, mlp.main, [*to[:2], "--dataset", "tiktok_like", "--feature", "va_cross"])
    assert "va_cross needs the acoustic modality" in line
    assert "or choose another feature" in line
    mlp.main([*to[:2], "--dataset", "tiktok_like", "--feature", "vt_cross", "--epochs", "1", "--device", "cpu"])


def test_a_data_set_of_a_single_modality(raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    for file in (*(raw / TRACK).glob("*audio*"), *(raw / TRACK).glob("*video*")):
        file.unlink()
    (tmp_path / "out").mkdir()
    to = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", "tiktok"]
    for script in STEPS.values():
        script.main(to)
    assert {file.name for file in (tmp_path / "out" / "matrix").glob("*.json")} == {"tiktok_textual.json"}
    assert (tmp_path / "out" / "matrix" / "tiktok_fused_items.npy").exists()
    mlp.main([*to[:2], "--dataset", "tiktok_like", "--feature", "textual", "--epochs", "1", "--device", "cpu"])
    assert "needs the visual modality" in refusal(capfd, mlp.main, [*to[:2], "--dataset", "tiktok_like"])


def test_a_part_with_a_single_class(raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    lines = (raw / ROWS).read_text().splitlines()
    replace(raw / ROWS, "\n".join(fields(line, "\t", 7, "0") for line in lines).encode())
    (tmp_path / "out").mkdir()
    to = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", "tiktok"]
    for script in STEPS.values():
        script.main(to)
    before = listing(tmp_path / "out")
    line = refusal(capfd, mlp.main, [*to[:2], "--dataset", "tiktok_like"])
    assert re.search(r"tiktok_like, vat_concat, published: the training part has \d+ rows and 0 clicks", line)
    assert listing(tmp_path / "out") == before


def test_options_that_argparse_refuses_end_with_status_2(built: Path, capfd: pytest.CaptureFixture) -> None:
    for options in (["--epochs", "0"], ["--learning_rate", "nan"], ["--dataset", "netflix"], ["--feat", "visual"]):
        with pytest.raises(SystemExit) as stop:
            mlp.main(["--paths", str(built), *options])
        assert stop.value.code == 2
        assert "Traceback" not in capfd.readouterr().err


def test_in_a_process_of_its_own(raw: Path, tmp_path: Path) -> None:
    replace(raw / LOG, (raw / LOG).read_bytes()[:5000])
    (tmp_path / "out").mkdir()
    command = [sys.executable, "preprocess_inter.py", "--paths", str(paths_file(tmp_path / "out", raw))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"error: \S+user_action.csv:\d+: .*; mend or remove the line\n", done.stderr), done.stderr
    assert listing(tmp_path / "out") == {"path.json"}
