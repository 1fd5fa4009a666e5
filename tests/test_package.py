"""`pip install .` takes the whole package and nothing else, and what it installs works from anywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samples import ROOT

pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 is not installed; make test installs it")
DESCRIPTION = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt")
EVERY_MODULE = """
import importlib, pkgutil, mma4ctr
for module in pkgutil.walk_packages(mma4ctr.__path__, "mma4ctr."):
    print(importlib.import_module(module.name).__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the project is installed into, built from a copy: building leaves files among the sources."""
    copy, target = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("installed")
    for file in (*(ROOT / name for name in DESCRIPTION), *ROOT.glob("*.py")):
        shutil.copy(file, copy)
    for name in ("mma4ctr", "baseline"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, copy], check=True)
    return target


def files_of(folder: Path) -> set[str]:
    files = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return {file for file in files if "__pycache__" not in file}


def run(installed: Path, folder: Path, code: str) -> str:
    """Run `code` in a folder without sources; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    return done.stdout


def test_the_package_with_its_data_is_installed_and_no_script(installed: Path) -> None:
    assert {file.name.partition("-")[0] for file in installed.iterdir()} == {"mma4ctr"}
    assert files_of(installed / "mma4ctr") == files_of(ROOT / "mma4ctr")


def test_its_data_is_read_from_anywhere(installed: Path, tmp_path: Path) -> None:
    code = "from mma4ctr.published import tables; print(tables.__file__, len(tables.load()))"
    file, rows = run(installed, tmp_path, code).split()
    assert Path(file).is_relative_to(installed)
    assert int(rows) > 300


@pytest.mark.slow
def test_every_module_is_imported_from_anywhere(installed: Path, tmp_path: Path) -> None:
    found = run(installed, tmp_path, EVERY_MODULE).split()
    modules = {file for file in files_of(ROOT / "mma4ctr") if file.endswith(".py")} - {"__init__.py"}
    assert {str(Path(file).relative_to(installed / "mma4ctr")) for file in found} == modules


def test_it_says_what_it_is_and_what_it_needs(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as metadata, mma4ctr\n"
        "print(metadata.version('mma4ctr') == mma4ctr.__version__, *metadata.requires('mma4ctr'))"
    )
    version, *needed = run(installed, tmp_path, code).split()
    assert version == "True"
    names = re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert [re.match(r"[\w-]+", one)[0] for one in needed] == names
