"""Our wheel, unchanged and with the defects that an update can have."""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

from root import REPOSITORY

from deploy.ownwheel import own_wheel

CACHE = REPOSITORY / ".cache" / "wheels"
FIRST = b"from __future__ import annotations\n"
"""Python allows no other statement before this import."""
CRASHES_AT_START = "raise SystemExit('this version ends before it is ready')\n"
CANNOT_BE_IMPORTED = "import a_module_that_no_wheel_brings\n"


@functools.cache
def good() -> Path:
    """Return the wheel of this checkout, built when the tests began."""
    return own_wheel(CACHE)


def changed(folder: Path, name: str, begin: str) -> Path:
    """Write the wheel with `begin` as the first statement of its file `name` to a new folder in `folder`."""
    made = folder / str(len(list(folder.iterdir()))) / good().name
    made.parent.mkdir()
    with zipfile.ZipFile(good()) as source, zipfile.ZipFile(made, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info, data.replace(FIRST, FIRST + begin.encode(), 1) if info.filename == name else data)
    return made
