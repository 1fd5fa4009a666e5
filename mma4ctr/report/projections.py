"""UMAP in two and three dimensions: what the MLP is given, and what its last hidden layer makes of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.spatial.distance import pdist, squareform

from mma4ctr.inputs import gather
from mma4ctr.report import plots
from mma4ctr.settings import Settings
from mma4ctr.training.batches import batches_of_parts

SEEN = (  # what is to be seen
    "Where clicks and other rows mix, what is shown does not tell them apart; where they part, it does. Distances "
    "between far groups mean nothing."
)
MOST_OF_A_CLASS = 2_000  # points of each class
NEIGHBOURS = 50
EPOCHS = 200  # UMAP's own number for many points; its 500 for few look the same and take twice as long
MARGIN = 0.02  # of the range of the points, left free on either side
VIEWS = (-60, 30)  # degrees around the vertical from which three dimensions are shown: at right angles


def balanced_sample(clicks: np.ndarray, seed: int, most: int = MOST_OF_A_CLASS) -> np.ndarray:
    """Return the places (points,) int64 of as many clicked as unclicked rows, at most `most` of each, in random order.

    Parameters
    ----------
    clicks : (rows,) array of 0 and 1
    seed : int
    most : int
    """
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(clicks == value) for value in (0, 1)]
    size = min(most, *map(len, classes))
    return rng.permutation(np.concatenate([rng.choice(places, size, replace=False) for places in classes]))


def input_rows(settings: Settings, task: str, feature: str, protocol: str, sample: np.ndarray) -> np.ndarray:
    """Return what the MLP is given for some test rows: user columns beside item columns, scaled.

    Parameters
    ----------
    settings : Settings
    task, feature, protocol : str
    sample : (points,) int64 array
        Places among the test rows.

    Returns
    -------
    (points, user columns + item columns) float32 array
    """
    given = gather.load(settings, task, feature, protocol, {"content"})
    test = batches_of_parts(given, protocol, torch.device("cpu"))["test"]
    batch, _ = next(test.batches(len(sample), torch.from_numpy(sample)))
    return np.asarray(batch.content)


def starting_places(points: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Return the first principal components (points, dimensions) float32, with a little noise.

    Equal rows need the noise to come apart, and constant columns to have a range.
    """
    centred = points - points.mean(axis=0, dtype=np.float64)
    vectors, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    components = (vectors * lengths)[:, :dimensions]
    widest = np.abs(components).max(initial=0) or 1.0
    scaled = np.pad(10 * components / widest, ((0, 0), (0, dimensions - components.shape[1])))
    return (scaled + np.random.default_rng(seed).normal(0, 1e-3, scaled.shape)).astype(np.float32)


def project(points: np.ndarray, dimensions: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Return UMAP's places (points, d) float32 of some points, for each number d of dimensions.

    Parameters
    ----------
    points : (points, columns) float array
        Equal rows and constant columns are allowed.
    dimensions : tuple of int
    seed : int
    """
    import umap  # takes seconds, which nobody should wait for when every figure is up to date

    # UMAP's own distances between few points call Python for every pair: ten times slower.
    distances = squareform(pdist(points.astype(np.float64)))
    placed = [starting_places(points, number, seed) for number in dimensions]
    if len(points) < 3:  # too few for UMAP
        return placed
    for place, number in enumerate(dimensions):
        reducer = umap.UMAP(
            n_neighbors=min(NEIGHBOURS, len(points) - 1), n_components=number, n_epochs=EPOCHS, metric="precomputed",
            init=placed[place], random_state=seed, n_jobs=1,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "using precomputed metric")  # which only bars the way back
            placed[place] = reducer.fit_transform(distances)
    return placed


def _cloud(axes: Any, places: np.ndarray, clicks: np.ndarray) -> None:
    """Draw points, in two or three dimensions, in the order they stand in, so that neither class hides the other."""
    colours = np.where(clicks > 0, plots.CLASSES["click"], plots.CLASSES["no click"])
    by_depth: dict[str, Any] = {"depthshade": False} if places.shape[1] == 3 else {}
    axes.scatter(*places.T, c=colours, s=4, linewidths=0, alpha=0.7, rasterized=True, **by_depth)
    for number, (name, column) in enumerate(zip("xyz", places.T, strict=False), start=1):
        margin = MARGIN * (np.ptp(column) or 1.0)
        limits = (column.min() - margin, column.max() + margin)
        axes.set(**{f"{name}ticklabels": [], f"{name}label": f"UMAP {number} (no unit)", f"{name}lim": limits})
    axes.tick_params(color="none")


def draw(places: np.ndarray, clicks: np.ndarray, title: tuple[str, str]) -> Figure:
    """Draw a projection; one in three dimensions from two sides.

    Parameters
    ----------
    places : (points, 2 or 3) float array
    clicks : (points,) array of 0 and 1
    title : tuple of str
        The two lines above it.
    """
    if places.shape[1] == 2:
        figure, ((axes,),) = plots.figure(plots.COLUMN, 3.4)
        _cloud(axes, places, clicks)
    else:
        figure = Figure(figsize=(plots.PAGE * 0.75, 2.9))
        for number, view in enumerate(VIEWS, start=1):
            axes = figure.add_subplot(1, len(VIEWS), number, projection="3d", azim=view, elev=20)
            _cloud(axes, places, clicks)
            axes.set_box_aspect(None, zoom=1.1)
            for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
                axis.labelpad = -12  # there are no tick labels to make room for
    plots.head(figure, *title)
    dots = [Line2D([], [], ls="none", marker="o", color=colour, label=name) for name, colour in plots.CLASSES.items()]
    figure.legend(handles=dots, loc="outside lower center", ncols=len(dots), handlelength=1)
    return figure
