"""What the cases of the campaign are played on: a sample after an undisturbed pipeline, and copies of parts of it.

Scripts are run in this process (their ``main([...])``), which is many times as fast as a process for each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import measure

sys.path.insert(0, str(measure.ROOT))

STEPS = ("preprocess_inter", "preprocess_multimodal", "get_user_embedding", "cross_matrix", "gen_matrix")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # more change last bits
SHORT = ("--epochs", "2", "--batch_size", "512", "--device", "cpu")
LONG = ("--epochs", "30", "--batch_size", "256", "--device", "cpu")  # so long that a signal finds it at work
GRID = (
    *("--experiment", "performance", "single_modal", "--longest", "10", "--protocol", "published"),
    *("--reduction", "pca", "--jobs", "2"),
)

ARTEFACTS = ("bipartite_graph", "multi_modal", "user_all_embeddings", "matrix")
FOLDERS = {  # what is there when a case begins
    "raw": ("dataset",),
    "built": ("dataset", *ARTEFACTS),
    "interrupted": ("dataset", *ARTEFACTS, "torch_model"),  # runs have checkpoints and nothing else
    "finished": ("dataset", *ARTEFACTS, "torch_model", "saved"),
}
RAW = {"wechat": Path("dataset/wechat"), "tiktok": Path("dataset/TikTok2019ICME/track1")}
DRAWN = "published_pca/wechat_10"  # the ROC curves of the runs of the grid, in saved/figures


class Question(NamedTuple):
    """What a run of mlp.py is asked."""

    task: str
    feature: str
    protocol: str
    options: Sequence[str] = SHORT

    @property
    def dataset(self) -> str:
        """The data set of the task."""
        return self.task.partition("_")[0]


# One of every fusion, with both data sets and both protocols; in the last one signals find training at work.
QUESTIONS = (
    Question("wechat", "vat_concat", "published"), Question("wechat", "vat_concat", "clean"),
    Question("wechat", "visual", "clean"), Question("wechat", "va_cross", "published"),
    Question("tiktok_finish", "vat_concat", "clean"), Question("tiktok_like", "at_cross", "published"),
    Question("tiktok_finish", "textual", "published"), Question("wechat", "vat_concat", "clean", LONG),
)  # fmt: skip
SHORT_QUESTIONS = tuple(question for question in QUESTIONS if question.options == SHORT)


class Ran(NamedTuple):
    """A script that has run."""

    script: str
    words: Sequence[str]
    status: int
    out: str
    err: str


@contextlib.contextmanager
def caught_output() -> Iterator[list[str]]:
    """Catch what this process prints, libraries in C and Rust included; yield a list that holds it afterwards."""
    caught: list[str] = []
    kept = [os.dup(number) for number in (1, 2)]
    with contextlib.ExitStack() as files:
        new = [files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")) for _ in kept]
        with contextlib.redirect_stdout(new[0]), contextlib.redirect_stderr(new[1]):
            try:
                for number, file in enumerate(new, start=1):
                    os.dup2(file.fileno(), number)
                yield caught
            finally:
                for number, (file, old) in enumerate(zip(new, kept, strict=True), start=1):
                    file.flush()
                    os.dup2(old, number)
                    os.close(old)
                    file.seek(0)
                    caught.append(file.read())


@contextlib.contextmanager
def own_process(script: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Give a script what it would have in a process of its own: its name, an environment, all warnings."""
    argv, kept = sys.argv, dict(os.environ)
    sys.argv = [f"{script}.py"]
    os.environ.update(environment)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # UMAP raises their number
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")  # by default a warning is printed once in a process
            yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(kept)


def run(script: str, words: Sequence[str], environment: Mapping[str, str] | None = None) -> Ran:
    """Run a script in this process, and return the exit status that its own process would have had."""
    status: object = 0
    with caught_output() as caught, own_process(script, environment or {}):
        try:
            importlib.import_module(script).main(list(words))
        except SystemExit as stop:
            status = stop.code or 0
        except BaseException:  # panics of Polars are no Exception
            traceback.print_exc()
            status = 1
    return Ran(script, words, status if isinstance(status, int) else 1, *caught)


def asked(file: Path, question: Question) -> tuple[str, list[str]]:
    """Return the command of mlp.py for a question: the script and its words."""
    words = ["--dataset", question.task, "--feature", question.feature, "--protocol", question.protocol]
    return "mlp", ["--paths", str(file), *words, *question.options]


def step_of(file: Path, step: str, question: Question, *words: str) -> tuple[str, list[str]]:
    """Return the command of a step for the data set (and the protocol) of a question."""
    protocol = ["--protocol", question.protocol] if step == "get_user_embedding" else []
    return step, ["--paths", str(file), "--dataset", question.dataset, *protocol, *words]


def everything(file: Path, question: Question) -> list[tuple[str, list[str]]]:
    """Return the commands of steps 1 to 6 for a question."""
    return [*(step_of(file, step, question) for step in STEPS), asked(file, question)]


def run_all(commands: Sequence[tuple[str, Sequence[str]]]) -> list[Ran]:
    """Run scripts one after another, up to the first that fails."""
    ran: list[Ran] = []
    for script, words in commands:
        ran.append(run(script, words))
        if ran[-1].status:
            break
    return ran


def run_in_peace(commands: Sequence[tuple[str, Sequence[str]]]) -> list[Ran]:
    """Run scripts that must not fail."""
    ran = run_all(commands)
    if ran[-1].status:
        raise SystemExit(f"{ran[-1].script} {' '.join(ran[-1].words)} failed without any damage:\n{ran[-1].err}")
    return ran


def prepare(reference: Path, questions: Sequence[Question], *, report: bool) -> None:
    """Write the tiny sample and run the pipeline on it undisturbed; keep the line that answers each question.

    Parameters
    ----------
    reference : Path
        The folder of the sample.
    questions : sequence of Question
    report : bool
        Whether the grid and the report are made, too.
    """
    file, pooled = reference / "path.json", reference / "pooled.json"
    run_in_peace([("sample_data", ["--scale", "tiny", "--out", str(reference)])])
    (reference / RAW["wechat"] / "feed_embeddings.csv").unlink()  # no step reads it
    settings = json.loads(file.read_text())
    changed = {"min_interactions": {"wechat": 60, "tiktok": 60}, "click_threshold": 0.6}
    (reference / "changed.json").write_text(json.dumps({**settings, **changed}))
    pooled.write_text(json.dumps({**settings, "user_reduction": "average_pooling"}))
    for paths, protocol in ((file, "published"), (file, "clean"), (pooled, "clean")):
        to = ["--paths", str(paths)]
        run_in_peace([(step, [*to, *(["--protocol", protocol] if "user" in step else [])]) for step in STEPS])
    lines = {str(number): last_line(run_in_peace([asked(file, question)])[-1])
             for number, question in enumerate(questions)}  # fmt: skip
    (reference / "lines.json").write_text(json.dumps(lines))
    if report:
        for script, *words in (("adjust_hyperparameter", *GRID), ("statis_and_draw",), ("viewer",)):
            command = measure.ROOT / f"{script}.py", "--paths", str(file), "--dataset", "wechat", *words
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)


def last_line(ran: Ran) -> str:
    """Return the last line that a script printed on stdout."""
    return ran.out.rstrip().rpartition("\n")[2]


@dataclasses.dataclass(frozen=True)
class Scene:
    """A copy of what is there when a case begins, which the case may damage.

    Attributes
    ----------
    reference : Path
        The folder of the undisturbed sample.
    folder : Path
        Its own.
    question : Question
        What is asked of it.
    chance : random.Random
    """

    reference: Path
    folder: Path
    question: Question
    chance: random.Random

    @property
    def file(self) -> Path:
        """Its path.json."""
        return self.folder / "path.json"

    @property
    def raw(self) -> Path:
        """The folder of the raw files of its data set."""
        return self.folder / RAW[self.question.dataset]

    @property
    def run(self) -> str:
        """The id of the run that answers its question undisturbed."""
        return self.expected_line.rpartition("run=")[2]

    @property
    def expected_line(self) -> str:
        """The last line of mlp.py for its question, undisturbed."""
        return json.loads((self.reference / "lines.json").read_text())[str(QUESTIONS.index(self.question))]

    def artefacts(self, pattern: str = "*") -> list[Path]:
        """Return the artefacts of its data set that fit a pattern, without those for RecBole."""
        named = f"{self.question.dataset}{pattern}"
        found = (file for folder in ARTEFACTS for file in (self.folder / folder).glob(named))
        return sorted(file for file in found if file.is_file())

    def records(self) -> list[Path]:
        """Return the records of its data set."""
        found = (file for folder in ARTEFACTS for file in (self.folder / folder / "records").glob("*.json"))
        return sorted(file for file in found if f"_{self.question.dataset}" in file.name)


def copy(reference: Path, state: str, folder: Path) -> None:
    """Copy what there is in a state (see `FOLDERS`), with the times of its files, by which raw files are known."""
    folder.mkdir(parents=True)
    for file in reference.glob("*.json"):
        shutil.copy2(file, folder)
    for name in FOLDERS[state]:
        shutil.copytree(reference / name, folder / name, ignore=shutil.ignore_patterns("*.lock"))
