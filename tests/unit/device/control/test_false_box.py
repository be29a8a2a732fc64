"""A client of the control socket meets a program that is not the box."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from device.control.client import ControlClient
from device.control.protocol import SOCKET
from device.errors import UserError


class FalseBox:
    """A program that has taken the place of the box: it sends `said` to one client, whatever that asks."""

    def __init__(self, folder: Path, said: bytes) -> None:
        folder.mkdir()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._serve, args=(said,), daemon=True).start()

    def _serve(self, said: bytes) -> None:
        peer, _ = self._listener.accept()
        with contextlib.suppress(OSError), self._listener, peer:
            while True:
                peer.sendall(said)


@pytest.mark.parametrize(
    "said", [b"x" * 65536, b"[" * 100_000 + b"\n", b"no\n", b"[1]\n", b"\xff\n"], ids=lambda said: repr(said[:4])
)
def test_a_client_takes_no_foreign_words_for_an_answer_and_ends(tmp_path: Path, said: bytes) -> None:
    FalseBox(tmp_path / "run", said)
    with ControlClient(tmp_path / "run") as client, pytest.raises(UserError, match="sent what is no answer"):
        client.ask({"settings": True})
