"""MMa4CTR+ without a table of ids: no more trainable numbers than the published model has, some 30,000."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

from mma4ctr.models import mma4ctr_plus
from mma4ctr.models.contract import EARLY_STOP


@dataclasses.dataclass(frozen=True)
class Config(mma4ctr_plus.Config):
    """What it can be told; see docs/models/plus.md."""

    embedding: int = 16
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.3
    shrinkage: float = 0.03
    most_values: int = 100
    ids: bool = False
    head_start: bool = False


class MMa4CTRPlusSmall(mma4ctr_plus.MMa4CTRPlus):
    """What it knows of users and items is what they contain, met and were clicked; see `MMa4CTRPlus`."""

    Config = Config
    schedule = EARLY_STOP
    ablations = MappingProxyType(
        {
            what: changes
            for what, changes in mma4ctr_plus.MMa4CTRPlus.ablations.items()
            if not {"contents", "ids"} & set(changes)
        }
    )
