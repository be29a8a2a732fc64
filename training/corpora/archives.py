"""Finds the folder of a published corpus. An archive is unpacked into the cache once."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from device.errors import UserError


def corpus_folder(data: Path, cache: Path, archive: str) -> Path:
    """Return `data/ARCHIVE` if it is a folder, else unpack `data/ARCHIVE.tar.xz` into `cache/unpacked/ARCHIVE`.

    Raises UserError if `data` holds neither.
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
