"""What the tiny sample gives, in digests: `make golden` writes them anew after a version was raised.

Whole numbers and text are known by their bytes, floats by a few sums, which survive another processor or library: they
are compared within a tolerance.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import any_model
import sample_data
from mma4ctr.models import registry
from mma4ctr.models.layers import initialise
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import fit, folder
from mma4ctr.runs.run import native
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import records
from mma4ctr.store.records import Record
from samples import own_runs, paths_file, run_steps

FILE = Path(__file__).with_suffix(".json")
SCHEDULE = Schedule(epochs=2, batch_size=1024, loss="bce", interruption=False)
RELATIVE, ABSOLUTE = 2e-3, 2e-4
Output = dict[str, object]  # digest, and the versions of the code that made it


def sums_of(array: np.ndarray) -> list[float]:
    """Return what an array of floats is known by."""
    weights = np.random.default_rng(0).normal(size=array.shape)
    sums = (array.mean(), np.abs(array).mean(), array.std(), (array * weights).mean())
    return [*map(float, array.shape), *(float(number) for number in sums)]


def digest_of(file: Path) -> str | list[float]:
    """Return what a file is known by."""
    if file.suffix == ".npy":
        array = np.load(file)
        if array.dtype.kind == "f":
            return sums_of(array)
    return hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()


def alike(one: object, other: object) -> bool:
    """Tell whether two digests are of the same output."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) for a, b in zip(one, other, strict=True))
    return one == other


def versions_behind(settings: Settings, record: Record) -> dict[str, int]:
    """Return the versions that a record depends on, those of the records that it built on included."""
    found = dict(record.versions)
    for one in record.built_on:
        found |= versions_behind(settings, records.read(settings, one["script"], one["dataset"], one["keys"]))
    return found


def outputs_of(settings: Settings, runs_folder: Path) -> dict[str, Output]:
    """Return every output of steps 1 to 5 on the tiny sample, MMa4CTR's predictions on it, and scores of all models."""
    found: dict[str, Output] = {}
    for file in sorted(settings.parent_folder.rglob("records/*.json")):
        content = json.loads(file.read_text())
        del content["checksum"]
        record = Record(**content)
        versions = versions_behind(settings, record)
        for output in record.outputs:
            made = file.parent.parent / output
            name = str(made.relative_to(settings.parent_folder))
            found[name] = {"digest": digest_of(made), "versions": versions}
    own = own_runs(settings, runs_folder)
    for protocol in PROTOCOLS:
        run = native(own, "wechat", "vat_concat", protocol, SCHEDULE, "cpu")
        fit.finish_in_silence(run)
        place = folder.folder_of(own, run.id)
        found[f"predictions of {registry.DEFAULT}, {protocol}"] = {
            "digest": digest_of(place / "predictions.npy"), "versions": run.code,
        }  # fmt: skip
    return found | {f"scores of {name}": scores_of_model(name) for name in registry.names()}


def scores_of_model(name: str) -> Output:
    """Return what a model says of the rows of a small problem as it starts: the least that threads can change."""
    inputs, _ = any_model.problem_for(name)
    model = any_model.new(name, inputs)
    initialise(model, 0, 0, None)
    scores = any_model.scores_of(model, inputs)
    return {"digest": sums_of(scores), "versions": {name: registry.load(name).version}}


def unexplained(golden: Mapping[str, Output], now: Mapping[str, Output]) -> list[str]:
    """Return the outputs that are others than the golden ones although no version of what makes them was raised."""
    return [name for name in golden if name in now and not alike(golden[name]["digest"], now[name]["digest"])
            and golden[name]["versions"] == now[name]["versions"]]  # fmt: skip


def stale(golden: Mapping[str, Output], now: Mapping[str, Output]) -> list[str]:
    """Return the outputs that are new, gone, or made by other versions than when the digests were written."""
    return [name for name in sorted({*golden, *now})
            if name not in golden or name not in now or golden[name]["versions"] != now[name]["versions"]]  # fmt: skip


def main() -> None:
    """Write the digests anew; refuse what changed without a raised version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="also where no version was raised: for a changed library")
    force = parser.parse_args().force
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "raw"
        sample_data.main(["--scale", "tiny", "--out", str(raw)])
        (Path(name) / "built").mkdir()
        now = outputs_of(run_steps(paths_file(Path(name) / "built", raw)), Path(name))
    wrong = unexplained(json.loads(FILE.read_text()) if FILE.exists() else {}, now)
    if wrong and not force:
        raise SystemExit(f"{', '.join(wrong)}: changed although no version was raised; see CONTRIBUTING.md")
    FILE.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
