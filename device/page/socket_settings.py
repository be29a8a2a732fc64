"""Gives the settings [page] to the socket unit of the page. systemd runs this as a generator: systemd.generator(7).

    python -m device.page.socket_settings FOLDER [FOLDER FOLDER]

It writes FOLDER/lefthand-page.socket.d/settings.conf. systemd calls it at the start of the box and at each
daemon-reload. If [page] cannot be used, the page is not served, and the log says why.
"""

from __future__ import annotations

import sys
from pathlib import Path

from device.errors import ConfigError
from device.settings.config import DEFAULT_PATH, read_page
from device.settings.sections import PageSettings

UNIT = "lefthand-page.socket"
CLOSED = "[Unit]\n# this is never true\nConditionPathExists=!/\n"


def drop_in(page: PageSettings) -> str:
    """Return the lines for systemd that change the socket unit as `page` says.

    The unit then listens at the address and port in `page`, or nowhere if the page is not enabled.
    """
    if not page.enabled:
        return CLOSED
    address = f"[{page.address}]" if ":" in page.address else page.address
    listen = f"{address}:{page.port}" if address else str(page.port)
    # the empty line removes the port of the unit
    return f"[Socket]\nListenStream=\nListenStream={listen}\n"


def main(folder: Path, settings: Path = DEFAULT_PATH) -> None:
    """Write the lines for the socket unit into `folder`. `settings` is the settings file of the box.

    If the settings cannot be used, a sentence goes to stderr, and the lines close the page. Raises OSError if the file
    cannot be written.
    """
    try:
        text = drop_in(read_page(settings))
    except ConfigError as error:
        print(f"lefthand: {error} The page is not served.", file=sys.stderr)
        text = CLOSED
    place = folder / f"{UNIT}.d"
    place.mkdir(parents=True, exist_ok=True)
    (place / "settings.conf").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
