"""Builds the wheel of this project. The same sources always give a wheel with the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from device.errors import UserError

ROOT = Path(__file__).parents[1]
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "deploy/lefthand", "device")
EPOCH = "315532800"
"""Time of every file in the wheel: 1 January 1980, in seconds since 1970. A zip file cannot hold an older time.

With one fixed time the bytes of the wheel depend on its contents alone.
"""


def own_wheel(cache: Path) -> Path:
    """Return the path of the wheel of this checkout, which lies in the folder `cache`.

    The wheel is built if its sources have changed. Raises UserError if the build fails.
    """
    folder = cache / "own" / _digest()
    for kept in folder.glob("*.whl"):
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lefthand-wheel-") as scratch:
        # Built from a copy, because setuptools writes files beside the sources.
        copy = Path(scratch) / "lefthand"
        copy.mkdir()
        for name in NEEDED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (copy / name).parent.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
        ran = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", scratch, str(copy)],
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
            capture_output=True,
            text=True,
            check=False,
        )
        built = sorted(Path(scratch).glob("*.whl"))
        if ran.returncode or not built:
            raise UserError(f"The wheel could not be built: {ran.stderr.strip()[-500:]}")
        kept = folder / built[0].name
        shutil.copy(built[0], kept.with_suffix(".part"))
        kept.with_suffix(".part").rename(kept)
    return kept


def _digest() -> str:
    """Return a hash of all files from which the wheel is built."""
    digest = hashlib.sha256()
    for name in NEEDED:
        for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
