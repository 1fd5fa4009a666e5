"""An item, or a user, that is given again as a new one gets what steps 3 to 5 gave it."""

from __future__ import annotations

import numpy as np
import pytest

import get_user_embedding
from mma4ctr.catalogue import feature_named, features_among
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import dataset_of
from mma4ctr.features import fusion, newcomers, user_embedding
from mma4ctr.features.build import load_item_tables, load_items
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import disk, reading
from samples import with_changes

Tables = dict[str, tuple[np.ndarray, np.ndarray]]  # modality -> ids and matrix


def as_they_are(paths: Settings, dataset: str, modalities: tuple[str, ...]) -> Tables:
    keys = {name: {"dataset": dataset, "modality": name} for name in modalities}
    return {name: (reading.load(paths, "modality_items", **keys[name]), reading.load(paths, "modality", **keys[name]))
            for name in modalities}  # fmt: skip


def fusable(paths: Settings, dataset: str, modalities: tuple[str, ...]) -> Tables:
    fused = reading.load(paths, "fused_items", dataset=dataset)
    known = as_they_are(paths, dataset, modalities)
    return {name: (fused, fusion.fusable(*known[name], fused)) for name in modalities}


SOURCES_IN_MEMORY = {False: as_they_are, True: fusable}


def some_raw(paths: Settings, dataset: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the ids of three fused items, and their rows of step 2's matrices."""
    fused, raw = reading.load(paths, "fused_items", dataset=dataset)[[0, 3, -1]], {}
    for name in dataset_of(paths, dataset).modalities:
        keys = {"dataset": dataset, "modality": name}
        places = places_in(reading.load(paths, "modality_items", **keys), fused)
        raw[name] = reading.load(paths, "modality", **keys)[places]
    return fused, raw


def alike(found: np.ndarray, expected: np.ndarray, feature: str) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6, err_msg=feature)
    assert found.shape == expected.shape and expected.std() > 0


@pytest.mark.parametrize("dataset", ["wechat", "tiktok"])
def test_an_item_given_as_a_new_one_gets_its_features(tiny: Settings, dataset: str) -> None:
    fused, raw = some_raw(tiny, dataset)
    for feature in features_among(dataset_of(tiny, dataset).modalities):
        ids, expected = load_items(tiny, dataset, feature)
        found = newcomers.features_of(tiny, dataset, feature, raw, together=True)
        alike(found, expected[places_in(ids, fused)], feature)
    ids, tables = load_item_tables(tiny, dataset, "vat_concat")
    apart = newcomers.features_of(tiny, dataset, "vat_concat", raw, together=False)
    alike(apart, np.hstack(list(tables.values()))[places_in(ids, fused)], "apart")


def test_wide_ones_are_reduced_as_the_steps_reduce_them(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    few = 9  # columns, in place of 128: narrower than any modality of the sample
    for module in (fusion, newcomers):
        monkeypatch.setattr(module, "ITEM_FEATURE_LENGTH", few)
    fused, raw = some_raw(tiny, "wechat")
    assert min(matrix.shape[1] for matrix in raw.values()) > few
    sources = {fuses: source(tiny, "wechat", tuple(raw)) for fuses, source in SOURCES_IN_MEMORY.items()}
    for feature in features_among(tuple(raw)):
        named = feature_named(feature)
        known = sources[fusion.FUSIONS[named.fusion].fuses]
        made = fusion.FUSIONS[named.fusion].make([known[name][1] for name in named.modalities])
        alike(
            newcomers.features_of(tiny, "wechat", feature, raw, together=True),
            made[places_in(known[named.modalities[0]][0], fused)], feature,
        )  # fmt: skip


@pytest.mark.parametrize("method", ["pca", "average_pooling"])
def test_a_user_given_as_a_new_one_gets_the_same_embedding(tiny: Settings, tmp_path, method: str) -> None:
    paths = tiny
    if method != tiny.user_reduction:
        paths = with_changes(
            tiny, file=tmp_path / "path.json", user_reduction=method, user_embedding_path=tmp_path / "embeddings"
        )
        disk.write_json(paths.file, content_of(paths))
        get_user_embedding.main(["--paths", str(paths.file), "--dataset", "wechat", "--protocol", "clean"])
    keys = {"dataset": "wechat", "modality": "visual"}
    users, ids = (reading.load(paths, name, dataset="wechat") for name in ("users", "items"))
    rows = reading.load(paths, "rows", task="wechat", protocol="clean")
    rows = rows[PROTOCOLS["clean"].embedding_rows(rows[:, 0])]
    places, matrix = (
        places_in(reading.load(paths, "modality_items", **keys), ids),
        reading.load(paths, "modality", **keys),
    )
    differences = user_embedding.clicked_minus_unclicked(rows, places, matrix, len(users))
    stored = reading.load(
        paths, "user_embedding", task="wechat", modality="visual", protocol="clean", reduction=method,
        length=paths.user_embedding_length,
    )  # fmt: skip
    for user in (0, 7):
        found = newcomers.embedding_of(paths, "wechat", "visual", "clean", differences[user], int(users[user, 1]))
        np.testing.assert_allclose(found, stored[user], rtol=1e-5, atol=1e-6)
    nobody = newcomers.user_without_rows(paths, "wechat", "vat_concat", "clean")
    assert len(nobody) == 3 * stored.shape[1] and abs(nobody[: stored.shape[1]] - stored).max(1).min() > 1e-3
