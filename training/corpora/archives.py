"""Finds the folder of a published corpus. An archive is unpacked into the cache once."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from device.errors import UserError


def corpus_folder(data: Path, cache: Path, archive: str) -> Path:
    """Return the folder that holds the corpus `archive`, and unpack the archive if that is needed.

    The folder is `data/ARCHIVE` if it exists. Otherwise it is `cache/unpacked/ARCHIVE`, into which
    `data/ARCHIVE.tar.xz` is unpacked the first time. Raises UserError if neither of them exists and `data` holds no
    such archive.
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
