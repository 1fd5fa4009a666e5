"""The lengths of WeChat's features follow from the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from mma4ctr.data.datasets import wechat
from mma4ctr.data.feed_info import INFO_COLUMNS
from mma4ctr.executor import LocalExecutor


@pytest.fixture(scope="module")
def feed_info(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a feed_info.csv with the full data's 17,500 singers and 25,159 songs."""
    folder, rng = tmp_path_factory.mktemp("feed_info"), np.random.default_rng(0)
    number = 25_159
    words = rng.integers(0, 9, (number, 6)) * [1, 1, 3, 1, 9, 1]
    texts = [" ".join(map(str, row)) for row in words.tolist()]
    feeds = np.arange(number)
    columns = dict.fromkeys(INFO_COLUMNS, pl.Series([None] * number, dtype=pl.String))
    columns |= {
        "feedid": feeds, "description": texts, "ocr": texts, "asr_char": texts,
        "bgm_song_id": feeds, "bgm_singer_id": feeds % 17_500,
        "machine_keyword_list": [f"{feed % 100};{feed % 7}" for feed in feeds.tolist()],
        "manual_tag_list": [str(feed % 5) for feed in feeds.tolist()],
    }  # fmt: skip
    pl.DataFrame(columns).write_csv(folder / "feed_info.csv")
    return folder


def test_wechat_feature_lengths_follow_from_the_data(feed_info: Path) -> None:
    read = {
        found.modality: found.matrix
        for found in wechat.DATASET.read_modalities(feed_info, np.zeros(0, np.int64), {"seed": 0}, LocalExecutor())
    }
    texts = pl.read_csv(feed_info / "feed_info.csv")["ocr"].to_list()
    padded = np.array([[float(word) for word in text.split()] for text in texts])
    kept = PCA(0.9, svd_solver="full").fit(padded).n_components_
    assert 1 < kept < 6
    lengths = {modality: matrix.shape[1] for modality, matrix in read.items()}
    assert lengths == {"visual": kept, "acoustic": kept + 11 + 12, "textual": kept + 16 + 14}
    keywords, tags = read["textual"][:, kept : kept + 16], read["textual"][:, kept + 16 :]
    assert keywords[:, :2].tolist() == [[feed % 100, feed % 7] for feed in range(len(texts))]
    assert tags[:, 0].tolist() == [feed % 5 for feed in range(len(texts))]
    assert not keywords[:, 2:].any()
    assert not tags[:, 1:].any()


def test_full_wechat_lengths_of_songs_and_singers() -> None:
    for distinct, length in ((17_500, 11), (25_159, 12)):
        ids = pl.Series([str(id_) for id_ in range(distinct)])
        table = wechat.untrained_embedding(ids, 0, 1)
        assert table.shape == (distinct, length)
        assert np.array_equal(table, wechat.untrained_embedding(ids, 0, 1))
        assert not np.array_equal(table, wechat.untrained_embedding(ids, 1, 1))
