"""The commands let numpy's products run in one thread, on a machine with many cores too."""

from __future__ import annotations

import os
import subprocess
import sys

THREADS = "OPENBLAS_NUM_THREADS"
PRODUCT = """
import os
{first}
import numpy as np
matrix = np.ones((400, 400), np.float32)
matrix @ matrix, matrix @ matrix[0]
print(len(os.listdir("/proc/self/task")))
"""


def threads_after(first: str, **more: str) -> int:
    """Return the number of threads of a fresh process after large products, in which `first` was run first."""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    ran = subprocess.run(
        [sys.executable, "-c", PRODUCT.format(first=first)],
        env={**env, **more},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


def test_the_products_of_a_command_run_in_one_thread() -> None:
    assert threads_after("import device.cli") == 1


def test_who_sets_another_number_gets_it() -> None:
    assert threads_after("import device.cli", **{THREADS: "2"}) == threads_after("", **{THREADS: "2"})
