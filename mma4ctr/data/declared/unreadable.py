"""Say what is wrong with a file of a declared log that Polars does not read."""

from __future__ import annotations

import csv
from pathlib import Path

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.declared import expressions, log_files
from mma4ctr.data.declared.schema import Interactions


def error_of(file: Path, table: Interactions, error: Exception) -> UserError:
    """Return the error of a file that Polars does not read: its first odd line, or what Polars says."""
    if log_files.is_text(file, table):
        if not log_files.is_packed(file):
            raw_files.check_line_lengths(file)
        try:
            number, problem = _odd_line(file, table)
        except log_files.TORN:
            return log_files.torn(file)
        if problem:
            return UserError(f"{file}:{number}: {problem}")
    wanted = log_files.format_of(file, table)
    return UserError(f"{file}: cannot be read ({expressions.short(error)}), expected {wanted}; "
                     "correct the format in the declaration, or download it again")  # fmt: skip


def _odd_line(file: Path, table: Interactions) -> tuple[int, str | None]:
    """Return the number of the first line that is no UTF-8 or has a quote that none answers, and what is wrong."""
    number = 0
    with log_files.opened(file) as stream:
        for number, line in enumerate(stream, start=1):
            if problem := raw_files.problem_of_text(line):
                return number, f"{problem}; write the file anew in UTF-8, or mend the line"
    if not log_files.is_quoted(file, table):
        return number, None
    with log_files.opened(file) as stream:
        reader = csv.reader(stream, delimiter=log_files.separator_of(file, table), strict=True)
        number = 1
        try:
            for fields in reader:
                if any('"' in field and not field.startswith('"') for field in fields):
                    return number, "found a quote inside a field without quotes; put the field in quotes, or remove it"
                number = reader.line_num + 1
        except csv.Error as error:
            return number, f"a field in quotes is not as it should be ({error}); mend or remove the line"
    return number, None
