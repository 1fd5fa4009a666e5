"""Files with one JSON object a line are read as a parser reads them line by line, or refused with the line."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.cli import UserError
from mma4ctr.data import json_lines, raw_files
from mma4ctr.data.datasets import tiktok
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor
from plain_reading import padded

LEAST, MOST = -(2**63), 2**63 - 1
KEPT = np.array([LEAST, 0, 7, MOST])
VIDEO, TITLE = "video_feature_dim_128", "title_features"

# ---- the plain reading: what a line is, decided by nothing but a parser


def refuse(*found: object) -> None:
    raise ValueError(found)


def no_repeats(pairs: list[tuple]) -> dict:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse(pairs)


def vector_of(value: list) -> list[float]:
    fits = type(value) is list and len(value) <= 128
    fits = fits and all(type(number) in (int, float) and abs(number) <= 1e30 for number in value)
    return [float(number) for number in value] if fits else refuse(value)


def words_of(value: dict) -> list[int]:
    for word, count in value.items() if type(value) is dict else refuse(value):
        if not re.fullmatch("[0-9]+", word) or str(int(word)) != word or int(word) > MOST or type(count) is not int:
            refuse(word)
    if min(value.values(), default=0) < 0 or sum(value.values()) > 10_000:
        refuse(value)
    return [int(word) for word, count in value.items() for _ in range(count)]


def plain_reading(line: str, key: str) -> tuple[int, list] | None:
    """Return the item and the content of a line, None for an item that is not kept; raise where it is no object."""
    content = json.loads(line, object_pairs_hook=no_repeats, parse_constant=refuse)
    item = content["item_id"]
    if type(item) is not int or not LEAST <= item <= MOST:
        refuse(item)
    if item not in KEPT.tolist():
        return None
    if key == TITLE and len(content) > 2:
        refuse(content)
    return item, {VIDEO: vector_of, TITLE: words_of}[key](content[key])


def read(part: Part, key: str) -> dict[int, list]:
    if key == TITLE:
        items, words = tiktok.read_titles(part, KEPT)
        rows = words.toarray()
    else:
        items, rows = tiktok.read_vectors(part, KEPT, key)
    return dict(zip(items.tolist(), rows.tolist(), strict=True))


# ---- lines of every kind

SIZES = st.integers(1, 400)
GAPS = st.sampled_from(["", "", " ", "  ", "\t"])
ITEMS = st.sampled_from(["0", "7", "7", "5", "-5", "-0", str(LEAST), str(MOST), *map(str, (LEAST - 1, MOST + 1))])
ODD = ["007", "+1", "1.", ".5", "NaN", "-Infinity", "1e400", "1e31", "null", "true", '"2"', "[1]", "1_0", "٣", "1" * 30]
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str), st.floats(-1e30, 1e30).map(repr), st.floats(-1, 1, width=16).map(repr),
    st.sampled_from(["-0", "-0.0", "1E-7", "1e+05", "0.10000000000000000555111512312578270211815834045410156250001"]),
)  # fmt: skip
COUNTS = st.sampled_from(["0", "1", "2", "99", "100", "10000", "-1", "1.0", "01"])
WORDS = st.sampled_from(["0", "1", "12", str(MOST), str(MOST + 1), "007", "a", "٣", "-1", "item_id"])
EXTRAS = [
    '"cover": {"item_id": 0}', '"cover": {"item_id": 5}', '"note": "item_id"', '"it\\u0065m_id": 7', '"": [{}, [[]]]',
    '"note": "\\"item_id\\": 7,"', '"cover": {"a": 1, "a": 2}', '"ü": "\\ud800"', '"item_id": 7', '"item_id": "7"',
    f'"{VIDEO}": [1]', f'"{TITLE}": {{"3": 1}}', '"item_id" 7', "7", '"tab": "\t"', '"us": "\x1f"', '"nul": "\0"',
]  # fmt: skip


def mostly(usual: st.SearchStrategy, odd: st.SearchStrategy) -> st.SearchStrategy:
    return st.integers(0, 19).flatmap(lambda number: odd if number == 19 else usual)


@st.composite
def vectors(draw: st.DrawFn) -> str:
    return f"[{','.join(draw(st.lists(mostly(NUMBERS, st.sampled_from(ODD)), max_size=4)))}]"


@st.composite
def titles(draw: st.DrawFn) -> str:
    word_and_count = st.tuples(mostly(st.integers(0, 30).map(str), WORDS), mostly(st.just("1"), COUNTS))
    words = draw(st.lists(word_and_count, max_size=4))
    return f"{{{', '.join(f'{json.dumps(word)}:{draw(GAPS)}{count}' for word, count in words)}}}"


@st.composite
def lines(draw: st.DrawFn, key: str) -> str:
    """A line of the published form, or one with something added, spelled otherwise, cut or mutated."""
    value = draw({VIDEO: vectors(), TITLE: titles()}[key])
    members = [f'"item_id":{draw(GAPS)}{draw(mostly(ITEMS, st.sampled_from(ODD)))}', f'"{key}"{draw(GAPS)}: {value}']
    members += draw(mostly(st.just([]), st.lists(st.sampled_from(EXTRAS), min_size=1, max_size=2)))
    inner = f"{draw(GAPS)},{draw(GAPS)}".join(draw(st.permutations(members)))
    line = f"{draw(GAPS)}{{{inner}{draw(mostly(st.just(''), st.just(',')))}}}{draw(GAPS)}"
    others = ["", " ", "\ufeff" + line, line[:-1], line + "}", line * 2, "[1]"]
    return draw(mostly(st.just(line), st.sampled_from(others)))


def plainly(text: list[str], key: str) -> tuple[dict[int, list], list[int], list[int]]:
    """Return the content of each kept item, the lines that must be refused, and those that may be passed over."""
    expected: dict[int, list] = {}
    must, may = [], []
    for number, line in enumerate(text, start=1):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = plain_reading(line.removeprefix("\ufeff") if number == 1 else line, key) if line.strip() else None
            expected.update([found] if found else [])
            continue
        named = re.findall(r'"item_id"\s*:\s*(-?[0-9]+)', line)
        is_of_another = len(named) == 1 and "\\" not in line and int(named[0]) not in KEPT.tolist()
        (may if is_of_another else must).append(number)
    return expected, must, may


@given(data=st.data(), key=st.sampled_from([VIDEO, TITLE]), end=st.sampled_from(["\n", "\r\n"]), size=SIZES)
def test_lines_are_read_as_a_parser_reads_them(
    data: st.DataObject, key: str, end: str, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = data.draw(st.lists(lines(key), min_size=1, max_size=6))
    file = tmp_path_factory.getbasetemp() / "objects.txt"
    file.write_bytes("".join(line + end for line in text).encode())
    expected, must, may = plainly(text, key)
    found: dict[int, list] = {}
    try:
        for part in raw_files.parts_of(file, size):
            found.update(read(part, key))
    except UserError as error:
        place = int(re.search(r"objects\.txt:(\d+): ", str(error))[1])
        assert place in must + may and place <= min(must, default=place), (text, error)
        assert len(str(error).removeprefix(str(file))) < 250
        return
    assert not must, text[must[0] - 1]
    assert sorted(found) == sorted(expected)
    width = max(map(len, [*found.values(), *expected.values()]), default=0)
    wanted = padded([expected[item] for item in found], width).astype(np.float32 if key == VIDEO else np.float64)
    np.testing.assert_array_equal(padded(list(found.values()), width), wanted)


# ---- one by one


def objects(folder: Path, *text: str) -> Path:
    file = folder / "objects.txt"
    file.write_bytes("\n".join([*text, ""]).encode("utf-8", "surrogateescape"))
    return file


@pytest.mark.parametrize("line", [
    f'{{"cover": {{"item_id": 0}}, "item_id": 7, "{VIDEO}": [2]}}', f'{{"it\\u0065m_id": 7, "{VIDEO}": [2]}}',
    f'{{"note": "\\"item_id\\": 0,", "{VIDEO}": [2], "item_id": 7}}', f'\ufeff{{"item_id": 7, "{VIDEO}": [2]}}',
    f'{{"{VIDEO}": [2], "item_id": 7, "cover": {{"{VIDEO}": [3]}}}}', f'{{"item_id": 7, "{VIDEO}": [2]}}\r',
])  # fmt: skip
def test_a_line_belongs_to_the_item_that_a_parser_finds(tmp_path: Path, line: str) -> None:
    (part,) = raw_files.parts_of(objects(tmp_path, line, "", f'{{"item_id": 5, "{VIDEO}": [3]}}', ""), 2**20)
    for kept, expected in (([0], []), ([7], [7]), ([0, 7], [7])):
        items, rows = tiktok.read_vectors(part, np.array(kept), VIDEO)
        assert items.tolist() == expected
        assert rows[:, 0].tolist() == [2] * len(expected)


REFUSED = {
    f'{{"item_id": 7, "{VIDEO}": [007]}}': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": [NaN]}}': r"broken JSON \(found NaN",
    f'{{"item_id": 7, "{VIDEO}": [1,]}}': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": [1], "{VIDEO}": [1]}}': f"key '{VIDEO}' is there twice",
    f'{{"item_id": 7, "{VIDEO}": [1], "cover": {{"a": 1, "a": 1}}}}': "key 'a' is there twice",
    f'{{"item_id": 5, "{VIDEO}": [1], "item_id": 7}}': "key 'item_id' is there twice",
    f'{{"item_id": {2**63}, "{VIDEO}": [1]}}': rf"item_id is {2**63}, expected an integer from -{2**63} to {2**63 - 1}",
    f'{{"item_id": 7.0, "{VIDEO}": [1]}}': "item_id is 7.0, expected an integer",
    f'{{"cover": {{"item_id": 7}}, "{VIDEO}": [1]}}': "item_id is None",
    f'{{"item_id": 7, "{VIDEO}": [1]}}\x1f': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": [1]\0}}': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": [1], "note": "\x1f"}}': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": [1], "note": "\udcff"}}': "no UTF-8 text",
    f'{{"item_id": 5, "{VIDEO}": [1], "note": "\udcff"}}': "no UTF-8 text",
    f'\ufeff{{"item_id": 7, "{VIDEO}": [1]}}': "broken JSON",
    f'{{"item_id": 7, "{VIDEO}": {"[" * 10**5}': "broken JSON .* too long",
    f'{{"item_id": 7, "{VIDEO}": [{"1" * 10**4}]}}': "broken JSON .* too long",
    f'{{"item_id": 7, "{VIDEO}": [1], "{"x" * 500}": 1, "{"x" * 500}": 2}}': r"key 'x{56}\.\.\. is there twice",
    f'{{"item_id": 7, "{VIDEO}": [1]}} {{"item_id": 7, "{VIDEO}": [1]}}': "broken JSON",
}


@pytest.mark.parametrize("line", REFUSED)
@pytest.mark.parametrize("size", [60, 2**20])
def test_a_line_that_is_no_object_is_refused_by_its_number(tmp_path: Path, line: str, size: int) -> None:
    good = f'{{"item_id": 7, "{VIDEO}": [1]}}'
    file = objects(tmp_path, good, "", good, line, good)
    with pytest.raises(UserError, match=rf"objects\.txt:4: .*{REFUSED[line]}.*; mend or remove the line"):
        for part in raw_files.parts_of(file, size):
            tiktok.read_vectors(part, KEPT, VIDEO)


def test_a_file_that_ends_in_the_middle_of_a_line_is_refused(tmp_path: Path) -> None:
    content = objects(tmp_path, *(f'{{"item_id": {item}, "{VIDEO}": [1]}}' for item in (1, 2))).read_bytes()
    file = tmp_path / "cut.txt"
    for length in range(1, len(content)):
        file.write_bytes(content[:length])
        if content[length - 1 : length + 1] in (b"]}", b"}\n", b"\n{") and content[length - 1] != ord("]"):
            assert len(json_lines.parts(LocalExecutor(), [file])) == 1
        else:
            with pytest.raises(UserError, match=r"cut\.txt:[12]: broken JSON .*, in a last line without an end"):
                json_lines.parts(LocalExecutor(), [file])
