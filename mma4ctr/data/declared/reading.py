"""Read declarations: the files ``NAME.yaml`` of a folder, or what path.json says itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from mma4ctr.cli import UserError
from mma4ctr.data.declared import checked, rules, yaml_file
from mma4ctr.data.declared.dataset import Declared
from mma4ctr.data.declared.schema import Declaration, Source, long_form
from mma4ctr.paths_file import shown

ENDING = ".yaml"
LIKE_ONE = (".yml", ".yaml")  # in whatever letters


def _check_name(name: str, where: str) -> None:
    if not rules.NAME.fullmatch(name):
        raise UserError(f"{where}: {shown(name)} is no name of a data set, expected small letters, digits and "
                        f"underscores that start with a letter, 60 at most; rename it{_better(name)}")  # fmt: skip


def _better(name: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    return f", such as {plain}" if rules.NAME.fullmatch(plain) else ""


def declaration(content: object, where: str) -> Declaration:
    """Return the content of a declaration, checked; `where` is how messages call it."""
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: found {shown(content)}, expected an object of keys and values; write a declaration")
    long = long_form(content)
    modalities = long.get("modalities")
    if isinstance(modalities, Mapping):  # for which a name alone stands for a file
        for name, source in modalities.items():
            if not isinstance(source, Mapping):
                raise UserError(f"{where}: {checked.key_of('modalities', name)}: found {shown(source)}, expected the "
                                f"name of a file, or keys among {', '.join(Source.__struct_fields__)}; correct the "
                                "value")  # fmt: skip
    found = checked.struct(where, "", long, Declaration)
    rules.Rules(where, found).check()
    return found


def parse(name: str, content: object, where: str) -> Declared:
    """Return the data set that a mapping declares.

    Parameters
    ----------
    name : str
    content : mapping
        What stands in a declaration, short forms included.
    where : str
        How messages call it, such as ``path.json: datasets.NAME``.

    Raises
    ------
    UserError
        If the name or a key of the declaration is not as it should be.
    """
    _check_name(name, where)
    return Declared(name, declaration(content, where))


def read_yaml(file: Path) -> Declaration:
    """Return the declaration in a YAML file; raise `UserError` if it is not as it should be."""
    return declaration(yaml_file.read(file), str(file))


@functools.cache
def _read_once(file: Path, changed: int, size: int) -> Declared:
    """Return the data set of a file as it was then: a process asks for the same ones again and again."""
    return Declared(file.stem, read_yaml(file))


def declarations(folder: Path) -> dict[str, Declared]:
    """Return the data sets that the files ``NAME.yaml`` of a folder declare, by name; none if there is no folder.

    Hidden files and those of other endings are passed over.

    Raises
    ------
    UserError
        If the folder is a file, a declaration is not as it should be, or one would not be read because of its name.
    """
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file, expected a folder of declarations; move it into one")
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix.lower() not in LIKE_ONE:
            continue
        if file.suffix != ENDING:
            raise UserError(f"{file}: would not be read, expected a name such as {file.stem}{ENDING}; rename it, or "
                            "remove it")  # fmt: skip
        _check_name(file.stem, str(file))
        changed = file.stat()
        found[file.stem] = _read_once(file, changed.st_mtime_ns, changed.st_size)
    return found
