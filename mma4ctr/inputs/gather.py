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
    length = history_length or histories.LONGEST
    moments = slots.moments(settings, task, protocol) if needs & {"counts", "slot"} else np.zeros(0)
    cut = slots.cut(found, moments, slot_number or slots.NUMBER) if "slot" in needs else None
    return Inputs(
        found, users, items, needs,
        content=content.load(settings, task, feature, protocol, of_users="content" in needs)
        if needs & {"content", "item_content"} else None,
        history=histories.earlier(found, 1, length) if "history" in needs else None,
        unclicked=histories.earlier(found, 0, length) if "unclicked" in needs else None,
        counts=counts.earlier(found, moments) if "counts" in needs else None,
        slots=cut,
        context=context.load(settings, task, protocol) if "context" in needs else None,
        graph=graphs.clicks(found, cut) if "graph" in needs else None,
    )  # fmt: skip
