"""Lets the box be reached away from home: by a cable to a laptop, and by an access point of its own.

Both are profiles of NetworkManager. The access point is off unless the owner asks for it with a name.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from .machine import Report, StepError, content, run, succeeds, write

PROFILES = Path("/etc/NetworkManager/system-connections")
CABLE, HOTSPOT = PROFILES / "lefthand-cable.nmconnection", PROFILES / "lefthand-hotspot.nmconnection"
UNIT = "lefthand-hotspot.service"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,30}[A-Za-z0-9]")
"""Pattern of the names that an access point may have: every phone shows them unchanged.

The standard for wireless networks allows at most 32 bytes.
"""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters of the password: letters and digits that a reader does not confuse with each other."""
LENGTH = 12
"""Number of characters of the password. 12 characters are 59 bits. WPA2 needs at least 8 characters."""
MODE = 0o600
"""File permissions of a profile. NetworkManager ignores a profile that other accounts can read."""
CABLE_TEXT = """\
# A cable: the address comes from a router, and beside it the box has one of its own (169.254.x.x) for a laptop.
[connection]
id=lefthand-cable
type=ethernet
autoconnect-priority=-10

[ipv4]
method=auto
link-local=3
dhcp-timeout=2147483647

[ipv6]
method=auto
may-fail=true
"""
"""Text of the profile for a cable.

Its priority is above that of NetworkManager's own profile (-999) and below that of a person's profile (0).
"""
HOTSPOT_TEXT = """\
# The access point of the box. lefthand-hotspot.service opens it if there is no network a minute after the start.
[connection]
id=lefthand-hotspot
type=wifi
autoconnect=false

[wifi]
mode=ap
band=bg
ssid={name}

[wifi-security]
key-mgmt=wpa-psk
proto=rsn
pairwise=ccmp
group=ccmp
psk={password}

[ipv4]
method=shared

[ipv6]
method=link-local
"""


def settle(name: str | None, report: Report) -> None:
    """Install the profile of the cable and, if `name` is given, a profile of an access point with this name.

    Prints the name and password of the access point, if there is one. If `name` is None, the access point of an earlier
    run stays. Without NetworkManager nothing is installed, and StepError is raised if `name` is given.
    """
    if not PROFILES.parent.is_dir():
        if name is not None:
            raise StepError("There is no NetworkManager here, which the access point needs: leave HOTSPOT out.")
        return
    changed = _install(CABLE, CABLE_TEXT, report)
    if name is not None and _value("ssid") != name:
        text = HOTSPOT_TEXT.format(name=name, password=_value("psk") or _password())
        changed |= _install(HOTSPOT, text, report)
    if changed and not report.dry:
        reload()
    if (
        name is not None
        and not succeeds("systemctl", "is-enabled", "--quiet", UNIT)
        and report.change(f"enable {UNIT}")
    ):
        run("systemctl", "enable", "--quiet", UNIT)
    if (shown := _value("ssid")) is not None:
        report.say(f"The box's own network is {shown}, its password is {_value('psk')}")


def remove(report: Report) -> None:
    """Remove the profiles of the cable and of the access point, and let NetworkManager forget them."""
    there = [path for path in (CABLE, HOTSPOT) if path.exists() and report.change(f"remove {path}")]
    for path in there:
        path.unlink()
    if there:
        reload()


def reload() -> None:
    """Let a running NetworkManager read its profiles again. An open connection stays as it is."""
    if succeeds("systemctl", "is-active", "--quiet", "NetworkManager.service"):
        run("nmcli", "connection", "reload")


def _install(path: Path, text: str, report: Report) -> bool:
    try:
        there = content(path) == text.encode()
    except PermissionError:
        report.say(f"  only root can read {path}: it may change")
        return False
    if not there and report.change(f"write {path}"):
        write(path, text.encode(), MODE)
    return not there


def _value(key: str) -> str | None:
    """Return the value of `key` in the access point's profile.

    Returns None if there is no such profile or key, or if the profile cannot be read.
    """
    try:
        text = (content(HOTSPOT) or b"").decode("utf-8", "replace")
    except PermissionError:
        return None
    found = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    return found[1] if found else None


def _password() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
