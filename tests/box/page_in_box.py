"""The page's account and units in a box, and a browser that sends single requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stage import Stage

PAGE, SOCKET = "lefthand-page.service", "lefthand-page.socket"
DEPLOY = Path(__file__).parents[2] / "deploy"
BROWSER = """
import json, sys, urllib.request, urllib.error
url, body, cookie = sys.argv[1], sys.argv[2], sys.argv[3]
headers = {"Origin": url.rsplit("/", 1)[0], "Content-Type": "application/json", "Cookie": cookie}
try:
    request = urllib.request.Request(url, body.encode() or None, headers)
    with urllib.request.urlopen(request, timeout=50) as answer:
        print(json.dumps([answer.status, answer.read().decode("latin-1"), answer.headers.get("Set-Cookie", "")]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode(), ""]))
except OSError as error:
    print(json.dumps([0, str(error), ""]))
"""
"""A program that sends one request, as a browser would."""


def add_page(stage: Stage) -> None:
    """Add the account and the units of the page, as provisioning does."""
    box = stage.box
    box.run("useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", "lefthand-page")
    box.run("install", "-d", "-m", "700", "-o", "lefthand-page", "-g", "lefthand-page", "/var/lib/lefthand-page")
    generator = "/usr/local/lib/systemd/system-generators/lefthand-page-settings"
    box.write(generator, (DEPLOY / "lefthand-page-settings").read_bytes(), 0o755)
    box.write("/usr/local/sbin/lefthand-slot", (DEPLOY / "lefthand-slot").read_bytes(), 0o755)
    units = (SOCKET, "lefthand-poweroff.path", "lefthand-reboot.path", "lefthand-rollback.path")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "enable", "--now", "--quiet", *units)


def cookie_of(stage: Stage) -> str:
    """Return the cookie of a browser that gave the code which root can read."""
    said = stage.box.run("lefthand", "page", "--code")
    assert "http://box.local" in said and "█" in said, said
    code = said.split("Its code is ")[1].split()[0]
    status, _, given = ask(stage, "login", {"code": code})
    assert status == 200 and "HttpOnly" in given and "SameSite=Strict" in given
    return given.split(";")[0]


def ask(stage: Stage, path: str = "", body: Any = None, cookie: str = "", port: int = 80) -> tuple[int, str, str]:
    """Send a request as the user `pi`. Return the status, the answer and the cookie. 0: there was no answer."""
    url = f"http://localhost{'' if port == 80 else f':{port}'}/{path}"
    words = [url, "" if body is None else json.dumps(body), cookie]
    status, said, given = json.loads(stage.box.run("runuser", "-u", "pi", "--", "python3", "-c", BROWSER, *words))
    return status, said, given
