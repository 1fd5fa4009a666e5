"""Figures get their captions from what draws them, and stand in the report in the order of these tables."""

from __future__ import annotations

from pathlib import Path

from mma4ctr.grid.experiments import VARIANTS
from mma4ctr.report import curves, drawings, sections
from mma4ctr.settings import Settings


def test_every_figure_that_was_drawn_is_shown_with_its_caption(tiny: Settings, tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    names = [name.format(task="wechat", epochs=30) for name in curves.TASK_FIGURES]
    own = drawings.folder_of(type(tiny)(**{**vars(tiny), "saved_path": tmp_path}), VARIANTS[1])
    files = [*(figures / f"{name}.svg" for name in names), *(own / f"wechat_{name}.svg" for name in drawings.CAPTIONS)]
    for file in [*files, figures / "tiktok_like_epochs.svg", own / "wechat_10.png", figures / "wechat_items.svg"]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    shown = sections.pictures_of_task(type(tiny)(**{**vars(tiny), "saved_path": tmp_path}), "wechat")
    assert [picture.file for picture in shown] == files
    captions = [picture.caption for picture in shown]
    assert captions[1] == "wechat: AUC against epochs"
    assert captions[4] == "wechat: training loss against epochs"
    assert "wechat: ROC curves of every feature after 30 epochs, published, pca" in captions
    assert captions[-1] == "wechat: UMAP of the hidden layer in three dimensions, published, pca"
    assert len(set(captions)) == len(captions)
    assert all(picture.seen.endswith(".") for picture in shown)


def test_the_dot_plot_stands_beside_the_roc_of_the_clean_protocol(tiny: Settings, tmp_path: Path) -> None:
    settings = type(tiny)(**{**vars(tiny), "saved_path": tmp_path})
    clean, published = (drawings.folder_of(settings, variant) for variant in (VARIANTS[-1], VARIANTS[0]))
    files = [tmp_path / "figures" / "wechat_AUC.svg", published / "wechat_30.svg", clean / "wechat_10.svg"]
    for count in range(1, len(files) + 1):
        files[count - 1].parent.mkdir(parents=True, exist_ok=True)
        files[count - 1].touch()
        shown = sections.main_pictures(settings, "wechat", sections.pictures_of_task(settings, "wechat"))
        assert [picture.file for picture in shown] == [files[0], *files[1:count][-1:]]
