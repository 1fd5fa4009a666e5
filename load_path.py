"""Read path.json: the folders that the steps share and the switches of the ablations.

Run as a script it prints every key, its value as the steps will see it, and whether the folder exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mma4ctr import cli
from mma4ctr.settings import Settings


def load_path(paths: str | Path | None = None) -> Settings:
    """Read a path.json (by default the one beside the scripts); see `mma4ctr.settings.read`.

    Raises
    ------
    UserError
        If the file, or a data set that it declares, is not as it has to be.
    """
    from mma4ctr.data import registry  # late: no script's --help waits for what reads data

    return registry.load_settings(paths)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Print the keys of a path.json as the steps will see them."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    for key, value in load_path(parser.parse_args(argv).paths).by_key().items():
        note = "" if not isinstance(value, Path) else " (exists)" if value.is_dir() else " (not there yet)"
        print(f"{key:24}{value}{note}")


if __name__ == "__main__":
    main()
