"""A proxy to the box that cuts each connection after a number of bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes connections to `port`. If `budget` is given, each is cut after so many bytes to the box."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.budgets: list[int] = []
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                budget = self.budgets.pop(0) if self.budgets else None
                threading.Thread(target=self._pass, args=(near, far, budget), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, None), daemon=True).start()

    def _pass(self, near: socket.socket, far: socket.socket, budget: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while block := near.recv(16_384):
                far.sendall(block)
                passed += len(block)
                if budget is not None and passed >= budget:
                    self.cuts += 1
                    break
        for end in (near, far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """Run a proxy that ends with the context."""
    found = Proxy(port)
    try:
        yield found
    finally:
        found.close()
