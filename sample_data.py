"""Step 0: write sample raw logs of both challenges, with every irregularity of the real ones, or of public data sets.

reads   nothing
writes  OUT/path.json, a paths file of the sample's own: give it to every later step as --paths OUT/path.json
        OUT/dataset/wechat/{user_action,feed_info,feed_embeddings}.csv
        OUT/dataset/TikTok2019ICME/track1/: final_track1_train.txt, video features in 11 parts, audio in 4, titles
        OUT/sample.json, which marks the folder as a sample; among files without it nothing is written

scales  tiny   a few hundred items, for the tests             demo   a run of the pipeline in minutes
        full   the published sizes and statistics             tenth, hundredth  a tenth, a hundredth of the sizes
public  small logs in the formats of the data sets that datasets/ declares, in OUT/dataset/NAME/: one size, with taste
signal  taste  clicks follow each user's rate, the content and the user's taste for it, in every modality
        none   clicks are independent of everything, users have about 60 rows (one size, for tiny and demo)

The same scale, signal and seed give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mma4ctr import cli
from mma4ctr.arguments import seed
from mma4ctr.sampling import files, marker
from mma4ctr.sampling.scales import OF_CHALLENGES, SCALES, SIGNALS, SIZES
from mma4ctr.settings import DEFAULT_FILE, RAW_FOLDER

if TYPE_CHECKING:  # what reads and writes logs is imported late: nobody who asks for --help waits for it
    from mma4ctr.data.contract import DataSet
    from mma4ctr.sampling.sample import Sample
    from mma4ctr.sampling.split_counts import Counts

PUBLIC = "public"  # the scale of the samples of public data sets, as their marker has it
ALL = "all"


def data_sets() -> dict[str, DataSet]:
    """Return the data sets that have a sample of both challenges, by name."""
    from mma4ctr.data.registry import DATASETS

    return {name: row for name, row in DATASETS.items() if row.sample is not None}


def samples() -> dict[str, Sample]:
    """Return how the sample of each is written."""
    return {name: row.sample for name, row in data_sets().items() if row.sample is not None}


def public_names() -> list[str]:
    """Return the public data sets that have a sample: those whose declaration is shipped."""
    return sorted(file.stem for file in (DEFAULT_FILE.parent / "datasets").glob("*.yaml"))


def write_json(folder: Path, content: dict[str, object]) -> None:
    """Write the sample's path.json."""
    with files.whole_file(folder / "path.json") as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def write_paths_file(folder: Path, size: tuple[str, str]) -> None:
    """Write the path.json of a sample of both challenges: its own folders and the `min_interactions` of its scale."""
    content = {
        "parent_folder": ".",
        **{RAW_FOLDER.format(name): data_sets()[name].folder for name in samples()},
        "min_interactions": {name: sample.scales[size].min_interactions for name, sample in samples().items()},
        "seed": 0,
    }
    write_json(folder, content)


def closing_lines(name: str, minimum: int, counts: Counts, about: list[str]) -> list[str]:
    """Return what a data set's writing ends with: sizes, click rates, and the positives left to test on."""
    lines = [f"{counts.rows:,} rows", *about]
    lines.append(
        f"kept with min_interactions {minimum:,}: {counts.kept_users:,} users, {counts.kept_rows:,} rows, "
        f"{counts.fused_rows:,} of them with all three modalities"
    )
    tasks = data_sets()[name].tasks
    parts = zip(tasks, counts.positives, counts.validation_positives, counts.test_positives, strict=True)
    for task, positives, validation, test in parts:
        lines.append(
            f"{task.name}: {positives:,} positives, rate {positives / counts.rows:.5f}, "
            f"{counts.rows / max(positives, 1) - 1:.3f} negatives for each; with all three modalities "
            f"{validation:,} positives in validation, {test:,} in test"
        )
    return lines


def complete(folder: Path, name: str, found: marker.Marker) -> bool:
    """Tell whether a data set of the sample is written and all its files are there."""
    paths = (folder / data_sets()[name].folder / file for file in samples()[name].files)
    return name in found.complete and all(path.is_file() for path in paths)


def write_sample(folder: Path, names: Sequence[str], settings: marker.Settings, force: bool) -> None:
    """Write the data sets `names` where they are not complete, and print each one's closing lines."""
    require_kind(folder, is_public=False)
    found = marker.prepare(folder, settings, force)
    size = (settings.scale, settings.signal)
    # Files of a sample with other settings must not be left beside new ones.
    for name in set(samples()) - set(found.complete):
        for file in samples()[name].files:
            (folder / data_sets()[name].folder / file).unlink(missing_ok=True)
    for name in names:
        if complete(folder, name, found) and not force:
            print(f"{name}: up to date in {folder / data_sets()[name].folder}")
        else:
            sample = samples()[name]
            found.complete.pop(name, None)
            found.save(folder)
            write_paths_file(folder, size)
            with cli.progress() as progress:
                counts, about = sample.write(
                    folder / data_sets()[name].folder, sample.scales[size], settings.seed, progress
                )
            found.complete[name] = closing_lines(name, sample.scales[size].min_interactions, counts, about)
            found.save(folder)
            print(f"{name}: written to {folder / data_sets()[name].folder}")
        print("\n".join(f"  {line}" for line in found.complete[name]))
    print(f"paths file: {folder / 'path.json'}")


def require_kind(folder: Path, is_public: bool) -> marker.Marker | None:
    """Return the marker of a folder; raise `UserError` where it is of the other kind of sample."""
    found = marker.load(folder)
    if found is not None and (found.settings.scale == PUBLIC) != is_public:
        raise cli.UserError(f"{folder / marker.NAME}: holds a sample of {found.settings}, expected one of "
                            f"{'--public' if is_public else '--scale'}; choose another --out")  # fmt: skip
    return found


def write_public(folder: Path, names: Sequence[str], seed: int, force: bool) -> None:
    """Write small logs of public data sets, and print what to do with them.

    Parameters
    ----------
    folder : Path
        The logs of each go to ``dataset/NAME`` below it, where the declarations look for them.
    names : sequence of str
        Among those of `public_names`.
    seed : int
    force : bool
        Write again what is complete, and what is there from another seed.
    """
    from mma4ctr.data.registry import load_settings, tasks_of
    from mma4ctr.sampling import public

    before = require_kind(folder, is_public=True)
    found = marker.prepare(folder, marker.Settings(PUBLIC, "taste", seed), force)
    left = before.complete if before is not None and before.settings != found.settings else {}
    for name in dict.fromkeys([*names, *left]):
        place = folder / "dataset" / name
        if name in found.complete and all((place / file).is_file() for file in found.complete[name]) and not force:
            print(f"{name}: up to date in {place}")
            continue
        found.complete.pop(name, None)
        found.save(folder)
        write_json(folder, {"parent_folder": ".", "seed": 0})
        public.write(name, place, seed)
        found.complete[name] = sorted(file.name for file in place.iterdir())
        found.save(folder)
        print(f"{name}: written to {place}")
    file = folder / "path.json"
    tasks = ", ".join(tasks_of(load_settings(file), names))
    print(f"paths file: {file}")
    print(f"next: python preprocess_inter.py --paths {file}, likewise preprocess_multimodal.py, get_user_embedding.py, "
          f"cross_matrix.py and gen_matrix.py; then mlp.py with --dataset, of these tasks: {tasks}")  # fmt: skip


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Write a sample."""
    parser = cli.parser(__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scale", choices=SCALES)
    what.add_argument("--public", nargs="+", choices=(*public_names(), ALL), metavar="NAME",
                      help=f"public data sets: {', '.join(public_names())}, or {ALL}")  # fmt: skip
    parser.add_argument("--dataset", nargs="+", choices=OF_CHALLENGES, help="with --scale (default: both)")
    parser.add_argument(
        "--out", type=Path, help="folder of the sample (default: sample/ and SCALE, SCALE_none or public)"
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--signal", choices=SIGNALS, default="taste")
    parser.add_argument("--force", action="store_true", help="write again what is complete or has other settings")
    arguments = parser.parse_args(argv)
    if arguments.public:
        if arguments.dataset or arguments.signal != "taste":
            raise cli.UserError(
                "--public stands beside --dataset or --signal none, which go with --scale; leave it out"
            )
        names = public_names() if ALL in arguments.public else arguments.public
        return write_public(arguments.out or Path("sample") / PUBLIC, names, arguments.seed, arguments.force)
    size = (arguments.scale, arguments.signal)
    if size not in SIZES:
        scales = " or ".join(scale for scale, signal in SIZES if signal == arguments.signal)
        raise cli.UserError(f"--scale {arguments.scale} has no --signal {arguments.signal}; use --scale {scales}")
    default = Path("sample") / (arguments.scale if arguments.signal == "taste" else "_".join(size))
    settings = marker.Settings(arguments.scale, arguments.signal, arguments.seed)
    write_sample(arguments.out or default, arguments.dataset or OF_CHALLENGES, settings, arguments.force)


if __name__ == "__main__":
    main()
