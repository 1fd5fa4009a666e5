"""The rooms of the package: imports run one way, in no circle, and never into a script."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

from samples import ROOT

PACKAGE = ROOT / "mma4ctr"
# From the ground up: a room imports from itself and from those before it. Modules without a folder are the ground.
ROOMS = (
    "ground", "published", "sampling", "store", "data", "features", "models", "inputs", "evaluation", "training",
    "runs", "use", "grid", "report",
)  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}


def room_of(module: str) -> str:
    first = module.removeprefix("mma4ctr").strip(".").partition(".")[0]
    return first if first in ROOMS else "ground"


def imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports anywhere, in functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in whole)


def test_every_folder_is_a_room_and_every_room_a_folder() -> None:
    folders = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and not folder.name.startswith("__")}
    assert folders == set(ROOMS) - {"ground"}


def test_imports_run_one_way() -> None:
    for module, file in MODULES.items():
        here = ROOMS.index(room_of(module))
        upwards = {name for name in imported(file)
                   if name in MODULES and name != "mma4ctr" and ROOMS.index(room_of(name)) > here}  # fmt: skip
        assert not upwards, f"{module} is in the room {ROOMS[here]}, below what it imports"


def test_no_module_imports_itself_by_a_detour() -> None:
    needs = {module: {name for name in imported(file) if name in MODULES and name not in (module, "mma4ctr")}
             for module, file in MODULES.items()}  # fmt: skip
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError


def test_no_script_is_imported() -> None:
    scripts = {file.stem for file in ROOT.glob("*.py")} | {"baseline", "benchmarks", "tests"}
    for module, file in MODULES.items():
        found = {name for name in imported(file) if name.partition(".")[0] in scripts}
        assert not found, f"{module} imports {found}"


def test_no_file_is_much_longer_than_a_few_screens() -> None:
    lengths = {file: len(file.read_text().splitlines())
               for file in (*FILES, *ROOT.glob("*.py"), *(ROOT / "tests").rglob("*.py"))}  # fmt: skip
    assert not {file: length for file, length in lengths.items() if length > 300}
