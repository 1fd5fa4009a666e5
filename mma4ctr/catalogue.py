"""The tables that the steps loop over: modalities and the features made of them.

A feature's name tells what it is made of, so that nothing else has to know the data set. It ends in its fusion, before
which stand the published modalities' initials (``va_cross``), or names where any other modality is among them
(``textual_genres_concat``); a modality alone gives its own name.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence

from mma4ctr.cli import UserError

MODALITIES = ("visual", "acoustic", "textual")  # the published ones, in the order in which they are fused
MOST_MODALITIES = 5
USER_REDUCTIONS = ("pca", "average_pooling")
USER_HISTORIES = ("whole", "causal")  # which rows of a user a vector is made from: all there are, or those before a row
LAYOUTS = ("embeddings", "ids")  # of features written out row by row (--dense), by what stands before them
DEVICES = ("auto", "cpu", "cuda")
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


ENDINGS = ("cross", "concat")  # of the names of features of several modalities: how these are fused
GROUPS = ("dou", "tri", "quad", "quint")  # of two modalities and more
MODAL_SELECT = ("only_one", *(f"{size}_{fusion}" for fusion in ENDINGS for size in GROUPS))
INITIALS = {modality[0]: modality for modality in MODALITIES}


def name_of(modalities: Sequence[str], fusion: str) -> str:
    """Return the name of a feature: the inverse of `feature_named`."""
    if fusion == "single":
        return modalities[0]
    known = set(modalities) <= set(MODALITIES)
    return f"{''.join(name[0] for name in modalities) if known else '_'.join(modalities)}_{fusion}"


@functools.cache
def feature_named(name: str) -> Feature:
    """Return what a feature is made of and how, which its name tells."""
    made_of, _, fusion = name.rpartition("_")
    if fusion not in ENDINGS:
        return Feature((name,), "single", MODAL_SELECT[0])
    modalities = tuple(made_of.split("_")) if "_" in made_of else tuple(INITIALS[letter] for letter in made_of)
    return Feature(modalities, fusion, f"{GROUPS[len(modalities) - 2]}_{fusion}")


@functools.cache
def features_among(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features that can be made of some modalities: each alone, then crossed, then side by side."""
    sizes = range(2, len(modalities) + 1)
    fused = [
        (some, fusion) for fusion in ENDINGS for size in sizes for some in itertools.combinations(modalities, size)
    ]
    return (*modalities, *(name_of(some, fusion) for some, fusion in fused))


def default_feature(modalities: Sequence[str]) -> str:
    """Return the feature that is meant where none is named: all modalities side by side.

    It is the one that the "length 0" ablation (published tables 5.1.5 and 5.2.5) is defined for.
    """
    return name_of(modalities, "concat" if len(modalities) > 1 else "single")


def groups_of(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return the groups of features that there are of some modalities, in the order of `features_among`."""
    return tuple(dict.fromkeys(feature_named(name).select for name in features_among(modalities)))


def features_of(modalities: tuple[str, ...], feature: str | None, select: str | None) -> tuple[str, ...]:
    """Return the features named by ``--feature`` (one) or ``--modal_select`` (a group); the default one by neither.

    Raises
    ------
    UserError
        If both are given, or there is no such feature of these modalities.
    """
    if feature is not None and select is not None:
        raise UserError(f"--feature {feature:.60} and --modal_select {select}: found both, expected one; remove one")
    known = features_among(modalities)
    if select is None:
        feature = default_feature(modalities) if feature is None else feature
        if feature not in known:
            raise UserError(f"--feature {feature!r:.60}: unknown, expected one of {', '.join(known)}; correct the name")
        return (feature,)
    found = tuple(name for name in known if feature_named(name).select == select)
    if not found:
        raise UserError(f"--modal_select {select}: there is none of {', '.join(modalities)}, expected one of "
                        f"{', '.join(groups_of(modalities))}; correct the name")  # fmt: skip
    return found
