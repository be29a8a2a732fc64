"""Decides who may use the page.

A browser must send the code of six digits once. Then it gets a cookie, which admits it from there on. A request must
also name one of the host's own names in its Host header."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
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
MOST_WRONG = 5
"""Wrong tries in WINDOW_S, counted over all clients. At this rate half of all codes take more than two months."""
WINDOW_S = 60.0


@dataclass(frozen=True)
class Secret:
    """The code, and the key from which the cookie is made. A new code comes with a new key, which ends all cookies."""

    code: str
    key: str

    @property
    def cookie(self) -> str:
        """The value of the cookie of a browser that gave the code."""
        return hmac.new(self.key.encode(), b"lefthand page", hashlib.sha256).hexdigest()


def secret_of(folder: Path, new: bool = False) -> Secret:
    """Return the secret kept in `folder`. Makes one if there is none, or if `new`. Raises UserError."""
    try:
        if not new:
            try:
                data = json.loads(read_small(folder / FILE))
                if isinstance(data["code"], str) and isinstance(data["key"], str) and len(data["code"]) == DIGITS:
                    return Secret(data["code"], data["key"])
            except (FileNotFoundError, ValueError, KeyError, TypeError):
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
    """Checks codes and cookies. `secret` None: everybody on the network may use the page."""

    def __init__(self, secret: Secret | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret, self._clock = secret, clock
        self._wrong: deque[float] = deque()

    @property
    def asks(self) -> bool:
        """Whether browsers need the code."""
        return self._secret is not None

    def use(self, secret: Secret) -> None:
        """Take another secret. Cookies of the one before are no longer accepted."""
        self._secret = secret

    def opens(self, cookie: str | None) -> bool:
        """Whether a browser with this cookie may use the page."""
        return self._secret is None or hmac.compare_digest((cookie or "").encode(), self._secret.cookie.encode())

    @property
    def waits(self) -> bool:
        """Whether too many wrong codes came in the last minute. No code is then looked at."""
        while self._wrong and self._clock() - self._wrong[0] >= WINDOW_S:
            self._wrong.popleft()
        return len(self._wrong) >= MOST_WRONG

    def cookie_for(self, code: str) -> str | None:
        """Return the cookie for a right code, None for a wrong one, which is counted. Ask `waits` first."""
        if self._secret is not None and hmac.compare_digest(code.encode(), self._secret.code.encode()):
            return self._secret.cookie
        self._wrong.append(self._clock())
        return None


def host_is_ours(host: str) -> bool:
    """Whether the Host header names this machine: one of its names, or an address.

    A page of another site that points its name here (DNS rebinding) sends its own name.
    """
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.startswith("[") and "]:" in host else host
    name = name.strip("[]").lower().rstrip(".")
    own = socket.gethostname().lower().split(".")[0]
    if name in {"localhost", own, f"{own}.local"}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
