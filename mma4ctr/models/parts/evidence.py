"""What is counted of a row as columns for a tower, all of one scale, and what they say of a click by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

PRIOR_ROWS = 10.0  # a rate is drawn to the mean rate as by so many rows
RATES = 7  # columns of `rates_of`
PENALISED = 0.1  # how much likelihood outweighs the squares of the weights: little, since columns overlap


def drawn(clicked: Any, shown: Any, base_rate: Any, rows: float) -> Any:
    """Return click rates (...,) of arrays or tensors, drawn to the rate of all rows as by so many rows."""
    return (clicked + rows * base_rate) / (shown + rows)


def rates_of(counts: torch.Tensor, base_rate: torch.Tensor) -> torch.Tensor:
    """Return the log-odds of a click by the user's rate, the item's and both, less those of all rows, and log counts.

    Parameters
    ----------
    counts : (rows, 4) float32 tensor
        See `contract.Batch`.
    base_rate : scalar tensor
        The click rate of all rows.

    Returns
    -------
    (rows, 7) float32 tensor
    """
    shown, clicked = counts[:, ::2], counts[:, 1::2]
    log_odds = torch.logit(drawn(clicked, shown, base_rate, PRIOR_ROWS)) - torch.logit(base_rate)
    return torch.cat((log_odds, log_odds.sum(1, keepdim=True), torch.log1p(counts)), dim=1)


def regression_of(values: torch.Tensor, clicks: torch.Tensor) -> torch.Tensor:
    """Return the weights (columns,) float32 of values (rows, columns) in a logistic regression of clicks (rows,).

    Its constant is left out, which the bias of an output starts from.
    """
    found, labels = values.double().cpu().numpy(), clicks.cpu().numpy()
    if found.shape[1] == 0 or labels.min() == labels.max():
        return torch.zeros(found.shape[1])
    fitted = LogisticRegression(C=PENALISED, max_iter=1_000).fit(found, labels)
    return torch.from_numpy(fitted.coef_[0].astype(np.float32))


class Standardised(nn.Module):
    """Columns less their mean, over their deviation, as training rows have them.

    Parameters
    ----------
    columns : int

    Attributes
    ----------
    mean, deviation : (columns,) float32 tensors
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("deviation", torch.ones(columns))

    def fit(self, values: torch.Tensor) -> None:
        """Take the mean and the deviation of values (rows, columns); a constant column is left as wide as it is."""
        self.mean.copy_(values.double().mean(0))
        deviation = values.double().std(0, correction=0)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (rows, columns)."""
        return (values - self.mean) / self.deviation
