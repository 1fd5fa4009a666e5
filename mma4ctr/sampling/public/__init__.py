"""Small made-up logs in the formats of the public data sets that `datasets/` declares."""

from __future__ import annotations

from pathlib import Path

from mma4ctr.sampling import draws
from mma4ctr.sampling.public import arrays, movielens, taobao, videos
from mma4ctr.sampling.public.log import Writer

WRITERS: dict[str, Writer] = {**movielens.WRITERS, **taobao.WRITERS, **videos.WRITERS, **arrays.WRITERS}
NAMES = tuple(sorted(WRITERS))


def write(name: str, folder: Path, seed: int = 0) -> None:
    """Write the files of one data set into `folder`; the same seed gives the same bytes.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    folder : Path
    seed : int
    """
    # By its name, so that a data set keeps its bytes when others are added.
    WRITERS[name](folder, draws.generator(seed, 2, *name.encode()))
