"""Read a YAML file as plain mappings, lists and values: no tags that make objects, no key twice, no endless file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mma4ctr.cli import UserError
from mma4ctr.paths_file import shown

MOST_BYTES = 2**20  # a thousand times a long declaration
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C, where PyYAML was built with it


class _RepeatedKeyError(Exception):
    """A key that a mapping has twice, and the line of the second one."""


class _Loader(SafeLoader):
    """A safe loader that refuses a mapping with equal keys, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _RepeatedKeyError(key.value, key.start_mark.line + 1)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def _text_of(file: Path) -> bytes:
    if not file.is_file():
        raise UserError(f"{file}: is no file, expected a declaration; rename or remove it")
    if (size := file.stat().st_size) > MOST_BYTES:
        raise UserError(f"{file}: has {size:,} bytes, expected a declaration of at most {MOST_BYTES:,}; shorten it")
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); let it be read, or remove it") from None


def _problem_of(error: yaml.YAMLError) -> str:
    """Return the line and what is wrong with it, as ``:line: ...``."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        return f"{line}: is no valid YAML ({shown(error.problem or error.context)})"
    return f": is no valid YAML ({shown(str(error).splitlines()[0])})"


def read(file: Path) -> Mapping[str, object]:
    """Return the mapping in a YAML file.

    Raises
    ------
    UserError
        If it cannot be read, is too long, empty, no valid YAML or no mapping, or has a key twice.
    """
    text = _text_of(file)
    try:
        content = yaml.load(text, _Loader)  # a safe one
    except _RepeatedKeyError as error:
        key, line = error.args
        raise UserError(f"{file}:{line}: the key {shown(key)} is there twice, expected it once; remove one") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file}{_problem_of(error)}; mend the line") from None
    except RecursionError:
        raise UserError(f"{file}: is nested too deeply, expected keys and values; mend it") from None
    except (ValueError, OverflowError) as error:  # a date or a number that there is not
        raise UserError(f"{file}: is no valid YAML ({shown(str(error))}); mend it, or put the text in quotes") from None
    if content is None:
        raise UserError(f"{file}: is empty, expected the keys interactions, user, item and modalities; write them, or "
                        "remove the file")  # fmt: skip
    if not isinstance(content, dict):
        raise UserError(f"{file}: found {shown(content)}, expected keys and values; write `key: value` lines")
    return content
