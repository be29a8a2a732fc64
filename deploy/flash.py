"""`python -m deploy flash`: a signed bundle to a box, over one connection that is taken up again when it is cut."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from deploy.pack import Package
from deploy.ssh import NO_CONNECTION, Host
from device.errors import UserError

SLOT = ("sudo", "-n", "/usr/local/sbin/lefthand-slot")
"""The box's part, which runs there as root's one helper."""
CHUNK = 1 << 15
TRIES = 5
"""Connections in a row that bring nothing across."""
PAUSE_S = 1.0
BUSY_S = 60.0
"""How long a box may still be busy with our own connection before, of whose end it has not heard."""
ASK_S = 180.0
"""How long a box is asked for the end of a trial that was not heard over the first connection."""

Say = Callable[[str, dict[str, Any]], None]
Advance = Callable[[int, int], None]


class BusyError(UserError):
    """Another flash is going on there."""


class CutError(Exception):
    """The connection ended before the box had told the end; the text is what ssh said."""


@dataclass
class Flash:
    """One bundle to one host. `say` takes the box's steps, `advance` bytes sent and bytes in all."""

    host: Host
    package: Package
    say: Say
    advance: Advance
    slot: tuple[str, ...] = SLOT
    _there: int = 0
    _received: bool = False

    def run(self) -> dict[str, Any]:
        """The box's last word: the new bundle plays. Raises UserError with what it said where it does not."""
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
                    self.say("cut", {"said": "the connection was cut; the box goes on alone, and is asked again"})
                    return self._ask()
                cut_s = time.monotonic()
                tries = 0 if self._there > before else tries + 1
                if tries >= TRIES:
                    raise UserError(
                        f"{self.host.name}: the connection was cut {tries} times in a row ({cut}): flash again later, "
                        f"it goes on from byte {self._there}."
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
            for told in _steps(process.stdout):
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
            pass  # the connection's end is told by ssh

    def _ended(self, code: int, said: str) -> Exception:
        """What a connection that ended without a last word means."""
        if code == NO_CONNECTION or code < 0:
            if not self._there and not self._received and _for_good(said):
                return self.host.unreachable(said)
            return CutError(_last_line(said) or "no reason was given")
        if "sudo:" in said or code == 127:
            return UserError(
                f"{self.host.name} does not let you flash ({_last_line(said)}): provision it first, or have yourself "
                f"put into its group lefthand-flash."
            )
        if code != 0:
            return UserError(
                f"{self.host.name}: flashing failed there: {_last_line(said) or f'exit status {code}'}; see its logs."
            )
        return CutError("the box ended without a last word")

    def _ask(self) -> dict[str, Any]:
        """The end of a trial, asked for after its connection was cut."""
        until_s = time.monotonic() + ASK_S
        wanted = self.package.bundle.digest
        while time.monotonic() < until_s:
            time.sleep(PAUSE_S)
            ran = self.host.run(*self.slot, "list", "--json")
            if ran.returncode != 0:
                continue
            found = json.loads(ran.stdout)
            if found["busy"]:
                continue
            entry = next((slot for slot in found["slots"] if slot["id"] and wanted.startswith(slot["id"])), None)
            if entry is not None and entry["current"] and entry.get("good"):
                return {"step": "done", "said": f"slot {entry['slot']} plays: {entry['why']}", **entry}
            why = entry.get("why") if entry is not None else None
            raise UserError(
                f"{self.host.name} plays another bundle ({why or 'the flash was cut short there'}): flash again, and "
                f"see `make slots` and `make logs`."
            )
        raise UserError(f"{self.host.name} does not answer any more: see `make slots HOST={self.host.name}` later.")


def _for_good(said: str) -> bool:
    """Whether ssh's words mean that trying again would not help."""
    hopeless = (
        "Permission denied",
        "Could not resolve",
        "Host key verification failed",
        "Bad configuration",
        "No such",
    )
    return any(words in said for words in hopeless)


def _steps(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """What the box tells; lines that are no steps, such as a login's greeting, are passed over."""
    for line in stream:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and "step" in told and "said" in told:
            yield told


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class _Reader(threading.Thread):
    """Reads a stream to its end, so that nobody has to wait for it; keeps the last of it."""

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
    """Runs `lefthand slot WORDS` on `host`. Raises UserError where it cannot be reached, or lets nobody in."""
    ran = host.run(*slot, *words)
    if ran.returncode == NO_CONNECTION:
        raise host.unreachable(ran.stderr)
    if "sudo:" in ran.stderr or ran.returncode == 127:
        raise UserError(
            f"{host.name} does not let you in ({_last_line(ran.stderr)}): provision it first, or have yourself put "
            f"into its group lefthand-flash."
        )
    return ran
