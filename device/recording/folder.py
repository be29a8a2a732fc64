"""Makes the folder of a recording and its files, which only grow. They stay open, so nobody can exchange one by name.

All methods raise OSError if the disk refuses, unless they say otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path

from device.errors import UserError

FOLDER_MODE, FILE_MODE = 0o750, 0o640
"""Permissions: the account and its group may read a recording, others may not."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class GrowingFile:
    """Collects the content of a new file in memory. `flush` gives it to the system, `sync` writes it to the disk.

    `descriptor` is the descriptor of the open, empty file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._flushed = 0
        self._waiting = bytearray()
        self._patches: list[tuple[int, bytes]] = []
        self._unsynced = False

    @property
    def size(self) -> int:
        """Bytes that were appended so far."""
        return self._flushed + len(self._waiting)

    def append(self, content: bytes | bytearray | memoryview) -> None:
        """Append `content`, only in memory at first."""
        self._waiting += content

    def patch(self, offset: int, content: bytes) -> None:
        """Put `content` in place of the bytes from `offset` on. All of these bytes must have been appended before."""
        flushed = min(len(content), max(0, self._flushed - offset))
        if flushed:
            self._patches.append((offset, content[:flushed]))
        start = offset + flushed - self._flushed
        self._waiting[start : start + len(content) - flushed] = content[flushed:]

    def flush(self) -> None:
        """Give everything to the system. It then survives a crash of this process, but not yet a power cut."""
        while self._waiting:
            written = os.write(self._descriptor, self._waiting)
            del self._waiting[:written]
            self._flushed += written
            self._unsynced = True
        while self._patches:
            offset, content = self._patches[0]
            os.pwrite(self._descriptor, content, offset)
            del self._patches[0]
            self._unsynced = True

    def sync(self) -> None:
        """Write everything to the disk. It then survives a power cut."""
        self.flush()
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False

    def close(self) -> None:
        """Close the file. Content that was not flushed is lost."""
        os.close(self._descriptor)


class CaptureFolder:
    """Opens the folder `path` for a recording, and makes it if it does not exist.

    Raises UserError if it cannot be made, is a link, or belongs to another account: the owner of a folder can remove
    and exchange its files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            self._descriptor = os.open(path, _FOLDER)
        except OSError as error:
            raise _unwritable(path, error) from None
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            self.close()
            raise UserError(f"{path} belongs to another account: give --record a folder of your own, or a new one.")

    def create(self, name: str) -> GrowingFile:
        """Make the new file `name`. Raises UserError if there is a file of this name, or if none can be made."""
        try:
            return GrowingFile(os.open(name, _NEW, FILE_MODE, dir_fd=self._descriptor))
        except FileExistsError:
            raise UserError(f"{self.path / name} exists already: give --record another folder.") from None
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def sync(self) -> None:
        """Write the names of the files, and of the folders that were made, to the disk.

        They then survive a power cut.
        """
        os.fsync(self._descriptor)
        while self._made:
            descriptor = os.open(self._made[0].parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            del self._made[0]

    def close(self) -> None:
        """Close the folder."""
        os.close(self._descriptor)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written ({error.strerror}): give --record another folder.")
