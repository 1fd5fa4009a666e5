"""The reader of each data set's raw logs: a new data set is one new module and one row here.

A reader has the constants ``KEY`` (its key in path.json), ``LABELS``, ``ACTIONS`` (what the statistics count) and
``NEEDS_KEPT_ITEMS``, and the functions ``interaction_files``, ``scan_interactions``, ``explain_interactions``,
``feature_files``, ``read_modalities``. Steps 1 and 2 call ``scan_interactions`` and what ``read_modalities`` gives
to its executor for parts of files, on a cluster too.
"""

from __future__ import annotations

from mma4ctr.catalogue import DATASETS, TASKS
from mma4ctr.data.datasets import tiktok, wechat

READERS = {"wechat": wechat, "tiktok": tiktok}

__all__ = ["DATASETS", "READERS", "TASKS"]
