"""Checksums of files, and by what a raw file is recognised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import get_user_embedding
import preprocess_inter
from bad_input import LOG, refusal
from mma4ctr.store import checksums

LARGE = checksums.BLOCK * checksums.BLOCKS + 1_000_003


@given(content=st.binary(max_size=5_000), cut=st.integers(0, 5_000))
def test_a_files_checksum_is_that_of_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "content"
    file.write_bytes(content)
    assert checksums.of_file(file) == checksums.of_bytes(content) == xxhash.xxh3_128(content).hexdigest()
    assert checksums.of_file(file, cut) == checksums.of_bytes(content[:cut]) == checksums.of_bytes(b"", content[:cut])


def test_a_file_longer_than_what_is_held_at_once(tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(os.urandom(checksums.AT_ONCE + 12_345))
    assert checksums.of_file(file) == checksums.of_bytes(file.read_bytes())


def exchange(file: Path, place: int) -> None:
    """Change one byte of a file; its size and its modification time stay."""
    times = file.stat()
    with open(file, "r+b") as stream:
        stream.seek(place)
        old = stream.read(1)
        stream.seek(place)
        stream.write(bytes([old[0] ^ 1]))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("place", [0, 1, 2_345_678, checksums.BLOCK * checksums.BLOCKS - 1])
def test_any_byte_of_a_small_file_counts(tmp_path: Path, place: int) -> None:
    file = tmp_path / "small"
    file.write_bytes(bytes(checksums.BLOCK * checksums.BLOCKS))
    before = checksums.stamp(file)
    assert before == checksums.stamp(file)
    exchange(file, place)
    after = checksums.stamp(file)
    assert before[:2] == after[:2] and before[2] != after[2]


def sampled(size: int) -> set[int]:
    """Return where the blocks of a sample begin, as docs/checks.md describes them."""
    return {round((size - checksums.BLOCK) * number // (checksums.BLOCKS - 1)) for number in range(checksums.BLOCKS)}


@pytest.mark.parametrize("number", [0, 1, 31, 63])
def test_the_blocks_of_a_sample_count_in_a_large_file(tmp_path: Path, number: int) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(LARGE))
    before, start = checksums.stamp(file), sorted(sampled(LARGE))[number]
    exchange(file, start + checksums.BLOCK - 1)
    assert checksums.stamp(file)[2] != before[2]
    exchange(file, start + checksums.BLOCK - 1)
    assert checksums.stamp(file) == before


def test_a_raw_file_of_the_same_size_and_time_but_other_content_is_noticed(
    built: Path, capfd: pytest.CaptureFixture
) -> None:
    to, log = ["--paths", str(built), "--dataset", "wechat"], built.parent / LOG
    place = log.read_bytes().rindex(b",0,") + 1
    exchange(log, place)
    line = refusal(capfd, get_user_embedding.main, to)
    assert line.startswith(f"{log}: is new or has changed") and "rerun python preprocess_inter.py" in line
    preprocess_inter.main(to)
    assert "up to date" not in capfd.readouterr().out
    get_user_embedding.main(to)
