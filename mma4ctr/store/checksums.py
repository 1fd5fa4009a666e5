"""Checksums by which a file is known again: of all its bytes, or of a sample of them where it is very large.

XXH3 (128 bits) goes through memory several times as fast as a file is read. It tells damage and mix-ups, not forgery.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xxhash

BLOCK = 2**16  # bytes that a sample takes at a time
BLOCKS = 64  # of a sample: the first and the last one and those spread evenly between them
AT_ONCE = 2**20  # bytes of a file that are read at a time: they are still in the processor's cache when they are summed


def of_bytes(*parts: bytes | memoryview) -> str:
    """Return the checksum of bytes that follow one another."""
    checksum = xxhash.xxh3_128()
    for part in parts:
        checksum.update(part)
    return checksum.hexdigest()


def of_file(file: Path, length: int | None = None) -> str:
    """Return the checksum of a whole file, or of its first `length` bytes."""
    checksum, memory = xxhash.xxh3_128(), memoryview(bytearray(AT_ONCE))
    left = file.stat().st_size if length is None else length
    with open(file, "rb", buffering=0) as stream:
        while left > 0 and (read := stream.readinto(memory[: min(left, AT_ONCE)])):
            checksum.update(memory[:read])
            left -= read
    return checksum.hexdigest()


def read(file: Path) -> tuple[memoryview, str]:
    """Return the bytes of a file, in memory of their own that may be written to, and its checksum."""
    checksum = xxhash.xxh3_128()
    with open(file, "rb", buffering=0) as stream:
        memory, place = np.empty(os.fstat(stream.fileno()).st_size, dtype=np.uint8).data, 0
        while read := stream.readinto(memory[place : place + AT_ONCE]):
            checksum.update(memory[place : place + read])
            place += read
    return memory[:place], checksum.hexdigest()


def _sample(file: Path, size: int) -> Iterator[bytes]:
    if size <= BLOCK * BLOCKS:
        yield file.read_bytes()
        return
    with open(file, "rb") as stream:
        for number in range(BLOCKS):
            stream.seek((size - BLOCK) * number // (BLOCKS - 1))
            yield stream.read(BLOCK)


@functools.lru_cache(maxsize=4096)
def _of_sample(file: Path, size: int, changed: tuple[int, int]) -> str:
    return of_bytes(*_sample(file, size))


def stamp(file: Path) -> list[int | str]:
    """Return by what a raw file is recognised: size in bytes, modification time in nanoseconds, checksum of a sample.

    The sample has 64 blocks of 64 KiB: the beginning, the end, and what lies evenly between them. A file of up to 4 MiB
    is taken whole.
    """
    status = file.stat()
    # The sample is read once in a process, unless the file's own clocks say that it was touched since.
    checksum = _of_sample(file.resolve(), status.st_size, (status.st_mtime_ns, status.st_ctime_ns))
    return [status.st_size, status.st_mtime_ns, checksum]
