"""Keeps the page's one connection to the box, which sends the stream to all browsers and their orders to the box."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from pathlib import Path
from typing import Any

from device.control.protocol import LONGEST_ANSWER, LONGEST_LINE, SOCKET, RequestError, line_of, parsed

AGAIN_S = 0.5
"""Seconds between two attempts to reach the box."""
ANSWER_S = 5.0
"""Seconds to wait for an answer of the box. The commands of `lefthand` wait as long."""
LOOK_S = 100.0
"""Seconds to wait until the box has looked at the machine or played a note. `lefthand doctor` takes the longest."""
MOST_WAITING = 64
"""Lines that may wait for one browser. If a browser is slower, it loses the oldest ones."""
AWAY = line_of({"away": True})
STATUS = b'{"status"'
"""The beginning of a line with a status."""


class Lines:
    """Holds the lines that wait for one browser: at most MOST_WAITING, and of those with a status the newest alone.

    So a browser with a slow connection gets what is true now, and not what was true before.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._came = asyncio.Event()

    def __len__(self) -> int:
        """Return how many lines wait."""
        return len(self._waiting)

    def put(self, line: bytes) -> None:
        """Add a line behind the others. If too many wait, the oldest one is lost."""
        if line.startswith(STATUS):
            for old in [waiting for waiting in self._waiting if waiting.startswith(STATUS)]:
                self._waiting.remove(old)
        self._waiting.append(line)
        self._came.set()

    async def get(self) -> bytes:
        """Take the oldest line. Waits until there is one."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()


class BoxLink:
    """Keeps the connection to the box whose run directory is `folder`. If the connection is lost, it is made again.

    The run directory has the control socket. If `folder` is None, the box can never be reached.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else str(folder / SOCKET)
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._browsers: set[Lines] = set()
        self._latest = AWAY

    @property
    def browsers(self) -> int:
        """Return the number of browsers that get the stream."""
        return len(self._browsers)

    @property
    def bundle(self) -> str | None:
        """Return the folder of the models that play, as the newest status names it. None if there is none."""
        status = json.loads(self._latest).get("status", {})
        return status.get("bundle", {}).get("path") or None

    def join(self) -> Lines:
        """Make and return the queue of lines for a new browser. The newest status is its first line."""
        lines = Lines()
        lines.put(self._latest)
        self._browsers.add(lines)
        return lines

    def leave(self, lines: Lines) -> None:
        """Send no more lines to the queue `lines`, because its browser has gone."""
        self._browsers.discard(lines)

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send the box a request of `device.control.protocol` and return its answer.

        The method adds the request's number. If the box cannot be reached or does not answer in time, the answer is
        {"error": "away"}. The box disconnects a client that sends a line longer than LONGEST_LINE, or several
        requests in a row that it cannot understand, and all browsers share this connection. So such a request is not
        sent, and the answer is {"error": a sentence}.
        """
        wait_s = LOOK_S if {"look", "note"} & set(request) else ANSWER_S
        if self._writer is None:
            return {"error": "away"}
        self._number += 1
        number = self._number
        line = line_of({**request, "id": number})
        if len(line) > LONGEST_LINE:
            return {"error": f"A request has at most {LONGEST_LINE} bytes."}
        try:
            parsed(line)
        except RequestError as error:
            return {"error": str(error)}
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(line)
            return await asyncio.wait_for(answer, wait_s)
        except (OSError, TimeoutError):
            return {"error": "away"}
        finally:
            self._answers.pop(number, None)

    async def run(self) -> None:
        """Connect to the box, read its lines, and connect again after a loss, until the task is cancelled."""
        while True:
            with contextlib.suppress(OSError, ValueError):
                await self._connected()
            self._lost()
            await asyncio.sleep(AGAIN_S)

    async def _connected(self) -> None:
        if self._path is None:
            return
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_ANSWER)
        self._writer = writer
        try:
            writer.write(line_of({"id": 0, "watch": True}))
            while line := await reader.readline():
                self._take(line)
        finally:
            writer.close()

    def _take(self, line: bytes) -> None:
        """Pass on a line of the box. Raises ValueError if it is not one, which ends the connection."""
        try:
            data = json.loads(line)
        except RecursionError:
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("status", {}), dict):
            raise ValueError("it is no line of the box")
        if "id" in data:
            number = data["id"]
            waiting = self._answers.get(number) if isinstance(number, int) else None
            if waiting is not None and not waiting.done():
                waiting.set_result(data)
            return
        if "status" in data:
            self._latest = line
        self._send(line)

    def _lost(self) -> None:
        self._writer = None
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result({"error": "away"})
        if self._latest is not AWAY:
            self._latest = AWAY
            self._send(AWAY)

    def _send(self, line: bytes) -> None:
        for lines in self._browsers:
            lines.put(line)
