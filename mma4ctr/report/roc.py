"""ROC curves of the features of a task, in one figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from mma4ctr.catalogue import feature_named, features_among
from mma4ctr.report import plots
from mma4ctr.runs.finished import Evaluation

# A curve leaves its thinned one by less than 1/MOST_POINTS of an axis: less than the width of the line.
MOST_POINTS = 500
SEEN = (  # what is to be seen
    "The further a curve is above the diagonal, the better; curves that lie on one another are features that do "
    "equally well, whatever modalities they are made of."
)
LINE_STYLES = {"single": "-.", "cross": "--", "concat": "-"}  # how a feature's modalities are fused


def curve(labels: np.ndarray, scores: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return a ROC curve of at most `most` points, evenly spread along it.

    Parameters
    ----------
    labels : (rows,) array of 0 and 1, both of which occur
    scores : (rows,) float array
    most : int

    Returns
    -------
    false_positives, true_positives : (points,) float64 arrays
        Rates, from (0, 0) to (1, 1).
    """
    false_positives, true_positives, _ = roc_curve(labels, scores)
    if len(false_positives) > most:
        # Both rates only grow, so their sum, from 0 to 2, says how far along the curve a point is.
        kept = np.searchsorted(false_positives + true_positives, np.linspace(0, 2, most))
        kept = np.unique(np.minimum(kept, len(false_positives) - 1))
        false_positives, true_positives = false_positives[kept], true_positives[kept]
    return false_positives, true_positives


def draw(evaluations: Mapping[str, Evaluation], modalities: tuple[str, ...], title: tuple[str, str]) -> Figure:
    """Draw the curves of the evaluations, by feature, in the order of those that modalities give."""
    figure, ((axes,),) = plots.figure(4.9, 3.0)
    colours = plots.colours_of(modalities)
    for name in features_among(modalities):
        if name in evaluations:
            found, feature = evaluations[name], feature_named(name)
            style = {"color": colours[feature.modalities], "ls": LINE_STYLES[feature.fusion]}
            label = f"{name} ({found.figures['auc']:.4f})"
            axes.plot(*curve(found.test_rows[:, 2], found.predictions), **style, label=label)
    axes.plot((0, 1), (0, 1), color=plots.CHANCE, linestyle=":", linewidth=0.8, label="chance (0.5)")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    plots.label(axes, "false positive rate (share of rows without a click)", "true positive rate (share of clicks)")
    plots.head(figure, *title)
    figure.legend(loc="outside right center", title="feature (AUC)", alignment="left", handlelength=2.8)
    return figure
