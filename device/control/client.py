"""Connects to the control socket of the running box. It is for commands that wait for each answer."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from device.control.protocol import LONGEST_ANSWER, SOCKET, line_of
from device.errors import UserError

ANSWER_S = 5.0
"""Seconds to wait for an answer. A change of settings waits for the disk, which may take a second on an SD card."""


class NoBoxError(UserError):
    """Reports that no process listens at the control socket. One that was killed leaves the file of its socket."""


class ControlClient:
    """Holds a connection to the box whose run directory is `folder`.

    It can be used as a context manager, which closes the connection. Raises NoBoxError if no process listens in
    `folder`, and UserError if a process does not answer, if this account may not use the socket, or if `folder` is
    None.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise UserError("No box can be reached: this account has no folder of its own for the control socket.")
        path = folder / SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # for a Unix socket, connect() heeds this limit, and fails at once under settimeout() if others wait
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(ANSWER_S), 0))
        try:
            self._socket.connect(str(path))
        except PermissionError:
            self._socket.close()
            raise UserError(
                f"You may not use {path}: run this with sudo, or as a member of the group that `ls -l {path}` shows."
            ) from None
        except OSError as error:
            self._socket.close()
            kind = NoBoxError if isinstance(error, ConnectionRefusedError | FileNotFoundError) else UserError
            raise kind(
                f"No box runs here (nothing answers at {path}): start it with `sudo systemctl start lefthand`, "
                f"or `lefthand run --wait`."
            ) from None
        self._unread = b""
        self._number = 0

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer, a JSON object. The method adds the request's number.

        Lines of the stream that come before the answer are lost. Raises UserError if the box refuses, with its
        sentence, if it ends the connection, or if it sends nothing for ANSWER_S.
        """
        self._number += 1
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.sendall(line_of({"id": self._number, **request}))
        except OSError:
            raise UserError("The box has ended the connection: see `lefthand status`.") from None
        while True:
            answer = self.next_line()
            if answer.get("id") not in (self._number, None) or ("ok" not in answer and len(answer) == 1):
                continue
            if "error" in answer:
                raise UserError(str(answer["error"]))
            return answer

    def newest(self, kind: str, seconds: float) -> Any:
        """Return the newest value of the stream under the key `kind`, such as "status". Older values are dropped.

        Call `ask` with {"watch": true} before. The method waits at most `seconds`. Raises UserError if no value comes
        in that time or the box ends.
        """
        self._socket.settimeout(seconds)
        found: Any = None
        until_s = time.monotonic() + seconds
        # reading goes on while lines wait, so that a slow reader sees the present and not the past
        while found is None or self._waits():
            if time.monotonic() > until_s:
                if found is not None:
                    return found
                raise UserError(f"The box has sent no {kind} for {seconds:g} s: see `lefthand status`.")
            found = self.next_line().get(kind, found)
        return found

    def _waits(self) -> bool:
        """Return whether a line, or a part of one, has come that was not yet read."""
        return bool(self._unread) or bool(select.select([self._socket], [], [], 0)[0])

    def next_line(self) -> dict[str, Any]:
        """Return the next line from the box, a JSON object.

        Raises UserError if no whole line comes within the time limit of the last call, if it is longer than
        LONGEST_ANSWER or no JSON object, or when the box ends.
        """
        while b"\n" not in self._unread:
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                waited_s = self._socket.gettimeout()
                raise UserError(f"The box has not answered for {waited_s:g} s: see `lefthand status`.") from None
            except OSError:
                more = b""
            if not more:
                raise UserError("The box has ended the connection: see `lefthand status`.")
            self._unread += more
            if len(self._unread) > LONGEST_ANSWER and b"\n" not in self._unread[:LONGEST_ANSWER]:
                raise _foreign()
        line, self._unread = self._unread.split(b"\n", 1)
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise _foreign()
        return data


def _foreign() -> UserError:
    return UserError("The box has sent what is no answer: restart it with `sudo systemctl restart lefthand`.")
