"""Read path.json: the folders that the steps share and the switches of the ablations.

Run as a script it prints every key, its value as the steps will see it, and whether the folder exists.
"""

from __future__ import annotations

from collections.abc import Sequence

from mma4ctr import cli
from mma4ctr.settings import FOLDERS, KEYS, load_path


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Print the keys of a path.json as the steps will see them."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    paths = load_path(parser.parse_args(argv).paths)
    for key in KEYS:
        value = getattr(paths, key)
        note = "" if key not in FOLDERS else " (exists)" if value.is_dir() else " (not there yet)"
        print(f"{key:24}{dict(value) if key == 'min_interactions' else value}{note}")


if __name__ == "__main__":
    main()
