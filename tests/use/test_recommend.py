"""recommend.py end to end: one user, all of them, pairs, new items, the best run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import mma4ctr
import recommend
from mma4ctr.settings import Settings
from samples import ROOT

Used = tuple[Settings, dict[str, Path]]


@pytest.fixture
def words(used: Used) -> list[str]:
    return ["--paths", str(used[0].file), "--run", used[1]["mma4ctr"].name]


def test_one_user_and_all(used: Used, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = mma4ctr.load_run(used[1]["mma4ctr"])
    user = run.test_rows["user"][0]
    recommend.main([*words, "--user", str(user), "--top", "3", "--unseen"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "user,rank,item,probability" and len(lines) == 4 and lines[1].startswith(f"{user},1,")
    for ending in ("csv", "parquet"):
        recommend.main([*words, "--all_users", "--top", "3", "--unseen", "--out", str(tmp_path / f"top.{ending}")])
    assert capsys.readouterr().out.splitlines()[-1].endswith("top.parquet")
    text, packed = pl.read_csv(tmp_path / "top.csv"), pl.read_parquet(tmp_path / "top.parquet")
    assert text.equals(packed.with_columns(pl.col("probability").cast(pl.Float64)).select(text.columns)) or (
        text["item"].equals(packed["item"]) and text["user"].equals(packed["user"])
    )
    assert [",".join(map(str, row[:3])) for row in packed.filter(pl.col("user") == user).rows()] == [
        line.rpartition(",")[0] for line in lines[1:]
    ]


def test_pairs_and_the_best_run(used: Used, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = {name: mma4ctr.load_run(place) for name, place in used[1].items()}
    best = max(runs.values(), key=lambda run: run.history["valid_auc"][0])
    pairs, out = best.test_rows.head(5).select("item", "user"), tmp_path / "scored.csv"
    pairs.write_csv(tmp_path / "pairs.csv")
    words = ["--paths", str(used[0].file), "--best", "--dataset", "wechat", "--protocol", "clean"]
    recommend.main([*words, "--pairs", str(tmp_path / "pairs.csv"), "--out", str(out)])
    assert capsys.readouterr().out == f"recommend.py wechat {best.folder.name}: 5 rows in {out}\n"
    expected = best.predict(pairs)["probability"].to_list()
    assert pl.read_csv(out)["probability"].to_list() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--user", "1", "--best"], "not allowed with"),
        (["--user", "1", "--dataset", "wechat"], "--best and --dataset TASK go together"),
        (["--pairs", "pairs.txt"], "expected .csv or .parquet"),
        (["--pairs", "none.csv"], "cannot be read"),
        (["--user", "1", "--items", "items.csv"], "expected item"),
    ],
)
def test_what_is_refused(
    words: list[str], more: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.csv").write_text("id\n1\n")
    with pytest.raises(SystemExit) as ended:
        recommend.main([*words, *more])
    assert ended.value.code == 2 and told in capsys.readouterr().err


def test_help_imports_no_torch() -> None:
    code = (
        "import sys, recommend\ntry: recommend.main(['--help'])\nfinally: print({'torch', 'polars'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"
