"""The tables that the steps loop over: data sets, tasks, modalities, features, layer widths."""

from __future__ import annotations

import dataclasses

from mma4ctr.cli import UserError

DATASETS = ("wechat", "tiktok")
MODALITIES = ("visual", "acoustic", "textual")
USER_REDUCTIONS = ("pca", "average_pooling")
ITEM_FEATURE_LENGTH = 128  # wider item features go through PCA to this length


@dataclasses.dataclass(frozen=True)
class Task:
    """One label to predict on one data set; `label` is the reader's name for it."""

    dataset: str
    label: str


TASKS = {
    "wechat": Task("wechat", "click"),
    "tiktok_finish": Task("tiktok", "finish"),
    "tiktok_like": Task("tiktok", "like"),
}


@dataclasses.dataclass(frozen=True)
class Feature:
    """One item feature: which modalities it is made of and how they are fused.

    `select` is the published name of its group (``mlp.py --modal_select``).
    """

    modalities: tuple[str, ...]
    fusion: str  # "single", "cross" or "concat"
    select: str


VISUAL, ACOUSTIC, TEXTUAL = MODALITIES
FEATURES = {
    "visual": Feature((VISUAL,), "single", "only_one"),
    "acoustic": Feature((ACOUSTIC,), "single", "only_one"),
    "textual": Feature((TEXTUAL,), "single", "only_one"),
    "va_cross": Feature((VISUAL, ACOUSTIC), "cross", "dou_cross"),
    "vt_cross": Feature((VISUAL, TEXTUAL), "cross", "dou_cross"),
    "at_cross": Feature((ACOUSTIC, TEXTUAL), "cross", "dou_cross"),
    "vat_cross": Feature((VISUAL, ACOUSTIC, TEXTUAL), "cross", "tri_cross"),
    "va_concat": Feature((VISUAL, ACOUSTIC), "concat", "dou_concat"),
    "vt_concat": Feature((VISUAL, TEXTUAL), "concat", "dou_concat"),
    "at_concat": Feature((ACOUSTIC, TEXTUAL), "concat", "dou_concat"),
    "vat_concat": Feature((VISUAL, ACOUSTIC, TEXTUAL), "concat", "tri_concat"),
}
MODAL_SELECT = tuple(dict.fromkeys(feature.select for feature in FEATURES.values()))
# The one feature that the "length 0" ablation (published tables 5.1.5 and 5.2.5) is defined for.
LENGTH_0_FEATURE = "vat_concat"

# (narrowest input, widest input) -> widths of the hidden layers, as the published tables print them.
HIDDEN_WIDTHS = {
    (201, 500): (256, 64, 16, 4),
    (101, 200): (128, 32, 4),
    (61, 100): (64, 16, 4),
    (31, 60): (32, 16, 4),
    (11, 30): (16, 4),
    (5, 10): (8, 4),
}


def hidden_widths(in_features: int) -> tuple[int, ...]:
    """Return the widths of the hidden layers for an input of `in_features` columns.

    Raises
    ------
    UserError
        If the table has no row for this width.
    """
    for (narrowest, widest), widths in HIDDEN_WIDTHS.items():
        if narrowest <= in_features <= widest:
            return widths
    raise UserError(
        f"in_features is {in_features}, but hidden layers are defined for 5 to 500 inputs; "
        "change user_embedding_length in path.json"
    )


def features_of(feature: str | None, select: str | None) -> tuple[str, ...]:
    """Return the features named by ``--feature`` (one) or by ``--modal_select`` (a group).

    Raises
    ------
    UserError
        If neither or an unknown one is named.
    """
    if feature is not None:
        if feature not in FEATURES:
            raise UserError(f"unknown feature {feature!r}; the features are {', '.join(FEATURES)}")
        return (feature,)
    if select is None:
        raise UserError("no feature chosen; give --feature NAME or --modal_select GROUP")
    return tuple(name for name, row in FEATURES.items() if row.select == select)
