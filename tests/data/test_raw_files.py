"""Tables of integers and the lines of raw files are read as they stand, or refused with the line."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.datasets.tiktok import DATASET
from mma4ctr.data.raw_files import Part

COLUMNS = ("a", "b", "label")
LEAST, MOST = -(2**63), 2**63 - 1


def read_table(file: Path, *, header: bool = False) -> list[tuple]:
    """Read a comma file of three integers a line as the data sets do."""
    columns = raw_files.header_of(file, COLUMNS) if header else COLUMNS
    scan = raw_files.scan_integers(Part(file), columns, COLUMNS, ("label",), separator=",", header=header)

    def explain() -> None:
        raw_files.explain_integers(file, columns, COLUMNS, ("label",), separator=",", header=header)

    (frame,) = raw_files.collect([scan], explain, file)
    if frame["a"].has_nulls():
        explain()
        raise AssertionError("a row that is not taken is not explained")
    return frame.rows()


FIELDS = st.one_of(
    st.integers(LEAST, MOST).map(str), st.integers(0, 9).map(str),
    st.sampled_from([str(LEAST - 1), str(MOST + 1), "-0", "+7", "007", "0" * 40 + "7", "9" * 5000, "7\r", ""]),
    st.sampled_from(["-", "1.0", "٣", "７", "1_0", "0x7", '"7"', "7 ", "+-7", "\ufeff7", "7\x1f", "7\0", "\ufffd"]),
)  # fmt: skip


@given(fields=st.lists(FIELDS, min_size=1, max_size=4), first=st.booleans())
def test_any_64_bit_integer_is_read_and_anything_else_is_named(
    fields: list[str], first: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "table.csv"
    file.write_text("".join(f"{field},5,1\n" if first else f"5,{field},1\n" for field in fields), newline="")
    fits = [re.fullmatch(r"[+-]?[0-9]{1,4000}\r?", field) and LEAST <= int(field) <= MOST for field in fields]
    if first and fields[0] == "\ufeff7":  # the mark that a file may start with
        fields[0], fits[0] = "7", True
    if all(fits):
        assert [row[0 if first else 1] for row in read_table(file)] == [int(field) for field in fields]
        return
    place = [bool(fit) for fit in fits].index(False)
    with pytest.raises(UserError) as error:
        read_table(file)
    said = re.fullmatch(
        rf"{file}:{place + 1}: field {'a' if first else 'b'} is (.*); mend or remove the line", str(error.value)
    )
    assert said and len(said[1]) < 150
    is_whole = re.fullmatch("[+-]?[0-9]+", fields[place])
    assert said[1].endswith(f"expected an integer from {LEAST} to {MOST}" if is_whole else "expected an integer")


SHAPES = {
    "crlf": ("1,2,0\r\n3,4,1\r\n", None),
    "no last end": ("1,2,0\n3,4,1", None),
    "mark at the start": ("\ufeff1,2,0\n3,4,1\n", None),
    "mark later": ("1,2,0\n\ufeff3,4,1\n", "2: field a is '.ufeff3', expected an integer"),
    "blank line": ("1,2,0\n\n3,4,1\n", "2: found an empty line"),
    "blank last line": ("1,2,0\n3,4,1\n\n", "3: found an empty line"),
    "blank last line, crlf": ("1,2,0\r\n3,4,1\r\n\r\n", "3: found an empty line"),
    "cut": ("1,2,0\n3,4", "2: found 2 fields, expected 3: 'a, b, label'"),
    "cut after a comma": ("1,2,0\n3,4,", "2: field label is '', expected"),
    "lone cr": ("1,2,0\r3,4,1\r", "1: found 5 fields"),
    "unit separator": ("1,2,0\n3\x1f4,4,1\n", "2: field a is '3.x1f4'"),
    "nul": ("1,2,0\n3,4,1\0\n", r"2: field label is '1\\x00'"),
    "quoted": ('"1","2","0"\n', "1: field a is '\"1\"', expected an integer"),
    "no text": ("1,2,0\n3,\udcff4,1\n", "2: field b is '.udcff4', expected an integer"),
    "header again": ("1,2,0\na,b,label\n", "2: field a is 'a', expected an integer"),
    "spaces": ("1,2,0\n3 ,4,1\n", "2: field a is '3 ', expected an integer"),
    "a label of 2": ("1,2,0\n3,4,2\n", "2: field label is 2, expected 0 or 1"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("header", [False, True])
def test_a_table_of_another_shape_is_read_or_refused_by_its_line(tmp_path: Path, shape: str, header: bool) -> None:
    text, said = SHAPES[shape]
    start = "\ufeff" * text.startswith("\ufeff") + "a,b,label\n" if header else ""
    file = tmp_path / "table.csv"
    file.write_bytes((start + (text.removeprefix("\ufeff") if header else text)).encode("utf-8", "surrogateescape"))
    if said is None:
        assert read_table(file, header=header) == [(1, 2, 0), (3, 4, 1)]
        return
    number, _, said = said.partition(":")
    with pytest.raises(UserError, match=f"table.csv:{int(number) + header}:{said}"):
        read_table(file, header=header)


@pytest.mark.parametrize(("text", "said"), [
    ('"a","b","label"\n1,2,0\n', "1: missing column a, b, label; found .*, without quotes"),
    (f"{'x' * 300},a,b\n", r"1: missing column label; found 'x{56}\.\.\., expected"),
    (f"a,b,label,{'x' * 300},{'x' * 300}\n", r"1: column 'x{56}\.\.\. is there twice"),
    (f"a,b,label,{','.join(f'column{k}' for k in range(99))}\n1,2,0\n", r"2: found 3 fields, expected 102: .{60}; "),
])  # fmt: skip
def test_a_header_of_another_form_is_refused_in_short(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(UserError, match=f"table.csv:{said}"):
        read_table(tmp_path / "table.csv", header=True)


def test_ids_of_all_64_bits_in_the_log_of_tiktok(tmp_path: Path) -> None:
    rows = [(user, item) for user in (LEAST, MOST) for item in (MOST - 1, LEAST + 1)]
    lines = [f"{user}\t-1\t{item}\t1\t-1\t0\t1\t0\t-1\t2\t5\t9\n" for user, item in rows]
    (tmp_path / "final_track1_train.txt").write_text("".join(lines))
    (file,) = DATASET.interaction_files(tmp_path)
    assert DATASET.interactions(Part(file), {}).select("user", "item").collect().rows() == rows


# ---- the length of lines


@given(lengths=st.lists(st.integers(0, 24), max_size=12), ends=st.booleans(), tail=st.integers(1, 13))
def test_a_line_beyond_the_longest_is_found(
    lengths: list[int], ends: bool, tail: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "lengths.txt"
    file.write_text("\n".join("x" * length for length in lengths) + "\n" * ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_files, "LONGEST_LINE", 12)
        patch.setattr(raw_files, "LINE_END_TAIL", tail)
        long = [number for number, length in enumerate(lengths, start=1) if length > 12]
        if not long:
            raw_files.check_line_lengths(file)
            return
        with pytest.raises(UserError, match=f":{long[0]}: the line is longer than 12 bytes"):
            raw_files.check_line_lengths(file)


@pytest.mark.parametrize("name", ["final_track1_train.txt", "track1_video_features_part1.txt", "track1_title.txt"])
def test_a_line_of_50_megabytes_is_refused_without_being_held(tmp_path: Path, name: str) -> None:
    with open(tmp_path / name, "wb") as stream:
        stream.write(b"1\t2\n")
        stream.truncate(50 * 10**6)  # zero bytes, which take no place on the disk
    tracemalloc.start()
    with pytest.raises(
        UserError, match=rf"{name}:2: the line is longer than 1,048,576 bytes, expected one row or object"
    ):
        raw_files.parts_of(tmp_path / name, 2**28)
    with pytest.raises(UserError, match=rf"{name}:2: the line is longer"):
        raw_files.scan_lines(Part(tmp_path / name))
    assert tracemalloc.get_traced_memory()[1] < 8 * 10**6
    tracemalloc.stop()
