"""The HyperCTR paper's figures: as they are printed, and what does not fit together in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mma4ctr.cli import UserError
from mma4ctr.published import hyperctr
from mma4ctr.report import seed_papers


def test_every_cell_is_there() -> None:
    cells = hyperctr.load()
    counts = dict(cells.group_by("table").len().iter_rows())
    assert counts == {"1": 3 * 4, "3": 9 * 6, "4": 5 * 6, "BARS": 4}
    assert cells["value"].null_count() == 3  # Kuaishou has no acoustic features, MV1.7M no sparsity
    found = hyperctr.figures()
    assert found["3", "MV1.7M", "HyperCTR", "auc"] == 0.867 and found["3", "MovieLens", "GRU4Rec", "logloss"] == 0.6991
    assert found["4", "Kuaishou", "without hypergraph", "auc"] == 0.8034


def test_the_figures_of_both_tables_agree() -> None:
    found = hyperctr.figures()
    for data in hyperctr.DATA:
        for figure in hyperctr.BEST:
            assert found["3", data, "HyperCTR", figure] == found["4", data, "multi-modal", figure]


def test_what_does_not_fit_is_found() -> None:
    said = hyperctr.inconsistencies()
    assert any("MovieLens a sparsity of 99.63 %; its counts give 98.69 %" in one for one in said)
    assert any("Kuaishou a sparsity of 99.98 %; its counts give 99.96 %" in one for one in said)
    assert any("On MovieLens the LogLoss of all modalities, 0.5380, is worse" in one for one in said)
    assert any("gives a LogLoss of 0.008 there; the lowest that is printed is 0.5160" in one for one in said)
    assert any('titled "in %"' in one for one in said)
    assert not [one for one in said if "improvement" in one]
    assert len(said) == 5


def test_an_improvement_that_is_not_that_of_the_figures_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**hyperctr.figures(), ("3", "MV1.7M", "improvement", "auc"): 9.43}
    monkeypatch.setattr(hyperctr, "figures", lambda: found)
    assert "Table 3 prints an improvement of 9.43 % in auc on MV1.7M; its figures give 7.435 %." in (
        hyperctr.inconsistencies()
    )


def test_the_base_rate_is_the_entropy() -> None:
    assert hyperctr.base_rate_logloss(1) == pytest.approx(0.6931, abs=1e-4)
    assert hyperctr.base_rate_logloss(1000) == pytest.approx(0.0079, abs=1e-4)


@pytest.mark.parametrize("content", ["table,data\n3,x\n", "table,data,model,figure,value\n3,x,y,auc,none\n", "\xff"])
def test_a_damaged_file_is_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hyperctr.csv"
    file.write_bytes(content.encode("latin-1"))
    monkeypatch.setattr(hyperctr, "FILE", file)
    with pytest.raises(UserError, match=rf"{file}: .*restore it from the repository"):
        hyperctr.load()


def test_the_report_shows_both_tables_and_says_what_they_are() -> None:
    section = seed_papers.section()
    assert [len(table.rows) for table in section.tables] == [9, 5]
    assert "NOT comparable" in section.paragraphs[0] and all(table.folded for table in section.tables)
    acoustic = next(row for row in section.tables[1].rows if row[0].text == "acoustic")
    assert [cell.text for cell in acoustic[1:]] == ["", "", "0.8260", "0.5171", "0.8134", "0.5373"]
    assert any("DIN 0.7360 on MV1.7M" in one for one in section.paragraphs)
