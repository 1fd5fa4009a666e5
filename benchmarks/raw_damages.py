"""Damages to raw files: to their bytes, to the shape of a line, to what a line says."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kinds import FILE_EDITS, Damaged, Edit, Kind, keeping_times
from scenes import Scene

Lines = list[bytes]
LOGS = {"wechat": ("user_action.csv", b","), "tiktok": ("final_track1_train.txt", b"\t")}
FEEDS = "feed_info.csv"
BOM = b"\xef\xbb\xbf"


def log_of(scene: Scene) -> tuple[Path, bytes]:
    """Return the log of the scene's data set, and what stands between its fields."""
    name, separator = LOGS[scene.question.dataset]
    return scene.raw / name, separator


def table_of(scene: Scene) -> tuple[Path, bytes]:
    """Return the log, or WeChat's feeds."""
    log = log_of(scene)
    return scene.chance.choice([log, (scene.raw / FEEDS, b",")]) if scene.question.dataset == "wechat" else log


def raw_files(scene: Scene) -> list[Path]:
    """Return the raw files of the scene's data set."""
    return sorted(scene.raw.iterdir())


def whole_files(scene: Scene) -> list[Path]:
    """Return those that are no parts of a series."""
    return [file for file in raw_files(scene) if "part" not in file.name]


def to_file(
    edit: Edit, *, keep_time: bool, files: Callable[[Scene], list[Path]] = raw_files
) -> Callable[[Scene], Damaged]:
    """Return the damage of any raw file."""

    def damage(scene: Scene) -> Damaged:
        file = scene.chance.choice(files(scene))
        if keep_time:
            keeping_times(file, lambda: edit(file, scene.chance))
        else:
            edit(file, scene.chance)
        return Damaged([file.name, f"{file.parent}: ", *modalities_of(file)], file.name)

    return damage


# ---- one line of a table

Field = Callable[[bytes], bytes]


def other_digits(value: bytes, zero: int) -> bytes:
    """Write a number in the digits of Unicode that begin with `zero`."""
    return value.decode().translate({ord("0") + digit: zero + digit for digit in range(10)}).encode()


FIELDS: dict[str, Field] = {
    "a quoted field": lambda value: b'"%s"' % value,
    "a field with 0x1f": lambda value: value + b"\x1f",
    "a field with a zero byte": lambda value: value + b"\0",
    "a field that is no UTF-8": lambda value: value + b"\xff",
    "text in a number": lambda value: value + b"x",
    "Arabic digits": lambda value: other_digits(value, 0x660),
    "wide digits": lambda value: other_digits(value, 0xFF10),
    "an id beyond int64": lambda value: b"9223372036854775808",
    "thirty digits": lambda value: b"9" * 30,
    "a million digits": lambda value: b"7" * 1_000_000,
    "a decimal point": lambda value: value + b".5",
    "an exponent": lambda value: value + b"e1",
    "a plus sign": lambda value: b"+" + value,
    "leading zeros": lambda value: b"00" + value,
    "spaces around a number": lambda value: b" " + value + b" ",
    "an underscore in a number": lambda value: value + b"_0",
    "a hexadecimal number": lambda value: b"0x" + value,
    "an empty field": lambda value: b"",
    "nan in a field": lambda value: b"nan",
    "a BOM in the middle": lambda value: BOM + value,
}


def edit_field(change: Field) -> Callable[[Scene], Damaged]:
    """Return the damage of one integer of a table: any of a log, the id of a feed."""

    def damage(scene: Scene) -> Damaged:
        file, separator = table_of(scene)
        lines = file.read_bytes().split(b"\n")
        number = scene.chance.randrange(1, len(lines) - 1)
        fields = lines[number].split(separator)
        place = 0 if file.name == FEEDS else scene.chance.randrange(len(fields))
        fields[place] = change(fields[place])
        lines[number] = separator.join(fields)
        file.write_bytes(b"\n".join(lines))
        return Damaged([file.name], f"{file.name}:{number + 1}, field {place + 1}")

    return damage


# What stands in the place of a line.
LINES: dict[str, Callable[[Lines, int, bytes], Lines]] = {
    "a blank line": lambda lines, number, separator: [b"", lines[number]],
    "a line of spaces": lambda lines, number, separator: [b"  ", lines[number]],
    "a quoted line": lambda lines, number, separator: [
        separator.join(b'"%s"' % field for field in lines[number].split(separator))
    ],
    "CRLF in one line": lambda lines, number, separator: [lines[number] + b"\r"],
    "a short row": lambda lines, number, separator: [lines[number].rpartition(separator)[0]],
    "a long row": lambda lines, number, separator: [lines[number] + separator + b"1"],
    "a row cut": lambda lines, number, separator: [lines[number][: len(lines[number]) // 3]],
    "two rows in one line": lambda lines, number, separator: [lines[number] + lines[number - 1]],
    "another separator": lambda lines, number, separator: [lines[number].replace(separator, b";")],
    "a comment": lambda lines, number, separator: [b"# end of day 1", lines[number]],
    "a header in the middle": lambda lines, number, separator: [
        separator.join(b"column%d" % place for place in range(len(lines[0].split(separator)))),
        lines[number],
    ],
}


def replace_line(make: Callable[[Lines, int, bytes], Lines]) -> Callable[[Scene], Damaged]:
    """Return the damage that puts other lines in the place of one."""

    def damage(scene: Scene) -> Damaged:
        file, separator = table_of(scene)
        lines = file.read_bytes().split(b"\n")
        number = scene.chance.randrange(2, len(lines) - 1)
        lines[number : number + 1] = make(lines, number, separator)
        file.write_bytes(b"\n".join(lines))
        return Damaged([file.name], f"{file.name}:{number + 1}")

    return damage


# ---- a whole table


def quote_all(content: bytes, separator: bytes) -> bytes:
    """Put every field between quotation marks."""
    return b"\n".join(separator.join(b'"%s"' % field for field in line.split(separator)) if line else line
                      for line in content.split(b"\n"))  # fmt: skip


def turn_columns(content: bytes, separator: bytes) -> bytes:
    """Write the columns in the opposite order."""
    return b"\n".join(separator.join(line.split(separator)[::-1]) for line in content.split(b"\n"))


def by_day(content: bytes, separator: bytes) -> bytes:
    """Write the days (WeChat), or the times (TikTok), in the opposite order, the rows of each as they were."""
    lines, wechat = content.split(b"\n")[:-1], separator == b","
    head, rows = (lines[:1], lines[1:]) if wechat else ([], lines)
    times = np.array([int(row.split(separator)[2 if wechat else 10]) for row in rows])
    return b"\n".join([*head, *(rows[place] for place in np.argsort(-times, kind="stable")), b""])


WHOLE_TABLES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "every field quoted": quote_all,
    "CRLF": lambda content, separator: content.replace(b"\n", b"\r\n"),
    "CR alone": lambda content, separator: content.replace(b"\n", b"\r"),
    "a BOM at the start": lambda content, separator: BOM + content,
    "no newline at the end": lambda content, separator: content[:-1],
    "a blank last line": lambda content, separator: content + b"\n",
    "blank last lines": lambda content, separator: content + b"\n\r\n\n",
    "a blank first line": lambda content, separator: b"\n" + content,
    "UTF-16": lambda content, separator: content.decode().encode("utf-16"),
    "gzip under the same name": lambda content, separator: gzip.compress(content, 1),
    "another separator throughout": lambda content, separator: content.replace(separator, b";"),
    "days in another order": by_day,
}
HEADERS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "a column renamed": lambda content, separator: content.replace(b"feedid", b"feed_id", 1),
    "a header in capitals": lambda content, separator: content.replace(b"feedid", b"FEEDID", 1),
    "a column twice": lambda content, separator: re.sub(rb"\n", b",feedid\n", content, count=1),
    "no header": lambda content, separator: content.partition(b"\n")[2],
    "columns in another order": turn_columns,
    "a header alone": lambda content, separator: content.partition(b"\n")[0] + b"\n",
}


def edit_table(change: Callable[[bytes, bytes], bytes], *, log: bool = False) -> Callable[[Scene], Damaged]:
    """Return the damage of a whole table; with `log` always the log."""

    def damage(scene: Scene) -> Damaged:
        file, separator = log_of(scene) if log else table_of(scene)
        file.write_bytes(change(file.read_bytes(), separator))
        return Damaged([file.name, f"{file.parent}: "], file.name)

    return damage


def pack(scene: Scene) -> Damaged:
    """Put a packed file in the place of any raw file."""
    file = scene.chance.choice(raw_files(scene))
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
    file.unlink()
    return Damaged([file.name, *modalities_of(file)], f"{file.name} as .gz")


def modalities_of(file: Path) -> Sequence[str]:
    """Return the modalities that are read from a raw file."""
    words = {"visual": ("video", FEEDS), "acoustic": ("audio", FEEDS), "textual": ("title", FEEDS)}
    return [modality for modality, parts in words.items() if any(part in file.name for part in parts)]


STEPS = ("steps",)
FILES = [
    *(Kind(f"raw file, same time: {name}", "built", ("mlp",), to_file(edit, keep_time=True))
      for name, edit in FILE_EDITS.items()),
    *(Kind(f"raw file: {name}", "raw", STEPS, to_file(edit, keep_time=False), ("warned", "other data"))
      for name, edit in FILE_EDITS.items() if name in ("a bit flipped", "truncated")),
    *(Kind(f"raw file: {name}", "raw", STEPS, to_file(edit, keep_time=False), ("warned",))
      for name, edit in FILE_EDITS.items() if name not in ("a bit flipped", "truncated", "removed")),
    Kind("raw file: removed", "raw", STEPS, to_file(FILE_EDITS["removed"], keep_time=False, files=whole_files)),
    Kind("raw file: packed", "raw", STEPS, pack, ("warned",)),
]  # fmt: skip
TABLES = [
    *(Kind(f"table: {name}", "raw", STEPS, edit_field(change)) for name, change in FIELDS.items()),
    *(Kind(f"table: {name}", "raw", STEPS, replace_line(make)) for name, make in LINES.items()),
    *(Kind(f"table: {name}", "raw", STEPS, edit_table(change, log=name == "days in another order"))
      for name, change in WHOLE_TABLES.items()),
    *(Kind(f"table: {name}", "raw", STEPS, edit_table(change), (), "wechat") for name, change in HEADERS.items()),
]  # fmt: skip
