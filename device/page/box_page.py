"""Runs the page as a service of the box: uses systemd's socket, reports to the watchdog, prints the addresses.

systemd opens the port. So the process needs neither root nor a network of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import socket
import subprocess

from device.errors import ConfigError, UserError
from device.page.access import Door, secret_of
from device.page.box_link import BoxLink
from device.page.server import application, serve
from device.settings.config import read_page
from device.settings.sections import PageSettings
from device.system.account import become, exists
from device.system.paths import PAGE, SERVICE_RUN, page_state_dir

FIRST_PASSED = 3
"""Number of the first file descriptor that systemd passes: sd_listen_fds(3)."""
LOOK_S = 2.0
"""Seconds between two reports to the watchdog, whose limit is 10 s, and between two looks for a new code."""

log = logging.getLogger("lefthand")


def passed_socket() -> socket.socket:
    """Return the listening socket that systemd has opened for this process. Raises UserError if there is none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        raise UserError("systemd passes no socket: start the page with `systemctl start lefthand-page.socket`.")
    listener = socket.socket(fileno=FIRST_PASSED)
    listener.setblocking(False)
    listener.set_inheritable(False)
    return listener


def run_service() -> None:
    """Serve the page on the socket from systemd until SIGTERM.

    If the settings [page] cannot be used, the page asks for the code. Raises UserError if systemd passes no socket or
    the code cannot be stored.
    """
    listener = passed_socket()
    try:
        settings = read_page()
    except ConfigError as error:
        log.error("%s The page asks for the code.", error)
        settings = PageSettings()
    door = Door(secret_of(page_state_dir()) if settings.code else None)
    link = BoxLink(SERVICE_RUN)
    asyncio.run(_serve(door, link, listener))


async def _serve(door: Door, link: BoxLink, listener: socket.socket) -> None:
    await asyncio.gather(serve(application(door, link), link, listener), _keep(door))


async def _keep(door: Door) -> None:
    """Report to systemd that the page answers, and use a new code when one was made. Repeats this every LOOK_S."""
    _notify("READY=1")
    while True:
        if door.asks:
            with contextlib.suppress(UserError):
                door.use(secret_of(page_state_dir()))
        _notify("WATCHDOG=1")
        await asyncio.sleep(LOOK_S)


def _notify(words: str) -> None:
    """Send one report to systemd: sd_notify(3). If that fails, or no systemd listens, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(words.encode(), "\0" + address[1:] if address[0] == "@" else address)


def become_its_account() -> None:
    """If this process is root on a box, go on as the account of the page, which owns the code. Else do nothing."""
    if os.geteuid() == 0 and exists(PAGE):
        become(PAGE)


def addresses() -> list[str]:
    """Return the IP addresses of this machine, as `hostname -I` prints them. The list is empty if there are none."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        ran = subprocess.run(["hostname", "-I"], capture_output=True, errors="replace", check=False, timeout=5)
        return ran.stdout.split()
    return []


def introduction(port: int, code: str | None) -> str:
    """Return the text that a person needs to open the page: its addresses, the code, and a QR code of one address.

    `code` None means that the page asks for no code. Without the package segno there is no QR code.
    """
    shown = [f"{socket.gethostname()}.local", *(f"[{one}]" if ":" in one else one for one in addresses())]
    end = "" if port == 80 else f":{port}"
    lines = [f"The page is at {' or '.join(f'http://{one}{end}' for one in shown)}"]
    lines.append("It asks for no code." if code is None else f"Its code is {code}")
    # some phones do not resolve names that end with .local
    best = next((one for one in shown[1:] if not one.startswith("[")), shown[0])
    return "\n".join([*lines, _qr(f"http://{best}{end}")]).rstrip("\n")


def _qr(text: str) -> str:
    try:
        import segno
    except ModuleNotFoundError:
        return ""
    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()
