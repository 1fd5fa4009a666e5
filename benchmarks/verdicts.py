"""What a case of the campaign ended in: a refusal, the undisturbed result, or something that is wrong."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import scenes
from scenes import Ran, Scene

GOOD = ("refused", "same", "warned", "other data")
FAILURES = ("WRONG", "TRACEBACK", "OTHER STATUS", "HALF-WRITTEN", "LEFT OVER", "UNNAMED")  # the worst first
ARRAYS = ("predictions", "auc_replicates", "test_rows", "test_places", "hidden")
APART = re.compile(r".*seconds|run|files|checksum|label_rates|warnings")  # what two equal results may differ in
ERROR = re.compile(r"(?:error|\S+\.py: error): ")
LONGEST_LINE = 1500


class Verdict(NamedTuple):
    """A verdict, and what it is founded on."""

    name: str
    why: str = ""


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of some verdicts; of good ones the last."""
    failed = [one for one in verdicts if one.name in FAILURES]
    return min(failed, key=lambda one: FAILURES.index(one.name), default=verdicts[-1])


# ---- results


def _without_what_may_differ(content: dict) -> dict:
    return {key: value for key, value in content.items() if not APART.fullmatch(key)}


def _lines_of(saved: Path, runs: Sequence[str]) -> list[dict]:
    """Return the lines that results.csv has of some runs."""
    with open(saved / "results.csv", newline="") as stream:
        lines = {line["run"]: _without_what_may_differ(line) for line in csv.DictReader(stream)}
    return [lines.get(run, {}) for run in runs]


def grid_lines(saved: Path) -> dict[str, dict]:
    """Return the lines that the runs of the grid have in results.csv, by run."""
    with open(saved / "results.csv", newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["epochs"] == "10"]
    return {line["run"]: _without_what_may_differ(line) for line in lines}


def of_run(saved: Path, run: str, *, arrays: bool) -> dict[str, object]:
    """Return what a finished run found: its figures, its lines in results.csv, and what its files hold.

    With `arrays` off only what mlp.py prints and results.csv: what is read of a run that was finished before.
    """
    metrics = json.loads((saved / run / "metrics.json").read_bytes())
    found: dict[str, object] = {"results.csv": _lines_of(saved, [run, *metrics["label_rates"].values()])}
    if arrays:
        history = json.loads((saved / run / "history.json").read_bytes())
        found |= {"metrics": _without_what_may_differ(metrics), "history": list(map(_without_what_may_differ, history))}
        found |= {name: hashlib.sha256((saved / run / f"{name}.npy").read_bytes()).hexdigest() for name in ARRAYS}
    return found


def answer(folder: Path, ran: Ran, *, arrays: bool = True, with_run: bool = True) -> dict[str, object]:
    """Return the result of a command that ended with status 0, without what two equal results may differ in.

    Parameters
    ----------
    folder : Path
        Of the scene.
    ran : Ran
    arrays : bool
        See `of_run`.
    with_run : bool
        Whether the id of the run is part of it; raw files that were written again have other times, and runs other ids.
    """
    if ran.script == "viewer":
        return drawn(folder)
    if ran.script != "mlp":
        return {}
    line, _, run = scenes.last_line(ran).rpartition(" run=")
    try:
        found = of_run(folder / "saved", run, arrays=arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = {"files of the run": repr(error)}
    return {"line": line, **found, **({"run": run} if with_run else {})}


def drawn(folder: Path) -> dict[str, object]:
    """Return the report and the ROC curves, without the folder's own name."""
    saved = folder / "saved"
    texts = {name: (saved / name).read_text() for name in ("report.html", f"figures/{scenes.DRAWN}.svg", "results.csv")}
    return {name: text.replace(str(folder), "FOLDER") for name, text in texts.items()}


def of_reference(scene: Scene, ran: Ran, *, arrays: bool, with_run: bool) -> dict[str, object]:
    """Return what `answer` should have returned."""
    return answer(scene.reference, ran._replace(out=scene.expected_line), arrays=arrays, with_run=with_run)


# ---- verdicts


def refusals(ran: Ran) -> list[str]:
    """Return the lines by which a script says that it refuses."""
    return [line for line in ran.err.splitlines() if ERROR.match(line)]


def of_refusal(ran: Ran, names: Sequence[str]) -> Verdict:
    """Judge exit status 2: it is good with exactly one line that names what is damaged."""
    lines = refusals(ran)
    if len(lines) != 1 or not ran.err.rstrip().endswith(lines[0]) or len(lines[0]) > LONGEST_LINE:
        return Verdict("UNNAMED", f"{ran.script}: expected one line at the end, not too long: {ran.err[-300:]!r}")
    if not any(name in lines[0] for name in names):
        return Verdict("UNNAMED", f"expected one of {', '.join(names)} in: {lines[0]:.300}")
    return Verdict("refused", lines[0])


def of_end(ran: Ran, names: Sequence[str]) -> Verdict | None:
    """Judge how a script ended, None where it ended well and its result is what matters."""
    if "Traceback (most recent call last)" in ran.err or "panicked at" in ran.err:
        return Verdict("TRACEBACK", f"{ran.script}: {ran.err.strip()[-300:]!r}")
    if ran.status == 2:
        return of_refusal(ran, names)
    return Verdict("OTHER STATUS", f"{ran.script}: {ran.status}, {ran.err[-300:]!r}") if ran.status else None


def of_result(found: dict, expected: dict, ran: Sequence[Ran], names: Sequence[str], allowed: Sequence[str]) -> Verdict:
    """Judge a result by the one that the undisturbed pipeline gave."""
    other = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    if not other:
        return Verdict("same")
    said = [line for one in ran for line in one.err.splitlines() if line.startswith("warning: ")]
    named = [line for line in said if any(name in line for name in names)]
    if named and "warned" in allowed:
        return Verdict("warned", named[0])
    what = f"{ran[-1].script} ended with status 0 and another {', '.join(other)}: {scenes.last_line(ran[-1])}"
    return Verdict("other data" if "other data" in allowed else "WRONG", what)


def of_files(folder: Path) -> Verdict | None:
    """Judge what is left in a folder once no script is at work there."""
    left = [file.relative_to(folder) for file in folder.rglob("*.part")]
    return Verdict("HALF-WRITTEN", f"left over: {', '.join(map(str, left))}") if left else None


def of_commands(
    scene: Scene, ran: Sequence[Ran], names: Sequence[str], allowed: Sequence[str] = (), *,
    arrays: bool = True, with_run: bool = True, expected: Callable[..., dict] = of_reference,
) -> Verdict:  # fmt: skip
    """Judge some commands, the last of which gives a result or refuses."""
    last = ran[-1]
    found = of_end(last, names)
    if found is None:
        wanted = expected(scene, last, arrays=arrays, with_run=with_run)
        found = of_result(answer(scene.folder, last, arrays=arrays, with_run=with_run), wanted, ran, names, allowed)
    return worst([verdict for verdict in (found, of_files(scene.folder)) if verdict is not None])
