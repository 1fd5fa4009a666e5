"""Everything that a model needs, and nothing else, of one feature of one task."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import numpy as np

from mma4ctr.inputs import content, context, counts, graphs, histories, rows, slots
from mma4ctr.inputs.causes import require_both_classes
from mma4ctr.models.contract import Graph, Sizes
from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The rows of a task with what a model needs of them; what it does not need is None."""

    task: rows.TaskRows
    users: int
    items: int
    needs: Set[str]
    content: content.Content | None = None
    history: histories.Histories | None = None
    unclicked: histories.Histories | None = None
    counts: np.ndarray | None = None
    slots: slots.Slots | None = None
    context: context.Context | None = None
    graph: Graph | None = None

    @property
    def sizes(self) -> Sizes:
        """How large the inputs are."""
        return Sizes(
            self.users, self.items,
            user_columns=self.content.users.shape[1] if self.content else 0,
            item_columns=self.content.items.shape[1] if self.content else 0,
            history=next((one.length for one in (self.history, self.unclicked) if one), 0),
            context=self.context.sizes if self.context else (),
            slots=self.slots.number if self.slots else 0,
            modalities=self.content.modalities if self.content else (),
        )  # fmt: skip


def made_of(
    task: rows.TaskRows, users: int, items: int, needs: Set[str], *, content: content.Content | None = None,
    context: context.Context | None = None, moments: np.ndarray | None = None, history_length: int | None = None,
    slot_number: int | None = None,
) -> Inputs:  # fmt: skip
    """Return what a model needs of the rows of a task, from what was loaded of them.

    Parameters
    ----------
    task : TaskRows
    users, items : int
        Of the data set.
    needs : set of str
        See `models.contract.NEEDS`.
    content, context, moments
        Where they are needed; `moments` are those of `slots.moments`.
    history_length, slot_number : int, optional
    """
    length, known = history_length or histories.LONGEST, np.zeros(0) if moments is None else moments
    cut = slots.cut(task, known, slot_number or slots.NUMBER) if "slot" in needs else None
    return Inputs(
        task, users, items, needs, content, context=context, slots=cut,
        history=histories.earlier(task, 1, length) if "history" in needs else None,
        unclicked=histories.earlier(task, 0, length) if "unclicked" in needs else None,
        counts=counts.earlier(task, known) if "counts" in needs else None,
        graph=graphs.clicks(task, cut, unclicked="unclicked" in needs) if "graph" in needs else None,
    )  # fmt: skip


def load(
    settings: Settings, task: str, feature: str, protocol: str, needs: Set[str], history_length: int | None = None,
    slot_number: int | None = None,
) -> Inputs:  # fmt: skip
    """Load what a model needs.

    Parameters
    ----------
    settings : Settings
    task, feature, protocol : str
        `feature` decides which rows there are, for a model without content, too.
    needs : set of str
        See `models.contract.NEEDS`.
    history_length : int, optional
    slot_number : int, optional
        Into how many time slots the training rows are cut.

    Raises
    ------
    UserError
        If an artefact is missing, or a part has no row or a single class.
    """
    dataset = settings.dataset_of(task)
    found = rows.load(settings, task, protocol, feature)
    require_both_classes(found, settings, task, protocol, feature)
    users, items = (len(reading.load(settings, name, dataset=dataset)) for name in ("users", "items"))
    of_users, has_content = "content" in needs, bool(needs & {"content", "item_content"})
    return made_of(
        found, users, items, needs,
        content=content.load(settings, task, feature, protocol, of_users=of_users) if has_content else None,
        context=context.load(settings, task, protocol) if "context" in needs else None,
        moments=slots.moments(settings, task, protocol) if needs & {"counts", "slot"} else None,
        history_length=history_length, slot_number=slot_number,
    )  # fmt: skip
