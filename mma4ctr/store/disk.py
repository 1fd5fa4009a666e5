"""Read and write files: whole or not at all, and never anything that has to be unpickled."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import io
import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.store import checksums

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NAME = "name"
LITTLE = 2**16  # bytes; where less is free, a write that failed is taken to have failed for want of space


# ---- writing


def _lacks_space(error: BaseException | None, free: int) -> bool:
    """Tell whether an error came from a full disk; libraries hide its number, or put an error of their own before it.

    `free` is what was left beside the file that could not be written, in bytes.
    """
    while error is not None:
        if getattr(error, "errno", None) in NO_SPACE:
            return True
        error = error.__context__
    return free < LITTLE


def _reason(error: OSError | RuntimeError, file: Path, temporary: Path) -> UserError | None:
    """Return what to tell of a failed write, None where something else than writing failed."""
    free = shutil.disk_usage(file.parent).free
    if _lacks_space(error, free):
        return UserError(f"{file}: no space left on the device ({free / 1e3:,.0f} kB free in {file.parent}); make room "
                         "and run the same command again")  # fmt: skip
    if isinstance(error, OSError) and error.filename in (None, str(temporary)):
        return UserError(f"{file}: cannot be written ({error.strerror or error!s:.80}); check the folder and run the "
                         "same command again")  # fmt: skip
    return None


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a temporary name beside `file`; rename it to `file` at the end, remove it after an error.

    The name is that of one process on one host, so that hosts which share the folder do not write to one file. The
    temporary file is locked as long as its process lives; see `remove_abandoned`.

    Raises
    ------
    UserError
        If it cannot be written, for want of space or else.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{platform.node()}.{os.getpid()}.part")
    with contextlib.ExitStack() as undone:
        try:
            held = os.open(temporary, os.O_CREAT | os.O_RDWR, 0o666)
            undone.callback(os.close, held)
            undone.callback(temporary.unlink, missing_ok=True)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary
            os.replace(temporary, file)
        except (OSError, RuntimeError) as error:
            told = _reason(error, file, temporary)
            if told is None:
                raise
            raise told from None


def is_whole(file: Path, checksum: str) -> bool:
    """Tell whether a file is there as it was written."""
    try:
        return checksums.of_file(file) == checksum
    except OSError:
        return False


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in `folder` and below whose processes were killed: nobody holds their locks."""
    for temporary in folder.rglob(".*.part"):
        with contextlib.suppress(OSError), open(temporary, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()


def write_array(file: Path, array: np.ndarray) -> None:
    """Write an array to a .npy file, whole or not at all."""
    with replacing(file) as temporary, open(temporary, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


def write_columns(file: Path, shape: tuple[int, int], columns: Iterable[Iterable[np.ndarray]], dtype: str) -> None:
    """Write a matrix (rows, columns) to a .npy file, whole or not at all, one column after another, each in pieces.

    So nobody needs memory for it. It is the file of the array in Fortran's order, which `write_array` would write.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": True, "shape": shape}
    with replacing(file) as temporary, open(temporary, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        start = stream.tell()
        for column in columns:
            for piece in column:
                stream.write(np.ascontiguousarray(piece, dtype=dtype).data)
        length = stream.tell() - start
    if length != np.dtype(dtype).itemsize * shape[0] * shape[1]:
        raise ValueError(f"{length} bytes for shape {shape}")


def write_names(file: Path, names: pl.Series) -> None:
    """Write text (n,) to a Parquet file with the one column `NAME`, whole or not at all."""
    with replacing(file) as temporary:
        names.alias(NAME).to_frame().write_parquet(temporary)


def write_json(file: Path, content: object) -> None:
    """Write `content` to `file` as indented JSON, whole or not at all."""
    with replacing(file) as temporary:
        temporary.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))


# ---- reading


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of a file that was written.

    Attributes
    ----------
    remedy : str
        The command that writes it again.
    checksum : str, optional
        What `checksums.of_file` returned then.
    record : Path, optional
        What says so.
    """

    remedy: str
    checksum: str | None = None
    record: Path | None = None

    def check(self, file: Path, found: str) -> None:
        """Raise `UserError` where a file's checksum is another than when it was written."""
        if self.checksum not in (None, found):
            raise UserError(
                f"{file}: is not the file that was written: its checksum is {found}, {self.record} has "
                f"{self.checksum}; rerun {self.remedy}"
            )


def read_bytes(file: Path, known: Known) -> memoryview:
    """Read a whole file, and check that it is the one that was written.

    Returns
    -------
    memoryview of bytes, which may be written to

    Raises
    ------
    UserError
        If it is missing, cannot be read, or is another file than was written.
    """
    try:
        content, found = checksums.read(file)
    except FileNotFoundError:
        raise UserError(f"{file}: missing; run {known.remedy.removesuffix(' --force')} first") from None
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or f"{error!s:.80}"
        raise UserError(f"{file}: cannot be read ({reason}); rerun {known.remedy}") from None
    known.check(file, found)
    return content


def array_in(content: memoryview) -> np.ndarray:
    """Return the array in the bytes of a .npy file, in the same memory.

    Raises
    ------
    ValueError
        If they are not those of a .npy file of numbers, or there are too few or too many.
    """
    stream = io.BytesIO(content[: 2**16])  # room enough for any header of numbers
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise ValueError(f"version {version} of the format")
    shape, fortran_order, dtype = read_header[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds objects")
    length = len(content) - stream.tell() - dtype.itemsize * int(np.prod(shape, dtype=object))
    if length != 0:
        raise ValueError(f"{abs(length)} bytes too {'many' if length > 0 else 'few'} for shape {shape}")
    return np.ndarray(shape, dtype, content, stream.tell(), order="F" if fortran_order else "C")


def read_array(file: Path, known: Known) -> np.ndarray:
    """Read a .npy file; see `read_bytes`.

    Raises
    ------
    UserError
        If it is missing, damaged, or another file than was written.
    """
    content = read_bytes(file, known)
    try:
        return array_in(content)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: not a whole .npy file ({reason:.80}); rerun {known.remedy}") from None


def read_names(file: Path, known: Known) -> pl.Series:
    """Read a Parquet file with one column of text; see `read_bytes`.

    Raises
    ------
    UserError
        If it is missing, damaged, holds anything else, or is another file than was written.
    """
    content = read_bytes(file, known)
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: not a whole Parquet file ({reason:.80}); rerun {known.remedy}") from None
    if frame.schema != {NAME: pl.String} or frame[NAME].has_nulls():
        raise UserError(f"{file}: found the columns {frame.schema!s:.80}, expected {NAME}, text; rerun {known.remedy}")
    return frame[NAME]


def read_json(file: Path, known: Known) -> dict | list:
    """Read a JSON file; see `read_bytes`.

    Raises
    ------
    UserError
        If it is missing, damaged, or another file than was written.
    """
    content = read_bytes(file, known)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{file}: cannot be read ({error!s:.80}); rerun {known.remedy}") from None


def read_object(file: Path, known: Known) -> dict:
    """Read a JSON file that holds an object; raise `UserError` if it is missing or damaged."""
    content = read_json(file, known)
    if not isinstance(content, dict):
        raise UserError(f"{file}: found {content!r:.60}, expected a JSON object; rerun {known.remedy}")
    return content
