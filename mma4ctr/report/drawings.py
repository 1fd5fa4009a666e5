"""ROC curves and projections of each task and variant: from which runs they are drawn, and the record of these."""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mma4ctr import cli
from mma4ctr.catalogue import USER_REDUCTIONS, features_among
from mma4ctr.data.registry import modalities_of
from mma4ctr.ending import from_here
from mma4ctr.grid.experiments import (
    EXPERIMENTS,
    SHORT_AND_LONG,
    VARIANTS,
    Point,
    Setting,
    Variant,
    adaptive,
    experiments_of,
)
from mma4ctr.grid.results import Results
from mma4ctr.protocol import PROTOCOLS, SEEDED
from mma4ctr.report import plots, projections, provenance, roc
from mma4ctr.runs import folder as runs
from mma4ctr.runs.finished import Evaluation
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, disk

DIMENSIONS = {2: "two", 3: "three"}
RECORD = "drawn_from.json"  # figure -> the runs, and after how many epochs, that it shows


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Figures that are drawn together, from the same runs.

    Attributes
    ----------
    names : tuple of str
        The figures' names.
    sources : dict of str to Evaluation
        What is shown, by feature; empty where no run has finished.
    missing : tuple of Point
        What would be shown as well, had it been run.
    draw : callable
        Returns the figures, in the order of `names`.
    """

    names: tuple[str, ...]
    sources: dict[str, Evaluation]
    missing: tuple[Point, ...]
    draw: Callable[[], Iterable[Figure]]

    def __str__(self) -> str:
        return ", ".join(self.names)

    @property
    def drawn_from(self) -> dict[str, object]:
        """What the figures' record says of them: feature -> run and epoch."""
        return {feature: [found.run, found.epoch] for feature, found in self.sources.items()}


def heading(settings: Settings, task: str, variant: Variant, what: str) -> tuple[str, str]:
    """Return the two lines above a figure of a variant."""
    how = f"{variant.protocol} protocol, user embeddings by {variant.reduction}"
    return provenance.heading(settings, task, what, how)


def roc_drawing(results: Results, task: str, variant: Variant, names: tuple[str, ...], epochs: int) -> Drawing:
    """Return the ROC curves of every feature after so many epochs."""
    modalities = modalities_of(results.settings, task)
    points = {name: Point(task, variant, Setting(name), 0, epochs) for name in features_among(modalities)}
    found = {name: results.find(point) for name, point in points.items()}
    sources = {name: evaluation for name, evaluation in found.items() if evaluation is not None}
    title = heading(results.settings, task, variant, f"ROC of the test rows after {epochs} epochs")
    missing = tuple(point for name, point in points.items() if name not in sources)
    return Drawing(names, sources, missing, lambda: [roc.draw(sources, modalities, title)])


def last_evaluation(results: Results, task: str, variant: Variant) -> Evaluation | None:
    """Return the end, which the hidden layer is of, of the longest of the runs that section 6 is about."""
    lengths = sorted({*EXPERIMENTS["performance"].epochs, *EXPERIMENTS["performance_by_epoch"].epochs})
    setting = adaptive(modalities_of(results.settings, task))
    found = [results.trajectory(Point(task, variant, setting, 0, epochs)) for epochs in lengths]
    longest = max(filter(None, found), key=lambda trajectory: len(trajectory.history), default=None)
    return None if longest is None else longest.last


def given_rows(settings: Settings, task: str, variant: Variant, run: Evaluation, sample: np.ndarray) -> np.ndarray:
    """Return what the MLP was given for the sampled test rows."""
    setting = adaptive(modalities_of(settings, task))
    own = settings.with_embedding(variant.reduction, setting.user_embedding_length)
    return projections.input_rows(own, task, setting.feature, variant.protocol, sample)


def hidden_rows(settings: Settings, task: str, variant: Variant, run: Evaluation, sample: np.ndarray) -> np.ndarray:
    """Return the last hidden layer of the sampled test rows."""
    return runs.load_array(run.folder, "hidden")[sample]


@dataclasses.dataclass(frozen=True)
class Projected:
    """What is projected: the end of its figures' names, its caption, its title, and what gives its rows."""

    name: str
    caption: str
    title: str
    rows: Callable[[Settings, str, Variant, Evaluation, np.ndarray], np.ndarray]


PROJECTED = (
    Projected("UMAP", "what the MLP is given", "what the MLP is given", given_rows),
    Projected("hidden_UMAP", "the hidden layer", "hidden layer after {epochs} epochs", hidden_rows),
)


def projection_drawing(
    results: Results, task: str, variant: Variant, names: tuple[str, ...], what: Projected
) -> Drawing:
    """Return projections of test rows of all modalities; all of a task show the same ones."""
    settings, run = results.settings, last_evaluation(results, task, variant)
    setting = adaptive(modalities_of(settings, task))
    if run is None:
        return Drawing(names, {}, tuple(Point(task, variant, setting, 0, epochs) for epochs in SHORT_AND_LONG), list)

    def draw() -> list[Figure]:
        clicks = run.test_rows[:, 2]
        sample = projections.balanced_sample(clicks, settings.seed)
        title = heading(settings, task, variant, what.title.format(epochs=run.epoch))
        placed = projections.project(what.rows(settings, task, variant, run, sample), tuple(DIMENSIONS), settings.seed)
        return [projections.draw(places, clicks[sample], title) for places in placed]

    return Drawing(names, {setting.feature: run}, (), draw)


@dataclasses.dataclass(frozen=True)
class Kind:
    """Figures of one task and variant that are drawn together.

    `captions` has, by the end of a figure's name, what it is and what is to be seen; `drawing` returns their drawing.
    """

    captions: dict[str, tuple[str, str]]
    drawing: Callable[[Results, str, Variant, tuple[str, ...]], Drawing]


# Every figure of a task and variant; the files are called <task>_<end of the name>.
KINDS = (
    *(Kind({f"{epochs}": (f"ROC curves of every feature after {epochs} epochs", roc.SEEN)},
           functools.partial(roc_drawing, epochs=epochs))
      for epochs in SHORT_AND_LONG),
    *(Kind({f"{what.name}_{number}D": (f"UMAP of {what.caption} in {word} dimensions", projections.SEEN)
            for number, word in DIMENSIONS.items()}, functools.partial(projection_drawing, what=what))
      for what in PROJECTED),
)  # fmt: skip
CAPTIONS = {name: caption for kind in KINDS for name, caption in kind.captions.items()}


def drawings_of(results: Results, task: str, variant: Variant) -> list[Drawing]:
    """Return every drawing of one task under one variant."""
    return [kind.drawing(results, task, variant, tuple(f"{task}_{name}" for name in kind.captions)) for kind in KINDS]


def smallest_with(settings: Settings, point: Point) -> str:
    """Return the smallest experiment that a figure belongs to, so that nothing else is run along with it."""
    known = experiments_of(modalities_of(settings, point.task))
    found = [name for name, one in known.items() if point.setting in one.rows.values() and point.epochs in one.epochs]
    return min(found, key=lambda name: len(known[name].rows))


def command_for(settings: Settings, points: Sequence[Point]) -> str:
    """Return the command that runs what is missing, all of one variant."""
    experiments = dict.fromkeys(smallest_with(settings, point) for point in points)
    tasks, variant = dict.fromkeys(point.task for point in points), points[0].variant
    words = ["--dataset", *tasks, "--experiment", *experiments, "--protocol", variant.protocol,
             "--reduction", variant.reduction, "--longest", str(max(point.epochs for point in points))]  # fmt: skip
    return shlex.join(["python", "adjust_hyperparameter.py", *artifacts.to_settings(settings), *words])


def report_missing(settings: Settings, drawings: Sequence[Drawing]) -> None:
    """Name the figures of one task and variant that lack runs: those not drawn in one line, those in part in one each.

    Every line ends in the command that makes the runs.
    """
    lacking = [drawing for drawing in drawings if drawing.missing]
    groups = {"not drawn": [[drawing for drawing in lacking if not drawing.sources]],
              "drawn in part": [[drawing] for drawing in lacking if drawing.sources]}  # fmt: skip
    for what, group in ((what, group) for what, found in groups.items() for group in found if group):
        points = [point for drawing in group for point in drawing.missing]
        features = {point.setting.feature for point in points}
        known = features_among(modalities_of(settings, points[0].task))
        which = "any feature" if len(features) == len(known) else ", ".join(name for name in known if name in features)
        names = ", ".join(map(str, group))
        print(f"  {what}, no finished run of {which}: {names}; run {command_for(settings, points)}", flush=True)


def folder_of(settings: Settings, variant: Variant) -> Path:
    """Return the folder of the figures of one variant; an order of users other than the default has one of its own."""
    ordered = PROTOCOLS[variant.protocol].orders_users and settings.user_order != SEEDED
    name = (variant.protocol, variant.reduction, *([settings.user_order] if ordered else []))
    return settings.saved_path / "figures" / "_".join(name)


class Folder:
    """The figures of one variant, with the record of the runs that each was drawn from."""

    def __init__(self, settings: Settings, variant: Variant) -> None:
        self.folder = folder_of(settings, variant)
        self.file = self.folder / RECORD
        try:
            self.drawn = disk.read_object(self.file, disk.Known("python viewer.py"))
        except cli.UserError:  # missing or damaged: everything is drawn again
            self.drawn = {}

    def is_current(self, drawing: Drawing) -> bool:
        """Tell whether the figures are there and show these runs."""
        files = [self.folder / f"{name}.{form}" for name in drawing.names for form in plots.FORMATS]
        drawn = all(self.drawn.get(name) == drawing.drawn_from for name in drawing.names)
        return drawn and all(file.exists() for file in files)

    def draw(self, drawing: Drawing) -> list[Path]:
        """Draw the figures, record what they show, and return their files."""
        files = [file for name, figure in zip(drawing.names, drawing.draw(), strict=True)
                 for file in plots.save(figure, self.folder, name)]  # fmt: skip
        self.drawn |= dict.fromkeys(drawing.names, drawing.drawn_from)
        disk.write_json(self.file, self.drawn)
        return files


def draw_all(folder: Folder, drawings: Sequence[Drawing], *, force: bool) -> None:
    """Draw what has changed, and say what was written."""
    for drawing in cli.track(drawings):
        if drawing.sources and not force and folder.is_current(drawing):
            print(f"  {drawing}: up to date", flush=True)
        elif drawing.sources:
            for file in folder.draw(drawing):
                print(f"  wrote {from_here(file)}", flush=True)


def drawings_of_variants(
    results: Results, tasks: Sequence[str], protocols: Sequence[str] | None, reductions: Sequence[str] | None
) -> dict[Variant, dict[str, list[Drawing]]]:
    """Return the drawings of each task under each variant that was asked for or that has runs.

    Raises
    ------
    UserError
        If some were asked for and not one of them can be drawn.
    """
    chosen = [
        variant
        for variant in VARIANTS
        if variant.protocol in (protocols or PROTOCOLS) and variant.reduction in (reductions or USER_REDUCTIONS)
    ]
    drawings = {variant: {task: drawings_of(results, task, variant) for task in tasks} for variant in chosen}
    drawable = [variant for variant, row in drawings.items()
                if any(drawing.sources for of_task in row.values() for drawing in of_task)]  # fmt: skip
    if not drawable and (protocols or reductions):
        missing = [point for row in drawings[chosen[0]].values() for drawing in row for point in drawing.missing]
        raise cli.UserError(f"{results.settings.saved_path}: no finished run of {', '.join(tasks)} to draw; run "
                            f"{command_for(results.settings, missing)} first")  # fmt: skip
    return {variant: drawings[variant] for variant in (chosen if protocols and reductions else drawable)}


def write(
    results: Results,
    tasks: Sequence[str],
    protocols: Sequence[str] | None,
    reductions: Sequence[str] | None,
    script: str,
    *,
    force: bool,
) -> None:
    """Draw what has changed of every variant, print what was written and what lacks runs.

    Raises
    ------
    UserError
        If protocols or reductions were asked for and nothing can be drawn.
    """
    for variant, of_tasks in drawings_of_variants(results, tasks, protocols, reductions).items():
        print(f"{script} {variant}", flush=True)
        drawings = [drawing for row in of_tasks.values() for drawing in row]
        draw_all(Folder(results.settings, variant), drawings, force=force)
        for row in of_tasks.values():
            report_missing(results.settings, row)
