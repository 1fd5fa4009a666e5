"""How the C library hands out memory."""

from __future__ import annotations

import contextlib
import ctypes

# Keys of glibc's mallopt: the free memory above which it gives some back; the size from which a block has own pages.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
BYTES = 2**30


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of up to a gigabyte for the next batch; elsewhere do nothing.

    Otherwise the layers of every batch lie in fresh pages, which the kernel clears first: a fifth of an epoch's time.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM_THRESHOLD, BYTES)
        mallopt(MMAP_THRESHOLD, BYTES)
