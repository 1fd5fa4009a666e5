"""Step 3: what each user clicked minus what the user passed by, for each task and modality.

Reads   bipartite_graph/, multi_modal/
Writes  user_all_embeddings/: for each task and modality a (users, user_embedding_length + 1) float32 matrix, whose
        last column is the device; protocol, user_reduction and user_embedding_length of path.json are in its name
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from load_path import Paths, load_path
from mma4ctr import artifacts, cli, records, rows, user_embedding
from mma4ctr.tables import DATASETS, PROTOCOLS, TASKS

SCRIPT = Path(__file__).name


def write(paths: Paths, task: str, protocol: str, modalities: Sequence[str]) -> tuple[list[Path], dict]:
    """Build the user embeddings of one task; return the files and the counts."""
    dataset, length = TASKS[task].dataset, paths.user_embedding_length
    users = artifacts.load(paths, "users", dataset=dataset)
    item_ids = artifacts.load(paths, "items", dataset=dataset)
    task_rows = artifacts.load(paths, "rows", task=task, protocol=protocol)
    task_rows = task_rows[rows.embedding_rows(protocol, task_rows[:, 0])]
    files, counts = [], {"users": len(users), "rows used": len(task_rows)}
    for modality in cli.track(modalities):
        ids = artifacts.load(paths, "modality_items", dataset=dataset, modality=modality)
        matrix = artifacts.load(paths, "modality", dataset=dataset, modality=modality)
        places = rows.places_in(ids, item_ids)
        difference = user_embedding.clicked_minus_unclicked(task_rows, places, matrix, len(users))
        embedding = user_embedding.finish(difference, users[:, 1], paths.user_reduction, length)
        keys = {"task": task, "protocol": protocol, "reduction": paths.user_reduction, "length": length}
        files.append(artifacts.save(paths, "user_embedding", embedding, modality=modality, **keys))
        counts[modality] = {"reduced from": matrix.shape[1], "columns": embedding.shape[1]}
    return files, counts


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 3 for the tasks of the chosen data sets."""
    parser = cli.step_parser(__doc__, DATASETS)
    cli.add_protocol_argument(parser, PROTOCOLS)
    args = parser.parse_args(argv)
    paths = load_path(args.paths)
    protocol = args.protocol or paths.protocol
    if paths.user_embedding_length == 0:
        print(f"{SCRIPT}: user_embedding_length is 0, so that mlp.py takes the bare user id; nothing to build")
        return
    for dataset in args.dataset:
        ancestors = [
            records.require(paths, step, dataset) for step in ("preprocess_inter.py", "preprocess_multimodal.py")
        ]
        modalities = records.modalities_of(ancestors[1])
        for task in (name for name, row in TASKS.items() if row.dataset == dataset):
            build = records.Build(
                paths, SCRIPT, dataset, records.embedding_variant(paths, task, protocol), built_on=ancestors
            )
            records.rebuild(
                build, lambda task=task, modalities=modalities: write(paths, task, protocol, modalities),
                force=args.force,
            )  # fmt: skip


if __name__ == "__main__":
    main()
