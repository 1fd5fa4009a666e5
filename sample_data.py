"""Step 0: write sample raw logs of both challenges, with every irregularity of the real ones.

reads   nothing
writes  OUT/path.json, a paths file of the sample's own: give it to every later step as --paths OUT/path.json
        OUT/dataset/wechat/{user_action,feed_info,feed_embeddings}.csv
        OUT/dataset/TikTok2019ICME/track1/: final_track1_train.txt, video features in 11 parts, audio in 4, titles
        OUT/sample.json, which marks the folder as a sample; among files without it nothing is written

scales  tiny   a few hundred items, for the tests             demo   a run of the pipeline in minutes
        full   the published sizes and statistics             tenth, hundredth  a tenth, a hundredth of the sizes
signal  taste  clicks follow each user's rate, the content and the user's taste for it, in every modality
        none   clicks are independent of everything, users have about 60 rows (one size, for tiny and demo)

The same scale, signal and seed give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mma4ctr import cli
from mma4ctr.arguments import seed
from mma4ctr.data.registry import DATASETS
from mma4ctr.sampling import files, marker
from mma4ctr.sampling.sample import Sample
from mma4ctr.sampling.split_counts import Counts
from mma4ctr.settings import RAW_FOLDER

SAMPLES: dict[str, Sample] = {name: row.sample for name, row in DATASETS.items() if row.sample is not None}
SIZES = tuple(dict.fromkeys(size for sample in SAMPLES.values() for size in sample.scales))  # scale and signal
SCALES = tuple(dict.fromkeys(scale for scale, _ in SIZES))
SIGNALS = tuple(dict.fromkeys(signal for _, signal in SIZES))


def write_paths_file(folder: Path, size: tuple[str, str]) -> None:
    """Write the sample's path.json: its own folders and the `min_interactions` of its scale."""
    content = {
        "parent_folder": ".",
        **{RAW_FOLDER.format(name): DATASETS[name].folder for name in SAMPLES},
        "min_interactions": {name: sample.scales[size].min_interactions for name, sample in SAMPLES.items()},
        "seed": 0,
    }
    with files.whole_file(folder / "path.json") as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def closing_lines(name: str, minimum: int, counts: Counts, about: list[str]) -> list[str]:
    """Return what a data set's writing ends with: sizes, click rates, and the positives left to test on."""
    lines = [f"{counts.rows:,} rows", *about]
    lines.append(
        f"kept with min_interactions {minimum:,}: {counts.kept_users:,} users, {counts.kept_rows:,} rows, "
        f"{counts.fused_rows:,} of them with all three modalities"
    )
    parts = zip(DATASETS[name].tasks, counts.positives, counts.validation_positives, counts.test_positives, strict=True)
    for task, positives, validation, test in parts:
        lines.append(
            f"{task.name}: {positives:,} positives, rate {positives / counts.rows:.5f}, "
            f"{counts.rows / max(positives, 1) - 1:.3f} negatives for each; with all three modalities "
            f"{validation:,} positives in validation, {test:,} in test"
        )
    return lines


def complete(folder: Path, name: str, found: marker.Marker) -> bool:
    """Tell whether a data set of the sample is written and all its files are there."""
    paths = (folder / DATASETS[name].folder / file for file in SAMPLES[name].files)
    return name in found.complete and all(path.is_file() for path in paths)


def write_sample(folder: Path, names: Sequence[str], settings: marker.Settings, force: bool) -> None:
    """Write the data sets `names` where they are not complete, and print each one's closing lines."""
    found = marker.prepare(folder, settings, force)
    size = (settings.scale, settings.signal)
    # Files of a sample with other settings must not be left beside new ones.
    for name in set(SAMPLES) - set(found.complete):
        for file in SAMPLES[name].files:
            (folder / DATASETS[name].folder / file).unlink(missing_ok=True)
    for name in names:
        if complete(folder, name, found) and not force:
            print(f"{name}: up to date in {folder / DATASETS[name].folder}")
        else:
            sample = SAMPLES[name]
            found.complete.pop(name, None)
            found.save(folder)
            write_paths_file(folder, size)
            with cli.progress() as progress:
                counts, about = sample.write(
                    folder / DATASETS[name].folder, sample.scales[size], settings.seed, progress
                )
            found.complete[name] = closing_lines(name, sample.scales[size].min_interactions, counts, about)
            found.save(folder)
            print(f"{name}: written to {folder / DATASETS[name].folder}")
        print("\n".join(f"  {line}" for line in found.complete[name]))
    print(f"paths file: {folder / 'path.json'}")


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Write a sample."""
    parser = cli.parser(__doc__)
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument("--dataset", nargs="+", choices=tuple(SAMPLES), default=tuple(SAMPLES))
    parser.add_argument("--out", type=Path, help="folder of the sample (default: sample/SCALE or sample/SCALE_none)")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--signal", choices=SIGNALS, default="taste")
    parser.add_argument("--force", action="store_true", help="write again what is complete or has other settings")
    arguments = parser.parse_args(argv)
    size = (arguments.scale, arguments.signal)
    if size not in SIZES:
        scales = " or ".join(scale for scale, signal in SIZES if signal == arguments.signal)
        raise cli.UserError(f"--scale {arguments.scale} has no --signal {arguments.signal}; use --scale {scales}")
    default = Path("sample") / (arguments.scale if arguments.signal == "taste" else "_".join(size))
    settings = marker.Settings(arguments.scale, arguments.signal, arguments.seed)
    write_sample(arguments.out or default, arguments.dataset, settings, arguments.force)


if __name__ == "__main__":
    main()
