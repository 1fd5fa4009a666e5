"""Step 3: what each user clicked minus what the user passed by, for each task and modality.

Reads   bipartite_graph/, multi_modal/
Writes  user_all_embeddings/: for each task and modality a (users, user_embedding_length + 1) float32 matrix, whose
        last column is the device; protocol, user_reduction and user_embedding_length of path.json are in its name
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from load_path import load_path
from mma4ctr import cli
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import DATASETS, TASKS
from mma4ctr.features import user_embedding
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SCRIPT = Path(__file__).name


def write(settings: Settings, task: str, protocol: str, modalities: Sequence[str]) -> tuple[list[Path], dict]:
    """Build the user embeddings of one task; return the files and the counts."""
    dataset, length = TASKS[task].dataset, settings.user_embedding_length
    users = artifacts.load(settings, "users", dataset=dataset)
    item_ids = artifacts.load(settings, "items", dataset=dataset)
    task_rows = artifacts.load(settings, "rows", task=task, protocol=protocol)
    task_rows = task_rows[PROTOCOLS[protocol].embedding_rows(task_rows[:, 0])]
    files, counts = [], {"users": len(users), "rows used": len(task_rows)}
    for modality in cli.track(modalities):
        ids = artifacts.load(settings, "modality_items", dataset=dataset, modality=modality)
        matrix = artifacts.load(settings, "modality", dataset=dataset, modality=modality)
        places = places_in(ids, item_ids)
        difference = user_embedding.clicked_minus_unclicked(task_rows, places, matrix, len(users))
        embedding = user_embedding.finish(difference, users[:, 1], settings.user_reduction, length)
        keys = {"task": task, "protocol": protocol, "reduction": settings.user_reduction, "length": length}
        files.append(artifacts.save(settings, "user_embedding", embedding, modality=modality, **keys))
        counts[modality] = {"reduced from": matrix.shape[1], "columns": embedding.shape[1]}
    return files, counts


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 3 for the tasks of the chosen data sets."""
    parser = cli.step_parser(__doc__, DATASETS)
    cli.add_protocol_argument(parser, PROTOCOLS)
    args = parser.parse_args(argv)
    settings = load_path(args.paths)
    protocol = args.protocol or settings.protocol
    if settings.user_embedding_length == 0:
        print(f"{SCRIPT}: user_embedding_length is 0, so that mlp.py takes the bare user id; nothing to build")
        return
    for dataset in args.dataset:
        ancestors = [
            records.require(settings, step, dataset) for step in ("preprocess_inter.py", "preprocess_multimodal.py")
        ]
        modalities = records.modalities_of(ancestors[1])
        for task in (name for name, row in TASKS.items() if row.dataset == dataset):
            build = records.Build(
                settings, SCRIPT, dataset, records.embedding_variant(settings, task, protocol), built_on=ancestors
            )
            records.rebuild(
                build, lambda task=task, modalities=modalities: write(settings, task, protocol, modalities),
                force=args.force,
            )  # fmt: skip


if __name__ == "__main__":
    main()
