"""The tables that the steps loop over: modalities and the features made of them."""

from __future__ import annotations

import dataclasses

from mma4ctr.cli import UserError

MODALITIES = ("visual", "acoustic", "textual")
USER_REDUCTIONS = ("pca", "average_pooling")
ITEM_FEATURE_LENGTH = 128  # wider item features go through PCA to this length


@dataclasses.dataclass(frozen=True)
class Task:
    """One label to predict on one data set.

    Attributes
    ----------
    name : str
    dataset : str
        The name of the data set, which declares the task.
    label : str
        The column of the data set's interactions that is predicted.
    subsection : str or None
        Number of its subsection in the published tables, None where the publication has none.
    """

    name: str
    dataset: str
    label: str
    subsection: str | None = None


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
DEFAULT_FEATURE = "vat_concat"


def features_of(feature: str | None, select: str | None) -> tuple[str, ...]:
    """Return the features named by ``--feature`` (one) or ``--modal_select`` (a group), `DEFAULT_FEATURE` by neither.

    Raises
    ------
    UserError
        If both are given, or an unknown feature.
    """
    if feature is not None and select is not None:
        raise UserError(f"--feature {feature:.60} and --modal_select {select}: found both, expected one; remove one")
    if select is None:
        feature = DEFAULT_FEATURE if feature is None else feature
        if feature not in FEATURES:
            raise UserError(
                f"--feature {feature!r:.60}: unknown, expected one of {', '.join(FEATURES)}; correct the name"
            )
        return (feature,)
    return tuple(name for name, row in FEATURES.items() if row.select == select)
