"""The state that a killed run goes on from: one file, which belongs to one run and is not read unless it is whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from mma4ctr.store import checksums, disk

SEAL = "\n{run} {checksum}"  # follows PyTorch's file, which may have more bytes behind it
CHECKSUM_LENGTH = len(checksums.of_bytes(b""))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one run.

    Attributes
    ----------
    file : Path
    run : str
        The run's id.
    """

    file: Path
    run: str

    @property
    def exists(self) -> bool:
        """Whether there is one."""
        return self.file.exists()

    def save(self, content: dict[str, Any]) -> None:
        """Write the state, whole or not at all; raise `UserError` if it cannot be written."""
        with disk.replacing(self.file) as temporary:
            with open(temporary, "wb") as stream:
                torch.save(content, stream)
            seal = SEAL.format(run=self.run, checksum=checksums.of_file(temporary))
            with open(temporary, "ab") as stream:
                stream.write(seal.encode())

    def load(self, device: torch.device) -> dict[str, Any]:
        """Read the state.

        Raises
        ------
        ValueError
            If it is damaged, or that of another run.
        OSError
            If it cannot be read.
        """
        length = self.file.stat().st_size - len(SEAL.format(run=self.run, checksum="")) - CHECKSUM_LENGTH
        with open(self.file, "rb") as stream:
            stream.seek(max(length, 0))
            seal = stream.read()
        if seal != SEAL.format(run=self.run, checksum=checksums.of_file(self.file, max(length, 0))).encode():
            raise ValueError("it is damaged, or that of another run")
        return torch.load(self.file, weights_only=True, map_location=device)
