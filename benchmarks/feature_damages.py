"""Damages to the files of features: lines of JSON, series of parts, absurd numbers."""

from __future__ import annotations

import functools
import gzip
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from kinds import Damaged, Kind
from raw_damages import BOM, FEEDS, modalities_of
from scenes import Scene

ITEM = re.compile(rb'"item_id": ?(\d+)')
VECTOR, WORDS = re.compile(rb"\[[^\]]*\]"), re.compile(rb"\{[^{}]*\}")
FILES = ("track1_video_features_part*.txt", "track1_audio_features_part*.txt", "track1_title.txt")


@functools.cache
def kept_items(reference: Path) -> frozenset[bytes]:
    """Return the items of the users that are kept: only their lines are parsed."""
    return frozenset(b"%d" % item for item in np.load(reference / "bipartite_graph" / "tiktok_items.npy").tolist())


def a_line(scene: Scene, pattern: str) -> tuple[Path, list[bytes], int]:
    """Return a file of features, its lines, and the place of one of an item that is kept."""
    file = scene.chance.choice(sorted(scene.raw.glob(pattern)))
    lines = file.read_bytes().split(b"\n")
    kept = kept_items(scene.reference)
    places = [place for place, line in enumerate(lines) if (found := ITEM.search(line)) and found[1] in kept]
    return file, lines, scene.chance.choice(places)


Change = Callable[[bytes, random.Random], bytes]


def edit_line(change: Change, pattern: str) -> Callable[[Scene], Damaged]:
    """Return the damage of one line."""

    def damage(scene: Scene) -> Damaged:
        file, lines, place = a_line(scene, pattern)
        item = ITEM.search(lines[place])[1].decode()
        lines[place] = change(lines[place], scene.chance)
        file.write_bytes(b"\n".join(lines))
        return Damaged([file.name, item], f"{file.name}:{place + 1}")

    return damage


def other_item(line: bytes, item: bytes) -> bytes:
    """Write another id in the place of the item's."""
    return ITEM.sub(b'"item_id": ' + item, line, count=1)


def keys_turned(line: bytes, chance: random.Random) -> bytes:
    """Write the item after its features: the same object."""
    content = json.loads(line)
    return json.dumps(dict(reversed(content.items())), separators=(",", ":")).encode()


LINES: dict[str, Change] = {
    "an item inside another object": lambda line, chance: b'{"cover": {"item_id": 0}, ' + line[1:],
    "an item inside a text": lambda line, chance: b'{"cover": "{\\"item_id\\": 0", ' + line[1:],
    "two items": lambda line, chance: line[:-1] + b', "item_id": 7}',
    "an item as text": lambda line, chance: ITEM.sub(rb'"item_id": "\1"', line),
    "an item with a decimal point": lambda line, chance: ITEM.sub(rb'"item_id": \1.0', line),
    "an item with leading zeros": lambda line, chance: ITEM.sub(rb'"item_id": 00\1', line),
    "an item beyond int64": lambda line, chance: other_item(line, b"9" * 25),
    "an item of a million digits": lambda line, chance: other_item(line, b"7" * 1_000_000),
    "an item that is null": lambda line, chance: other_item(line, b"null"),
    "no item": lambda line, chance: line.replace(b"item_id", b"item"),
    "item_id in escapes": lambda line, chance: line.replace(b'"item_id"', b'"item\\u005fid"'),
    "keys in another order": keys_turned,
    "spaces and tabs": lambda line, chance: b" \t" + line.replace(b":", b" : ") + b"  ",
    "a key more": lambda line, chance: line[:-1] + b', "author": 3}',
    "cut": lambda line, chance: line[: chance.randrange(1, len(line))],
    "a blank line more": lambda line, chance: line + b"\n",
    "a list": lambda line, chance: b"[" + line + b"]",
    "two objects": lambda line, chance: line + b" " + line,
    "a comma at the end": lambda line, chance: line + b",",
    "a comment": lambda line, chance: line + b" // seen",
    "single quotation marks": lambda line, chance: line.replace(b'"', b"'"),
    "nested a million deep": lambda line, chance: line[:-1] + b', "a": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "the same line twice": lambda line, chance: line + b"\n" + line,
    "no UTF-8": lambda line, chance: line[:-1] + b', "a\xff": 1}',
    "a zero byte": lambda line, chance: line + b"\0",
    "a BOM in the middle": lambda line, chance: BOM + line,
    "CRLF": lambda line, chance: line + b"\r",
}
VECTORS: dict[str, Change] = {
    "nan": lambda line, chance: VECTOR.sub(b"[NaN,1]", line),
    "infinite": lambda line, chance: VECTOR.sub(b"[1,Infinity]", line),
    "1e400": lambda line, chance: VECTOR.sub(b"[1e400]", line),
    "too long": lambda line, chance: VECTOR.sub(b"[" + b",".join([b"1"] * 129) + b"]", line),
    "with text": lambda line, chance: VECTOR.sub(b'[1,"2"]', line),
    "with true": lambda line, chance: VECTOR.sub(b"[true]", line),
    "with null": lambda line, chance: VECTOR.sub(b"[null]", line),
    "of vectors": lambda line, chance: VECTOR.sub(lambda found: b"[" + found[0] + b"]", line),
    "with leading zeros": lambda line, chance: VECTOR.sub(b"[007]", line),
    "with Arabic digits": lambda line, chance: VECTOR.sub("[\u0661]".encode(), line),
    "a number alone": lambda line, chance: VECTOR.sub(b"1", line),
    "under another key": lambda line, chance: re.sub(rb'"\w+_(feature\w+)"', rb'"\1"', line),
    "twice": lambda line, chance: re.sub(rb'("\w*feature\w*"): ?(\[.*\])', rb"\1: \2, \1: [1]", line),
}
TITLES: dict[str, Change] = {
    "007": lambda line, chance: WORDS.sub(b'{"5": 007}', line),
    "a word twice": lambda line, chance: WORDS.sub(b'{"5": 1, "5": 2}', line),
    "a word twice, once with a zero before it": lambda line, chance: WORDS.sub(b'{"5": 1, "05": 2}', line),
    "Arabic digits": lambda line, chance: WORDS.sub('{"\u0665": 1}'.encode(), line),
    "half a word": lambda line, chance: WORDS.sub(b'{"5": 0.5}', line),
    "a negative count": lambda line, chance: WORDS.sub(b'{"5": -1}', line),
    "a count of a million million": lambda line, chance: WORDS.sub(b'{"5": 1000000000000}', line),
    "a count as text": lambda line, chance: WORDS.sub(b'{"5": "1"}', line),
    "a word beyond int64": lambda line, chance: WORDS.sub(b'{"99999999999999999999": 1}', line),
    "an empty word": lambda line, chance: WORDS.sub(b'{"": 1}', line),
    "a list of words": lambda line, chance: WORDS.sub(b"[5, 6]", line),
}


# ---- series of parts


def parts_of(scene: Scene) -> list[Path]:
    """Return the parts of a series, in their order."""
    return sorted(scene.raw.glob(scene.chance.choice(FILES[:2])), key=lambda file: (len(file.name), file.name))


def parts_without_repeats(scene: Scene) -> list[Path]:
    """Return the parts of the video features whose items are in no other: of several lines of an item one counts."""
    items = {file: set(ITEM.findall(file.read_bytes())) for file in sorted(scene.raw.glob(FILES[0]))}
    alone = [file for file in items if all(other == file or not items[file] & items[other] for other in items)]
    return scene.chance.sample(alone, len(alone))


def moved(rename: Callable[[str], str]) -> Callable[[Scene], Damaged]:
    """Return the damage by which a part is called otherwise."""

    def damage(scene: Scene) -> Damaged:
        file = scene.chance.choice(parts_of(scene))
        file.rename(file.with_name(rename(file.name)))
        return Damaged([file.name, rename(file.name)], f"{file.name} as {rename(file.name)}")

    return damage


def remove_a_part(scene: Scene) -> Damaged:
    """Remove a part, not the last one: nothing but the number of items would tell of that."""
    file = scene.chance.choice(parts_of(scene)[:-1])
    file.unlink()
    return Damaged([file.name], f"{file.name} removed")


def remove_the_last_part(scene: Scene) -> Damaged:
    """Remove the last part: fewer files are other data."""
    file = parts_of(scene)[-1]
    file.unlink()
    return Damaged([file.name], f"{file.name} removed")


def exchange_parts(scene: Scene) -> Damaged:
    """Exchange what two parts of a series hold: the items have the same features."""
    file, other = parts_without_repeats(scene)[:2]
    mine, its = file.read_bytes(), other.read_bytes()
    file.write_bytes(its), other.write_bytes(mine)
    return Damaged([file.name, other.name], f"{file.name} and {other.name} exchanged")


def copy_a_part(scene: Scene) -> Damaged:
    """Have a part twice, under a number of its own."""
    file = parts_without_repeats(scene)[0]
    other = file.with_name(re.sub(r"part\d+", "part12", file.name))
    other.write_bytes(file.read_bytes())
    return Damaged([file.name, other.name], f"{file.name} once more as {other.name}")


def pack_a_part(scene: Scene) -> Damaged:
    """Put packed bytes in the place of a part."""
    file = scene.chance.choice(parts_of(scene))
    file.write_bytes(gzip.compress(file.read_bytes(), 1))
    return Damaged([file.name], f"{file.name} packed under its own name")


# ---- numbers that are absurd


def a_huge_component(line: bytes, chance: random.Random) -> bytes:
    """Write a number that a float32 holds and no feature has."""
    return re.sub(rb"\[[^,\]]*", b"[%s" % chance.choice((b"1e30", b"-9e29", b"1e20")), line, count=1)


def no_feature_at_all(scene: Scene) -> Damaged:
    """Write nothing but zeros for one modality."""
    pattern = scene.chance.choice(FILES[:2])
    for file in scene.raw.glob(pattern):
        file.write_bytes(VECTOR.sub(b"[0, 0]", file.read_bytes()))
    return Damaged([*modalities_of(Path(pattern)), "_features"], f"{pattern}: zeros alone")


def absurd_word(scene: Scene) -> Damaged:
    """Write a word id, or words, that no vocabulary has into a field of text of a feed."""
    file = scene.raw / FEEDS
    lines = file.read_bytes().split(b"\n")
    names, number = lines[0].split(b","), scene.chance.randrange(1, len(lines) - 1)
    fields = lines[number].split(b",")
    place = names.index(scene.chance.choice((b"description", b"ocr", b"asr", b"ocr_char", b"asr_char")))
    fields[place] = scene.chance.choice((b"999999999999999", b"1 2 -3", b"7 " * 500_000 + b"7", "\u0661 2".encode()))
    lines[number] = b",".join(fields)
    file.write_bytes(b"\n".join(lines))
    return Damaged([file.name, fields[0].decode()], f"{file.name}:{number + 1}, {names[place].decode()}")


STEPS = ("steps",)
PARTS: dict[str, Callable[[Scene], Damaged]] = {
    "one removed": remove_a_part, "one in capitals": moved(lambda name: name.replace(".txt", ".TXT")),
    "one with a zero in its number": moved(lambda name: re.sub(r"part(\d+)", r"part0\1", name)),
    "one as a copy": moved(lambda name: name.replace(".txt", " (1).txt")),
    "one without its ending": moved(lambda name: name.removesuffix(".txt")),
    "two exchanged": exchange_parts, "one twice": copy_a_part, "one packed": pack_a_part,
}  # fmt: skip
KINDS = [
    *(Kind(f"{group}: {name}", "raw", STEPS, edit_line(change, pattern), (), "tiktok")
      for group, pattern, changes in (("vector", FILES[0], LINES), ("title", FILES[2], LINES),
                                      ("vector", FILES[1], VECTORS), ("title", FILES[2], TITLES))
      for name, change in changes.items()),
    *(Kind(f"parts: {name}", "raw", STEPS, damage, ("warned",), "tiktok") for name, damage in PARTS.items()),
    Kind("parts: the last one removed", "raw", STEPS, remove_the_last_part, ("other data",), "tiktok"),
    Kind("number: a component of 1e30", "raw", STEPS, edit_line(a_huge_component, FILES[0]), ("warned",), "tiktok"),
    Kind("number: zeros alone", "raw", STEPS, no_feature_at_all, ("warned",), "tiktok"),
    Kind("number: an absurd word", "raw", STEPS, absurd_word, ("warned",), "wechat"),
]  # fmt: skip
