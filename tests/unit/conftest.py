"""Fixtures of the unit tests."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # each worker has one core, so the threads of the numeric libraries would only wait for each other
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(threads, "1")
# as in the commands of training: the fits of the tests take half the processor time that they take on TensorFlow
os.environ.setdefault("KERAS_BACKEND", "jax")
# the small nets of the tests run for seconds, so that compiling them with all optimisations takes longer than it saves
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

from device.bundles.bundle import Bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def exported_toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `tests/unit/helpers/toys.py` exports, once for all workers. Do not write there."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, exported = shared / "toys", shared / "toys.exported"
    with (shared / "toys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not exported.exists():
            _export_toys(folder)
            exported.touch()
    return folder


def _export_toys(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "unit" / "helpers" / "toys.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]


@pytest.fixture(scope="session")
def toy_bundle(exported_toys: Path) -> Bundle:
    """A bundle with the real features and two untrained models."""
    return Bundle.open(exported_toys / "bundle")
