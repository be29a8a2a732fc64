"""Finding a published corpus: its unpacked tree, or the archive that is unpacked once into the cache."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from device.errors import UserError


def corpus_folder(data: Path, cache: Path, archive: str) -> Path:
    """`data/ARCHIVE` where it is a folder, else `data/ARCHIVE.tar.xz` unpacked into `cache/unpacked/ARCHIVE`.

    UserError where neither is there.
    """
    folder, packed, unpacked = data / archive, data / f"{archive}.tar.xz", cache / "unpacked" / archive
    if folder.is_dir():
        return folder
    if unpacked.is_dir():
        return unpacked
    if not packed.is_file():
        raise UserError(f"{data} holds neither {archive}/ nor {packed.name}: name the data folder with --data.")
    temporary = unpacked.with_name(f".{archive}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        with tarfile.open(packed) as tar:
            tar.extractall(temporary, filter="data")
        temporary.replace(unpacked)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return unpacked
