"""Decides who may use the page.

A browser must send the code of six digits once. Then it gets a cookie, and the page accepts the cookie from then on. A
request must also name one of the host's own names in its Host header.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.errors import UserError
from device.system.untrusted_files import own_folder, read_small, replace_file

FILE = "page.json"
DIGITS = 6
_CODE = re.compile(f"[0-9]{{{DIGITS}}}")
MOST_WRONG = 5
"""Wrong codes that all clients together may send in WINDOW_S. At this rate half of all codes take more than two
months."""
WINDOW_S = 60.0

ROUTERS = frozenset({"local", "lan", "home", "home.arpa", "internal", "localdomain", "fritz.box"})
"""Ends of the names that a router, or the box itself, gives to machines in the house.

Nobody else can make such a name in the Internet: the first six are in no public registry (RFC 6762, RFC 8375, ICANN),
the last belongs to the maker of a router.
"""


@dataclass(frozen=True)
class Secret:
    """Holds the code, and the key from which the cookie is made. A new code has a new key, so old cookies end."""

    code: str
    key: str

    @property
    def cookie(self) -> str:
        """Return the cookie that a browser gets for the right code: 64 hexadecimal digits."""
        return hmac.new(self.key.encode(), b"lefthand page", hashlib.sha256).hexdigest()


def secret_of(folder: Path, new: bool = False) -> Secret:
    """Return the code and the key that are stored in `folder`.

    If none can be used there, or if `new` is true, a new code and key are made and stored. Raises UserError if the file
    cannot be read or written.
    """
    try:
        if not new:
            try:
                data = json.loads(read_small(folder / FILE))
                if _CODE.fullmatch(data["code"]) and data["key"].isascii():
                    return Secret(data["code"], data["key"])
            except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                pass
        made = Secret(f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}", secrets.token_hex(32))
        descriptor = own_folder(folder)
        before = os.umask(0o077)
        try:
            replace_file(descriptor, FILE, json.dumps({"code": made.code, "key": made.key}).encode())
        finally:
            os.umask(before)
            os.close(descriptor)
    except OSError as error:
        raise UserError(
            f"The code of the page cannot be kept in {folder} ({error.strerror}): use sudo, or its own account."
        ) from None
    return made


class Door:
    """Checks codes and cookies of browsers. If `secret` is None, everybody on the network may use the page."""

    def __init__(self, secret: Secret | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret, self._clock = secret, clock
        self._wrong: deque[float] = deque()

    @property
    def asks(self) -> bool:
        """Return whether browsers need the code."""
        return self._secret is not None

    def use(self, secret: Secret) -> None:
        """Use `secret` from now on. Codes and cookies of the secret before are no longer accepted."""
        self._secret = secret

    def opens(self, cookie: str | None) -> bool:
        """Return whether a browser that sends this cookie may use the page. None means that it sends none."""
        return self._secret is None or hmac.compare_digest((cookie or "").encode(), self._secret.cookie.encode())

    @property
    def waits(self) -> bool:
        """Return whether too many wrong codes came in the last minute. While it is true, no code may be checked."""
        while self._wrong and self._clock() - self._wrong[0] >= WINDOW_S:
            self._wrong.popleft()
        return len(self._wrong) >= MOST_WRONG

    def cookie_for(self, code: str) -> str | None:
        """Return the cookie if `code` is right. Otherwise count a wrong code and return None.

        This method does not limit the tries, so the caller checks `waits` first.
        """
        given = code.encode("utf-8", "replace")
        if self._secret is not None and hmac.compare_digest(given, self._secret.code.encode()):
            return self._secret.cookie
        self._wrong.append(self._clock())
        return None


def host_is_ours(host: str) -> bool:
    """Return whether the Host header names this machine, by one of its names or by an IP address.

    A foreign site can make its own name point to this machine (DNS rebinding). Its requests then name that site as
    host, and the result is False.
    """
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.startswith("[") and "]:" in host else host
    name = name.strip("[]").lower().rstrip(".")
    own = socket.gethostname().lower().split(".")[0]
    if name in {"localhost", own, *(f"{own}.{end}" for end in ROUTERS)}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
