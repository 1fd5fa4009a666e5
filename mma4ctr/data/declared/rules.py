"""What a declaration has to fulfil beyond the types of its values, checked before any file is opened."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import NoReturn

from mma4ctr.catalogue import ENDINGS, MOST_MODALITIES
from mma4ctr.cli import UserError
from mma4ctr.data.declared import expressions, kinds
from mma4ctr.data.declared.schema import CLICK, Declaration, Source
from mma4ctr.paths_file import shown

NAME = re.compile("[a-z][a-z0-9_]{0,59}")  # of a data set or a label
MODALITY = re.compile("[a-z][a-z0-9]{0,29}")  # features put underscores between them
COLUMNS = ("user", "item", "device", "time")  # of every log as it is read
RESERVED = (*COLUMNS, "rows", "len")  # and what is counted of it
CONTENTS = ("columns", "vector", "text", "list")  # what a modality may take of a table
MOST = 2**63 - 1
LARGEST_SEED = 2**32 - 1
MOST_CONTEXT = 100


class Rules:
    """The rules for one declaration; `where` is how messages call it."""

    def __init__(self, where: str, declaration: Declaration) -> None:
        self.where, self.of = where, declaration

    def refuse(self, key: str, found: object, expected: str, cure: str = "correct the value") -> NoReturn:
        """Raise the `UserError` about the value of a key."""
        raise UserError(f"{self.where}: {key}: found {shown(found)}, expected {expected}; {cure}")

    def check(self) -> None:
        """Raise the `UserError` that names the first key that is not as it should be."""
        self.texts()
        self.interactions()
        self.columns()
        self.labels()
        self.types()
        self.numbers()
        self.modalities()

    def texts(self) -> None:
        """No name is empty, and every file lies below the folder of the data set."""
        for key, text in self._names():
            if text == "" or "\0" in text:
                self.refuse(key, text, "a name")
        for key, name in self._files():
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                self.refuse(
                    key, name, "a file below the folder of the data set", "put it there, and name it from there"
                )

    def _names(self) -> Iterator[tuple[str, str]]:
        of = self.of
        if of.folder is not None:
            yield "folder", of.folder
        ids = {"user": of.user, "item": of.item, "time": of.time, "device": of.device, "session": of.session}
        yield from ((f"{key}.column", column.column) for key, column in ids.items() if column is not None)
        yield from (("context", name) for name in of.context)
        yield from self._files()
        for key, table in {"interactions": of.interactions, **self._sources()}.items():
            if table.separator is not None:
                yield f"{key}.separator", table.separator
        for key, source in self._sources().items():
            named = [source.id, source.vector, source.list, *(source.columns or ()), *(source.text or ())]
            yield from ((key, name) for name in named if name is not None)

    def _sources(self) -> dict[str, Source]:
        return {f"modalities.{name}": source for name, source in self.of.modalities.items()}

    def _files(self) -> Iterator[tuple[str, str]]:
        yield from (("interactions.files", name) for name in self.of.interactions.files)
        for key, source in self._sources().items():
            yield f"{key}.file", source.file
            if source.ids is not None:
                yield f"{key}.ids", source.ids

    def interactions(self) -> None:
        """There are files, and what is said of their form fits together."""
        of = self.of.interactions
        if not of.files:
            self.refuse("interactions.files", [], "at least one name of a file or a pattern", "name one")
        for key, table in {"interactions": of, **self._sources()}.items():
            if table.separator and any(letter in table.separator for letter in '\n\r"'):
                self.refuse(f"{key}.separator", table.separator, "text without quotes and line ends")
            if table.format in ("parquet", "lists") and table.separator is not None:
                self.refuse(f"{key}.separator", table.separator, f"none, as {table.format} has none", "remove the key")
            if table.format == "parquet" and table.header is not None:
                self.refuse(f"{key}.header", list(table.header), "none, as parquet has names", "remove the key")
            header = table.header or ()
            if table.header is not None and (not header or len(set(header)) < len(header)):
                self.refuse(f"{key}.header", list(header), "different names", "correct the names")
        if of.where is not None:
            expressions.check(self.where, "interactions.where", of.where)

    def types(self) -> None:
        """Types are given of columns that are read."""
        read = kinds.roles(self.of)
        for name in self.of.interactions.types:
            if name not in read:
                self.refuse("interactions.types", name, f"a column that is read: {', '.join(read):.200}", "remove it")

    def columns(self) -> None:
        """Each column has one role, and what it is called does not hide another."""
        of = self.of
        if of.device is not None and of.session is not None:
            self.refuse("session", of.session.column, "device or session, as they take the same place",
                        "remove one of them, or name it in context")  # fmt: skip
        if of.user.column == of.item.column:
            self.refuse("item", of.item.column, "another column than that of user")
        if len(of.context) > MOST_CONTEXT:
            self.refuse("context", len(of.context), f"at most {MOST_CONTEXT} columns", "remove some")
        for name in of.context:
            if name in RESERVED or name in of.labels or of.context.count(name) > 1:
                self.refuse("context", name, "a column once, of another name than labels and "
                            f"{', '.join(RESERVED)}", "remove it, or rename the column")  # fmt: skip
        for key, column in (("user", of.user), ("item", of.item), ("device", of.device), ("session", of.session)):
            declared = of.interactions.types.get(column.column) if column else None
            if column and column.type and declared not in (None, column.type):
                self.refuse(
                    f"{key}.type", column.type, f"{declared}, as interactions.types has it", "remove one of them"
                )

    def labels(self) -> None:
        """There are labels or negatives; names are plain, and expressions can be read."""
        of = self.of
        if not of.labels and of.negatives is None:
            raise UserError(f"{self.where}: labels: the key is missing, expected labels, or negatives for a log of "
                            "clicks alone; add one of them")  # fmt: skip
        for name, sql in of.labels.items():
            if not NAME.fullmatch(name) or name in RESERVED:
                self.refuse("labels", name, "names of small letters, digits and underscores that start with a letter, "
                            f"other than {', '.join(RESERVED)}", "rename the label")  # fmt: skip
            expressions.check(self.where, f"labels.{name}", sql)
        if of.negatives is not None and len(of.labels) > 1:
            self.refuse(
                "labels", ", ".join(of.labels), f"one at most beside negatives (default: {CLICK})", "remove one"
            )

    def numbers(self) -> None:
        """Numbers lie where they mean something."""
        of = self.of
        if not 0 <= of.min_interactions <= MOST:
            self.refuse("min_interactions", of.min_interactions, "a whole number, 0 or more")
        if of.negatives is not None:
            drawn = of.negatives
            if not 1 <= drawn.ratio <= MOST:
                self.refuse("negatives.ratio", drawn.ratio, "a whole number, 1 or more")
            if not (math.isfinite(drawn.popularity_power) and drawn.popularity_power >= 0):
                self.refuse("negatives.popularity_power", drawn.popularity_power, "a number, 0 or more")
            if not 0 <= drawn.seed <= LARGEST_SEED:
                self.refuse("negatives.seed", drawn.seed, f"a whole number from 0 to {LARGEST_SEED}")
        for key in ("users", "items", "rows"):
            number = getattr(of.published, key, None)
            if number is not None and not 0 <= number <= MOST:
                self.refuse(f"published.{key}", number, "a whole number, 0 or more")

    def modalities(self) -> None:
        """There are one to five, and each comes from an array or from one kind of column of a table."""
        if not 1 <= len(self.of.modalities) <= MOST_MODALITIES:
            self.refuse(
                "modalities", ", ".join(self.of.modalities), f"1 to {MOST_MODALITIES} of them", "add or remove some"
            )
        for name, source in self.of.modalities.items():
            if not MODALITY.fullmatch(name) or name in ENDINGS:
                self.refuse("modalities", name, "names of small letters and digits that start with a letter, but "
                            f"not {' and '.join(ENDINGS)}", "rename the modality")  # fmt: skip
            self._source(f"modalities.{name}", source)

    def _source(self, key: str, source: Source) -> None:
        said = [content for content in CONTENTS if getattr(source, content) is not None]
        is_array = source.file.endswith(".npy")
        if is_array:
            of_tables = [name for name in ("id", *CONTENTS, "hashed", "format", "separator", "header")
                         if getattr(source, name) is not None]  # fmt: skip
            if of_tables:
                self.refuse(f"{key}.{of_tables[0]}", getattr(source, of_tables[0]), "none for an array (.npy)",
                            "remove the key, or name a table")  # fmt: skip
        elif source.id is None:
            raise UserError(f"{self.where}: {key}.id: the key is missing, expected the column of {shown(source.file)} "
                            "that holds the items; add it, or name an array (.npy)")  # fmt: skip
        elif source.ids is not None:
            self.refuse(f"{key}.ids", source.ids, "id, the column of items, for a table", "remove the key")
        if len(said) > 1:
            self.refuse(key, ", ".join(said), f"one of {', '.join(CONTENTS)}",
                        "remove the others, or make a modality of each")  # fmt: skip
        if () in (source.columns, source.text):
            self.refuse(f"{key}.{said[0]}", [], "at least one column", "name one")
        self._reduction(key, source)

    def _reduction(self, key: str, source: Source) -> None:
        if source.hashed is not None and source.text is None and source.list is None:
            self.refuse(f"{key}.hashed", source.hashed, "none without text or list", "remove the key")
        if source.hashed is not None and not 2 <= source.hashed <= MOST:
            self.refuse(f"{key}.hashed", source.hashed, "a whole number, 2 or more")
        if source.split == "":
            self.refuse(f"{key}.split", "", "what stands between the elements")
        wanted = source.components
        is_share = isinstance(wanted, float) and 0 < wanted <= 1
        if wanted != "all" and not is_share and not (isinstance(wanted, int) and 1 <= wanted <= MOST):
            self.refuse(f"{key}.components", wanted,
                        "a share above 0 and at most 1, a whole number of 1 or more, or all")  # fmt: skip
