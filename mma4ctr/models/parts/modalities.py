"""Some modalities of the items' content: an ablation that several models have."""

from __future__ import annotations

import torch

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Sizes


class Modalities:
    """The chosen modalities of the items' content.

    Parameters
    ----------
    sizes : Sizes
    chosen : str
        Their names between commas; all of them where it is empty.

    Attributes
    ----------
    columns : dict of str to slice
        Where each of them lies in the content.

    Raises
    ------
    UserError
        If the feature does not have one of them side by side with the others.
    """

    def __init__(self, sizes: Sizes, chosen: str = "") -> None:
        known, begin = {}, 0
        for name, width in sizes.modalities:
            known[name] = slice(begin, begin + width)
            begin += width
        names = [name.strip() for name in chosen.split(",")] if chosen else list(known)
        for name in names:
            if name not in known:
                raise UserError(f"modalities is {chosen!r:.60}, expected some of {','.join(known) or 'none at all'}, "
                                "which the feature has side by side")  # fmt: skip
        self.columns = {name: known[name] for name in known if name in names}

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def width(self) -> int:
        """How many columns they have together."""
        return sum(place.stop - place.start for place in self.columns.values())

    def of(self, content: torch.Tensor) -> list[torch.Tensor]:
        """Return each modality (..., columns) of some items' content (..., all columns)."""
        return [content[..., place] for place in self.columns.values()]

    def joined(self, content: torch.Tensor) -> torch.Tensor:
        """Return the modalities side by side (..., columns) of some items' content (..., all columns)."""
        return content if self.width == content.shape[-1] else torch.cat(self.of(content), dim=-1)
