"""What is made of the columns of a declared log: the columns that a data set has, and what each row has to fulfil."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import expressions, kinds, times
from mma4ctr.data.declared.scanning import SURPLUS
from mma4ctr.data.declared.schema import CLICK, Declaration
from mma4ctr.paths_file import shown

FORM = "#form"
MEND = "mend or remove the line"
BLANKS = " \t"  # that Polars passes over before a number


@dataclasses.dataclass(frozen=True)
class Check:
    """What every row has to fulfil.

    Attributes
    ----------
    holds : polars.Expr
        Where it does not, or is null, the row cannot be read.
    key : str
        The key of the declaration, for expressions; otherwise empty.
    columns : tuple of str
        The fields that it is about.
    expected : callable
        ``expected(found)`` says what was expected instead of the first field, and what to do.
    """

    holds: pl.Expr
    columns: tuple[str, ...]
    expected: Callable[[str | None], str]
    key: str = ""


def _always(said: str) -> Callable[[str | None], str]:
    return lambda found: said


def _without_zone(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column


def typed(name: str, dtype: pl.DataType, kind: str, *, filled: bool) -> tuple[pl.Expr, pl.Expr]:
    """Return a column as its kind, and whether it can be read as that; what is empty is null and can be read.

    Parameters
    ----------
    name : str
    dtype : polars.DataType
        What it was scanned as.
    kind : str
        ``integer``, ``number`` or ``text``.
    filled : bool
        Whether null is empty text, as it is in text files.
    """
    column, is_text = pl.col(name), isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    if kind == "text":
        text = _without_zone(name, dtype).cast(pl.String)
        return (text.fill_null("") if filled else text), pl.lit(True)
    fits = pl.Int64 if kind == "integer" else pl.Float64
    if dtype == fits or (kind == "number" and (dtype.is_integer() or isinstance(dtype, pl.Boolean))):
        value = column
    elif is_text:
        value = column.cast(pl.String).str.strip_chars_start(BLANKS).cast(fits, strict=False)
    elif kind == "integer" and dtype.is_float():
        is_whole = (column == column.round()) & (column.abs() < times.EXACT)
        value = pl.when(is_whole).then(column).cast(pl.Int64, strict=False)
    else:
        value = column.cast(fits, strict=False)
    nothing = column.is_null() | (column.cast(pl.String) == "" if is_text else False)
    holds = value.is_finite() if kind == "number" and (is_text or dtype.is_float()) else value.is_not_null()
    return value, nothing | holds.fill_null(False)


class Rows:
    """How the rows of files with columns `schema` are read, whose columns are of `found` kinds."""

    def __init__(
        self, declaration: Declaration, schema: Mapping[str, pl.DataType], found: Mapping[str, str], *, filled: bool
    ) -> None:
        self.of, self.schema, self.kinds, self.filled = declaration, schema, found, filled

    def _typed(self, name: str) -> tuple[pl.Expr, pl.Expr]:
        return typed(name, self.schema[name], self.kinds[name], filled=self.filled)

    def columns(self) -> list[pl.Expr]:
        """Return every column that is read as its kind, under its own name."""
        return [self._typed(name)[0].alias(name) for name in self.kinds]

    def forms(self) -> Iterator[Check]:
        """Yield what has to hold of the columns as they were scanned."""
        yield Check(pl.col(SURPLUS).is_null(), (), _always(f"{len(self.schema)}; {MEND}"))
        for name, kind in self.kinds.items():
            who = "declaration says" if name in kinds.given(self.of) else "first rows have"
            as_first = f"{'an integer' if kind == 'integer' else 'a number'}, as the {who}"
            cure = f"mend the line, or say interactions.types: {{{name:.60}: text}} in the declaration"
            if self.of.time is not None and name == self.of.time.column:
                cure = "mend the line, or say time.unit: date if these are dates"
            yield Check(self._typed(name)[1], (name,), _always(f"{as_first}; {cure}"))

    def where(self) -> pl.Expr:
        """Return which rows are read, of those that have the right form."""
        sql = self.of.interactions.where
        return pl.lit(True) if sql is None else expressions.parsed(sql).fill_null(False)

    def _ids(self) -> Iterator[tuple[str, str]]:
        """Yield the columns of ids: what a data set calls them, and what the files do."""
        yield "user", self.of.user.column
        yield "item", self.of.item.column
        if (device := self.of.device or self.of.session) is not None:
            yield "device", device.column
        yield from ((name, name) for name in self.of.context)

    def _time(self) -> pl.Expr:
        time = self.of.time
        return pl.lit(0, pl.Int64) if time is None else times.value_of(time, self.kinds[time.column])

    def labels(self) -> dict[str, pl.Expr]:
        """Return the labels as float64."""
        if not self.of.labels:
            return {CLICK: pl.lit(1.0)}
        return {name: expressions.parsed(sql).cast(pl.Float64) for name, sql in self.of.labels.items()}

    def values(self) -> Iterator[Check]:
        """Yield what has to hold of the columns of `columns` in a row that is read."""
        for name, column in self._ids():
            kind = "an integer" if self.kinds[column] == "integer" else "text"
            value = pl.col(column)
            if kind == "an integer":
                cure = (
                    f"{MEND}, or say interactions.types: {{{column:.60}: text}}, for which empty is a value of its own"
                )
                yield Check(value.is_not_null(), (column,), _always(f"{kind}; {MEND if name in 'user item' else cure}"))
            elif name in ("user", "item"):
                yield Check(value.is_not_null() & (value != ""), (column,), _always(f"{kind}; {MEND}"))
        if (time := self.of.time) is not None:
            yield Check(times.plausible(self._time(), time.unit), (time.column,),
                        lambda found: times.expected(time, found))  # fmt: skip
        for name, value in self.labels().items():
            yield from self._label(name, value)

    def _label(self, name: str, value: pl.Expr) -> Iterator[Check]:
        sql = self.of.labels.get(name)
        if sql is None:
            return
        said = "0 or 1" if expressions.is_column(sql) else "true or false"
        holds = value.is_in([0.0, 1.0])
        columns = tuple(expressions.columns_of(sql))
        yield Check(holds, columns, _always(f"{said}; {MEND}"), f"labels.{name}")
        if self.of.negatives is not None:
            cure = "leave rows out with interactions.where, or remove negatives, which are for logs of clicks alone"
            yield Check(value == 1, columns, _always(f"{said.split()[0].replace('0', '1')} in every row, since the "
                        f"declaration has negatives; {cure}"), f"labels.{name}")  # fmt: skip

    def read(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the columns of a data set's interactions; ``user`` is null in a row that cannot be read."""
        form = pl.all_horizontal(check.holds.fill_null(False) for check in self.forms())
        frame = frame.with_columns(*self.columns(), form.alias(FORM))
        if self.of.interactions.where is not None:
            frame = frame.filter(self.where() | ~pl.col(FORM))
        holds = pl.all_horizontal(pl.col(FORM), *(check.holds.fill_null(False) for check in self.values()))
        ids = {name: pl.col(column) for name, column in self._ids()}
        for name, column in self._ids():
            if self.kinds[column] != "integer":
                ids[name] = ids[name].fill_null("")
        ids["user"] = pl.when(holds).then(ids["user"])
        ids.setdefault("device", pl.lit(0, pl.Int64))
        labels = {name: value.cast(pl.Int64, strict=False) for name, value in self.labels().items()}
        return frame.select(**{**ids, "time": self._time(), **labels})


def found_kind(dtype: pl.DataType) -> str:
    """Return what a column of a result is, in words."""
    return "text" if isinstance(dtype, pl.String) else str(dtype)


def probe(declaration: Declaration, head: pl.DataFrame, found: kinds.Kinds, name: str) -> None:
    """Evaluate every expression on the first rows of a file, so that one that cannot be is refused before any work."""
    rows = Rows(declaration, dict(head.schema), found, filled=True)
    frame = head.with_columns(*rows.columns())
    for key, sql in kinds.of_expressions(declaration).items():
        where = f"the declaration of {name}: {key}: {shown(sql)}"
        try:
            dtype = frame.select(expressions.parsed(sql)).to_series().dtype
        except pl.exceptions.PolarsError as error:
            said = ", ".join(f"{column} as {found[column]}" for column in expressions.columns_of(sql))
            raise UserError(f"{where} cannot be evaluated ({expressions.short(error)}), with {said:.200}; mend it, or "
                            "say interactions.types") from None  # fmt: skip
        is_condition = isinstance(dtype, pl.Boolean)
        if not is_condition and not (dtype.is_numeric() and key != "interactions.where"):
            raise UserError(f"{where} is {found_kind(dtype)}, expected true or false"
                            f"{', or 0 or 1' * key.startswith('labels')}; write a comparison")  # fmt: skip
