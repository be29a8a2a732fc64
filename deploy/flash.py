"""Sends a signed bundle of models to a box over one ssh connection, and connects again if that is cut.

`python -m deploy flash` uses this module.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from deploy.pack import Package
from deploy.ssh import NO_CONNECTION, Host
from device.errors import UserError
from device.printable import printable

SLOT = ("sudo", "-n", "/usr/local/sbin/lefthand-slot")
"""Command that runs on the box, receives the bundle and installs it. Flashing runs nothing else there as root."""
CHUNK = 1 << 15
"""Number of bytes that are written to the connection at once."""
TRIES = 5
"""Flashing fails after this number of connections in a row that sent nothing new."""
PAUSE_S = 1.0
"""Seconds from the end of a connection to the next attempt."""
BUSY_S = 60.0
"""Seconds for which a box may refuse a new connection as busy, because it has not noticed the cut of the last one."""
ASK_S = 180.0
"""Seconds for which the box is asked for the result, if the connection was cut after the whole bundle had arrived."""

LONGEST_S = 1e6
"""Seconds. A pause of the playing is far shorter."""

Say = Callable[[str, dict[str, Any]], None]
Advance = Callable[[int, int], None]


class BusyError(UserError):
    """The box is busy with another flash."""


class CutError(Exception):
    """The connection ended before the box had reported the result. The text is ssh's message."""


@dataclass
class Flash:
    """Sends one bundle to one host.

    `say` is called with the name and the facts of each step that the box reports. `advance` is called with the number
    of bytes sent and the number of bytes in total.
    """

    host: Host
    package: Package
    say: Say
    advance: Advance
    slot: tuple[str, ...] = SLOT
    _there: int = 0
    _received: bool = False

    def run(self) -> dict[str, Any]:
        """Send the bundle and wait until the box plays it. Returns the facts of the last step that the box reported.

        A cut connection is opened again. Raises UserError with the reason if the box cannot be reached or does not play
        the bundle.
        """
        tries = 0
        cut_s: float | None = None
        while True:
            before = self._there
            try:
                return self._once()
            except BusyError:
                if cut_s is None or time.monotonic() - cut_s > BUSY_S:
                    raise
                time.sleep(PAUSE_S)
            except CutError as cut:
                if self._received:
                    self.say("cut", {"said": "the connection was cut; the box continues alone and is asked again"})
                    return self._ask()
                cut_s = time.monotonic()
                tries = 0 if self._there > before else tries + 1
                if tries >= TRIES:
                    raise UserError(
                        f"{self.host.name}: the connection was cut {tries} times in a row ({cut}): flash again later, "
                        f"it continues from byte {self._there}."
                    ) from None
                self.say("cut", {"said": f"the connection was cut ({cut}), trying again"})
                time.sleep(PAUSE_S)

    def _once(self) -> dict[str, Any]:
        content = self.package.content
        process = self.host.popen(*self.slot, "receive", self.package.id, str(len(content)))
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        errors = _Reader(process.stderr)
        sender: threading.Thread | None = None
        try:
            for told in steps(process.stdout):
                self._received = self._received or told["step"] == "received"
                if told["step"] == "have":
                    self._there = int(told["bytes"])
                    sender = threading.Thread(target=self._send, args=(process.stdin, self._there), daemon=True)
                    sender.start()
                elif told["step"] == "refused":
                    raise (BusyError if told.get("busy") else UserError)(f"{self.host.name}: {told['said']}")
                elif told["step"] == "done":
                    return told
                self.say(told["step"], told)
            code = process.wait()
            raise self._ended(code, errors.text())
        finally:
            process.kill()
            process.wait()
            if sender is not None:
                sender.join()
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()

    def _send(self, stream: IO[bytes], start: int) -> None:
        content = memoryview(self.package.content)
        self.advance(start, len(content))
        try:
            for at in range(start, len(content), CHUNK):
                stream.write(content[at : at + CHUNK])
                stream.flush()
                self.advance(min(at + CHUNK, len(content)), len(content))
        except (OSError, ValueError):
            pass  # ssh reports the end of the connection

    def _ended(self, code: int, said: str) -> Exception:
        """Return the error (to be raised) for a connection that ended without a result.

        `code` is the exit status of ssh, and `said` is its error output. The error is UserError if a further attempt is
        useless, else CutError.
        """
        if code == NO_CONNECTION or code < 0:
            if not self._there and not self._received and _for_good(said):
                return self.host.unreachable(said)
            return CutError(_last_line(said) or "no reason was given")
        if "sudo:" in said or code == 127:
            return UserError(
                f"{self.host.name} does not let you flash ({_last_line(said)}): provision it first, or ask its "
                f"owner to add you to its group lefthand-flash."
            )
        if code != 0:
            return UserError(
                f"{self.host.name}: flashing failed there: {_last_line(said) or f'exit status {code}'}; see its logs."
            )
        return CutError("the box ended without a last word")

    def _ask(self) -> dict[str, Any]:
        """Ask the box for the result of the new bundle's trial, because the connection was cut during it.

        Returns the facts of the last step. Raises UserError if the box plays another bundle or does not answer.
        """
        until_s = time.monotonic() + ASK_S
        wanted = self.package.bundle.digest
        while time.monotonic() < until_s:
            time.sleep(PAUSE_S)
            ran = self.host.run(*self.slot, "list", "--json")
            if ran.returncode != 0:
                continue
            try:
                found = json.loads(ran.stdout)
                busy, slots = found["busy"], found["slots"]
                entry: dict[str, Any] = next(
                    (slot for slot in slots if slot["id"] and wanted.startswith(slot["id"])), {}
                )
                plays = bool(entry.get("current") and entry.get("good"))
                name, why = (printable(str(entry.get(key, ""))) for key in ("slot", "why"))
            except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
                raise UserError(f"{self.host.name} answers with something else than its slots: see its logs.") from None
            if busy:
                continue
            if plays:
                return {"step": "done", "said": f"slot {name} plays: {why}"}
            raise UserError(
                f"{self.host.name} plays another bundle ({why or 'the flash was cut short there'}): flash again, and "
                f"see `make slots` and `make logs`."
            )
        raise UserError(f"{self.host.name} does not answer any more: run `make slots HOST={self.host.name}` later.")


def _for_good(said: str) -> bool:
    """Return True if ssh's message `said` means that a further attempt cannot succeed."""
    hopeless = (
        "Permission denied",
        "Could not resolve",
        "Host key verification failed",
        "Bad configuration",
        "No such",
    )
    return any(words in said for words in hopeless)


def steps(stream: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield each step that the box reports in the lines `stream`, as a dict with the texts `step` and `said`.

    A step is a line of JSON. It may have `bytes`, a whole number, and `gap_s`, in seconds or None. Other lines, such as
    the greeting of a login, are ignored.
    """
    for line in stream:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and _is_step(told):
            yield {**told, "step": printable(told["step"]), "said": printable(told["said"])}


def _is_step(told: dict[str, Any]) -> bool:
    there, gap_s = told.get("bytes", 0), told.get("gap_s")
    texts = isinstance(told.get("step"), str) and isinstance(told.get("said"), str)
    counted = isinstance(there, int) and there >= 0 and ("bytes" in told or told.get("step") != "have")
    return texts and counted and (gap_s is None or (isinstance(gap_s, int | float) and abs(gap_s) < LONGEST_S))


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class _Reader(threading.Thread):
    """Reads a stream to its end so that its writer never blocks. Keeps the last lines."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream, self._lines = stream, [b""]
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._stream:
                self._lines = [*self._lines[-20:], line]

    def text(self) -> str:
        self.join(5.0)
        return b"".join(self._lines).decode("utf-8", "replace")


def ask(host: Host, *words: str, slot: tuple[str, ...] = SLOT) -> subprocess.CompletedProcess[str]:
    """Run the box's command for flashing with the arguments `words` on `host`.

    Returns the ended process with its output as text. Raises UserError if the host cannot be reached or denies access.
    """
    ran = host.run(*slot, *words)
    if ran.returncode == NO_CONNECTION:
        raise host.unreachable(ran.stderr)
    if "sudo:" in ran.stderr or ran.returncode == 127:
        raise UserError(
            f"{host.name} does not let you in ({_last_line(ran.stderr)}): provision it first, or ask its owner to "
            f"add you to its group lefthand-flash."
        )
    return ran
