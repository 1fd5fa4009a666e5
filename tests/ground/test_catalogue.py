"""A feature's name tells what it is made of, whatever the modalities are called."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mma4ctr import catalogue

NAMES = st.one_of(st.sampled_from([*catalogue.MODALITIES, "v", "va", "vat", "genres", "x1"]),
                  st.from_regex("[a-z][a-z0-9]{0,8}", fullmatch=True))  # fmt: skip
MODALITIES = st.lists(NAMES.filter(lambda name: name not in catalogue.ENDINGS), min_size=1, max_size=5, unique=True)


def test_the_features_of_the_published_modalities_are_the_published_ones() -> None:
    assert catalogue.features_among(catalogue.MODALITIES) == (
        *("visual", "acoustic", "textual", "va_cross", "vt_cross", "at_cross", "vat_cross"),
        *("va_concat", "vt_concat", "at_concat", "vat_concat"),
    )
    assert list(catalogue.groups_of(catalogue.MODALITIES)) == [
        "only_one",
        "dou_cross",
        "tri_cross",
        "dou_concat",
        "tri_concat",
    ]


@given(MODALITIES)
def test_every_part_of_the_modalities_is_crossed_and_joined_once(modalities: list[str]) -> None:
    features = catalogue.features_among(tuple(modalities))
    made = [catalogue.feature_named(name) for name in features]
    parts = [part for size in range(2, len(modalities) + 1) for part in itertools.combinations(modalities, size)]
    expected = [((name,), "single") for name in modalities] + [
        (part, how) for how in catalogue.ENDINGS for part in parts
    ]
    assert [(row.modalities, row.fusion) for row in made] == expected
    assert len(set(features)) == len(features)
    assert [catalogue.name_of(row.modalities, row.fusion) for row in made] == list(features)
    assert all(row.select in catalogue.MODAL_SELECT for row in made)
    assert catalogue.default_feature(modalities) in features
    assert catalogue.feature_named(catalogue.default_feature(modalities)).modalities == tuple(modalities)
