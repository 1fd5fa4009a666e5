"""The losses that a model can be trained with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from mma4ctr import schedule


def batch_softmax_loss(log_odds: torch.Tensor, clicks: torch.Tensor) -> torch.Tensor:
    """Return minus the sum over the batch of click * log softmax(sigmoid(log-odds)), as published.

    The softmax runs over the batch and the sum is not divided by the number of clicks, so that the loss depends on
    the batch size.
    """
    return -(clicks * functional.log_softmax(torch.sigmoid(log_odds), dim=0)).sum()


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of log-odds (rows,) and clicks (rows,)
BATCH_SOFTMAX, BCE = schedule.LOSSES
LOSSES: dict[str, Loss] = {BATCH_SOFTMAX: batch_softmax_loss, BCE: functional.binary_cross_entropy_with_logits}


def starting_bias(loss: str, click_rate: float) -> float | None:
    """Return the output bias that `loss` starts with, None for the drawn one.

    Cross entropy starts at the log-odds of the training click rate: otherwise the published settings spend many
    epochs below an AUC of 0.5 while the bias falls to where the clicks are.
    """
    return float(np.log(click_rate / (1 - click_rate))) if loss == "bce" else None
