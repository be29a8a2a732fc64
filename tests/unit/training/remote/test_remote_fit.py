"""Runs the tests of the fit on a GPU in a process of their own, because a process has one backend of Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).with_name("on_jax.py")
FEWEST = 4


def test_the_fit_on_jax_learns_resumes_and_keeps_a_mean() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", str(TESTS)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    passed = [line for line in run.stdout.splitlines() if " passed" in line]
    assert len(passed) == 1 and int(passed[0].split(" passed")[0].split()[-1]) >= FEWEST, run.stdout
