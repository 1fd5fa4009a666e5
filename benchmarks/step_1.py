"""Time step 1 on a large log against a bare polars count-then-filter of the same log.

Each is a process of its own, in turns; the fastest of each counts, and the ratio and the highest memory are printed.
100 M rows of taobao, which is their full number, take 3.2 GB of the folder for temporary files, and 2.4 GB of outputs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile

import measure

FULL = {"tiktok": 20_000_000, "taobao": 100_000_000}
LIMIT, LIMIT_MEGABYTES = 3.0, 6000


def main() -> None:
    """Print seconds, ratio and memory; exit with status 1 where one of them is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=FULL, default="tiktok")
    parser.add_argument("--rows", type=int, help="default: 20 M of tiktok, 100 M of taobao")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", help="for temporary files (default: that of the system)")
    args = parser.parse_args()
    measured: dict[str, list[tuple[float, float]]] = {"bare": [], "step_1": []}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measure.run("benchmarks/made_logs.py", "write", args.log, str(args.rows or FULL[args.log]), folder)
        for _ in range(args.times):
            for what, found in measured.items():
                seconds, megabytes, printed = measure.run("benchmarks/made_logs.py", what, args.log, folder)
                found.append((seconds, megabytes))
                print(f"{what}: {seconds:.1f} s, {megabytes:,.0f} MB\n{printed}", flush=True)
    (bare, _), (seconds, _) = (min(found) for found in measured.values())
    most = max(megabytes for _, megabytes in measured["step_1"])
    print(f"{args.log}: step 1 {seconds:.1f} s, polars alone {bare:.1f} s: {seconds / bare:.2f} x (limit {LIMIT:g} x), "
          f"{most:,.0f} MB (limit {LIMIT_MEGABYTES:,} MB)")  # fmt: skip
    sys.exit(seconds > LIMIT * bare or most > LIMIT_MEGABYTES)


if __name__ == "__main__":
    main()
