"""The long run: live on JACK, music at full speed through the engine, random faults at the session's seams.

    python -m tests.soak [--live SECONDS] [--music SECONDS] [--faults COUNT] [--seed N]

prints one table, part by part, and exits with status 1 if a figure exceeds its limit. The host and unit tests use the
same parts, shortened.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.soak.faults import faults
from tests.soak.figure import table
from tests.soak.full_speed import full_speed
from tests.soak.live import live


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--music", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--faults", type=int, default=10_000, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, seed {wanted.seed}\n")
    print(table([]), flush=True)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        parts = (
            lambda: live(wanted.live, Path(folder)) if wanted.live else [],
            lambda: full_speed(wanted.music) if wanted.music else [],
            lambda: faults(wanted.faults, wanted.seed) if wanted.faults else [],
        )
        for part in parts:
            figures = part()
            good &= all(figure.good for figure in figures)
            print(table(figures, head=False), flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
