"""Where a run is trained, and what goes through its rows there."""

from __future__ import annotations

import torch

from mma4ctr.cli import UserError
from mma4ctr.models import registry
from mma4ctr.training import data_parallel
from mma4ctr.training.cuda_graph import CudaGraph
from mma4ctr.training.engine import Engine


def device_of(name: str) -> torch.device:
    """Return the device to run on; ``auto`` takes the GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no CUDA device; give --device cpu or auto")
    on_gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return torch.device("cuda", data_parallel.device_number()) if on_gpu else torch.device("cpu")


def engine_of(device: torch.device, model: str = registry.DEFAULT) -> Engine:
    """Return what goes through the rows: several processes where torchrun started them, this one otherwise.

    Raises
    ------
    UserError
        If torchrun started several processes for a model that only one can train.
    """
    if data_parallel.is_launched():
        if not registry.load(model).is_shared:
            raise UserError(f"--model {model}: several processes cannot train it together; start mlp.py without "
                            "torchrun")  # fmt: skip
        return data_parallel.DataParallel(device)
    return CudaGraph() if device.type == "cuda" and registry.load(model).is_captured else Engine()
