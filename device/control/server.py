"""Serves the control socket of the box: one thread answers a bounded number of clients.

The audio loop never waits for this thread. Actions go into the loop's bounded queue, and events for the stream come
from a bounded list. Changes of settings wait for the disk, so a second thread carries them out, one after another. A
third thread carries out requests that look at the machine, which may take seconds, and a fourth one plays notes to try
an output.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from device.control.client_line import ClientLine
from device.control.protocol import (
    SOCKET,
    Ask,
    Calibrate,
    Delete,
    Do,
    Learn,
    Look,
    Record,
    Request,
    RequestError,
    Reset,
    Set,
    Subscribe,
    TryOutput,
    line_of,
    moments_line,
    parsed,
    status_line,
)
from device.errors import UserError
from device.settings.changes import Wanted
from device.settings.controls import Action
from device.status.moments import Moments
from device.status.schema import Status
from device.system.untrusted_files import own_folder

MOST_CLIENTS = 16
"""Most clients at the same time. The page needs one, for any number of browsers. Each `lefthand do` needs one for a
moment."""
BACKLOG = 64
"""Most connections that wait to be accepted."""
MOST_CHANGES = 16
"""Most changes of settings that may wait for the disk. Any further one is refused with a sentence."""
MOST_LOOKS = 4
"""Most requests to look at the machine that may wait. Each may take seconds."""
MOST_NOTES = 4
"""Most notes to try an output that may wait. They do not wait behind a look, which may take more than a minute."""
MODE = 0o660
"""Rights of the socket's file: its user and its group may read and write, others may not."""
TURN_S = 0.02
"""Seconds between two looks for new events while a client watches. So an event waits 10 ms on average."""
REST_S = 0.005
"""Seconds of rest after a turn in which a client sent something. So even a flood of requests leaves the processor to
the audio loop."""
JOIN_S = 0.5
"""Seconds that `close` waits for each thread to end."""

log = logging.getLogger("lefthand")


class Orders(Protocol):
    """Carries out what clients ask. Each method raises UserError with a sentence for the client if it refuses."""

    def act(self, action: Action) -> None:
        """Send an action to the audio loop, which carries it out later. Does not wait."""
        ...

    def change(self, wanted: Wanted) -> None:
        """Check changes of settings, make them count, and store them. May wait for the disk."""
        ...

    def reset(self) -> None:
        """Remove all changes of settings, so that the settings file alone counts. May wait for the disk."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return the present settings, and what differs from the settings file, as JSON values."""
        ...

    def record(self, on: bool) -> None:
        """Begin a recording if `on` is true, otherwise end it. Either begins a new session."""
        ...

    def delete(self, number: str) -> None:
        """Remove the recording `number`. May wait for the disk."""
        ...

    def try_output(self, port: str) -> None:
        """Play one note on the MIDI output `port`, or on the outputs in use if it is "". May take seconds."""
        ...

    def calibrate(self, input_: str | None) -> None:
        """Begin to measure how late the outputs sound, with the sound input `input_`, and return at once.

        "" is the input in use. None stops the measurement.
        """
        ...

    def learn(self, control: str | None) -> None:
        """Begin to wait for a press of a foot switch, and return at once. None stops the waiting.

        `control` is the key of [controls] under which the pressed switch is stored.
        """
        ...

    def look(self, name: str) -> dict[str, Any]:
        """Return what is seen under `name`, one of LOOKS, as JSON values. May take seconds."""
        ...


class ControlServer:
    """Serves clients on the socket in `folder` from construction until `close`.

    `orders` carries out what they ask. The events for the stream come from `moments`. If the socket cannot be opened,
    one warning is logged and the box plays without it. If a thread fails, `failed` is called with the error.
    """

    def __init__(
        self, folder: Path | None, orders: Orders, moments: Moments, failed: Callable[[Exception], None]
    ) -> None:
        """Open the socket and start the threads. If `folder` is None, there is no socket and no thread."""
        self._folder, self._orders, self._moments, self._failed = folder, orders, moments, failed
        self._clients: dict[socket.socket, ClientLine] = {}
        self._latest: Status | None = None
        self._changes: queue.Queue[tuple[ClientLine, int, Request] | None] = queue.Queue(MOST_CHANGES)
        self._looks: queue.Queue[tuple[ClientLine, int, Request] | None] = queue.Queue(MOST_LOOKS)
        self._notes: queue.Queue[tuple[ClientLine, int, Request] | None] = queue.Queue(MOST_NOTES)
        self._done: queue.SimpleQueue[tuple[ClientLine, bytes]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._listener = self._open()
        self._threads = [
            threading.Thread(target=self._guarded, args=(run,), name=name, daemon=True)
            for run, name in (
                (self._serve, "control"),
                (lambda: self._carry_out(self._changes), "control changes"),
                (lambda: self._carry_out(self._looks), "control looks"),
                (lambda: self._carry_out(self._notes), "control notes"),
            )
        ]
        if self._listener is not None:
            for thread in self._threads:
                thread.start()

    def publish(self, status: Status) -> None:
        """Keep `status` as the newest status, which is soon sent to all clients that watch.

        Any thread may call this. A status that was not sent yet is replaced.
        """
        self._latest = status

    def close(self) -> None:
        """Disconnect all clients and remove the socket."""
        self._closing.set()
        for waiting in (self._changes, self._looks, self._notes):
            with contextlib.suppress(queue.Full):
                waiting.put_nowait(None)
        self._wake()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_S)
        if self._listener is not None and self._folder is not None:
            self._listener.close()
            with contextlib.suppress(OSError):
                (self._folder / SOCKET).unlink(missing_ok=True)
        for end in (self._wake_read, self._wake_write):
            end.close()

    def _open(self) -> socket.socket | None:
        """Return the listening control socket. None if there is no folder for it, or if it cannot be opened."""
        if self._folder is None:
            return None
        path = self._folder / SOCKET
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            # another account that owns the folder could put its own socket there
            os.close(own_folder(self._folder))
            # a box that was killed leaves its socket
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            path.chmod(MODE)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            log.warning("the control socket %s cannot be opened (%s): playing goes on", path, error)
            return None
        return listener

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_write.send(b"\0")

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:
            if not self._closing.is_set():
                self._failed(error)

    # the thread that serves the clients

    def _serve(self) -> None:
        """Serve all clients until the server is closed: a turn a request, or every TURN_S while one watches."""
        assert self._listener is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._wake_read, selectors.EVENT_READ)
            shown: Status | None = None
            while not self._closing.is_set():
                shown = self._show(shown)
                self._answer()
                pending = any(client.has_request for client in self._clients.values())
                for client in list(self._clients.values()):
                    self._look_after(ready, client)
                watched = any(client.watches for client in self._clients.values())
                found = ready.select(0 if pending else TURN_S if watched else None)
                if any(key.fileobj is self._listener for key, _ in found):
                    self._accept(ready)
                if any(key.fileobj is self._wake_read for key, _ in found):
                    with contextlib.suppress(OSError):
                        self._wake_read.recv(4096)
                busy = pending
                for key, events in found:
                    client_there = self._clients.get(key.fileobj)  # type: ignore[call-overload]
                    if client_there is not None and events & selectors.EVENT_READ:
                        busy = True
                        client_there.receive()
                for client in list(self._clients.values()):
                    for line in client.requests():
                        self._take(client, line)
                if busy:
                    self._closing.wait(REST_S)
            for client in self._clients.values():
                client.socket.close()

    def _accept(self, ready: selectors.BaseSelector) -> None:
        """Take the next client. One client too many gets an answer that says so, and is closed."""
        assert self._listener is not None
        try:
            peer, _ = self._listener.accept()
        except OSError:
            # the client has gone, or the process has no descriptor left
            return
        peer.setblocking(False)
        client = ClientLine(peer)
        if len(self._clients) >= MOST_CLIENTS:
            client.send(line_of({"id": None, "error": f"{MOST_CLIENTS} programs steer the box already: close one."}))
            client.flush()
            peer.close()
            return
        self._clients[peer] = client
        ready.register(peer, selectors.EVENT_READ)

    def _look_after(self, ready: selectors.BaseSelector, client: ClientLine) -> None:
        """Send what waits for `client`, and choose what `ready` waits for: its next bytes, or room to send.

        A client whose connection is over is closed and forgotten.
        """
        client.flush()
        if client.over:
            ready.unregister(client.socket)
            del self._clients[client.socket]
            client.socket.close()
            return
        reading = 0 if client.has_request else selectors.EVENT_READ
        events = reading | (selectors.EVENT_WRITE if client.waiting else 0)
        # a client whose requests still wait is not read; selectors needs one event, and writing is what it gets
        ready.modify(client.socket, events or selectors.EVENT_WRITE)

    def _show(self, shown: Status | None) -> Status | None:
        """Send the new events, and the status if it is newer than `shown`, to all clients that watch.

        Return the newest status, or None if nobody watches.
        """
        watching = [client for client in self._clients.values() if client.watches]
        if not watching:
            return None
        moments, latest = self._moments.taken(), self._latest
        lines = [moments_line(moments, time.monotonic())] if moments else []
        if latest is not None and latest is not shown:
            lines.append(status_line(latest))
        for client in watching:
            for line in lines:
                client.show(line)
        return latest

    def _answer(self) -> None:
        while not self._done.empty():
            client, line = self._done.get_nowait()
            client.send(line)

    def _take(self, client: ClientLine, line: bytes) -> None:
        """Answer one request of a client: carry it out here, or hand it to a thread if it may take long."""
        try:
            number, request = parsed(line)
        except RequestError as error:
            client.send(line_of({"id": error.number, "error": str(error)}))
            client.misunderstood()
            return
        client.understood()
        try:
            match request:
                case Do(action):
                    self._orders.act(action)
                case Subscribe(on):
                    self._watch(client, on)
                case Ask():
                    client.send(line_of({"id": number, "settings": self._orders.settings()}))
                    return
                case Set() | Reset() | Record() | Delete() | Calibrate() | Learn():
                    try:
                        self._changes.put_nowait((client, number, request))
                    except queue.Full:
                        raise UserError("Too many changes wait for the disk: try again in a moment.") from None
                    return
                case TryOutput():
                    try:
                        self._notes.put_nowait((client, number, request))
                    except queue.Full:
                        raise UserError("Too many notes wait to be played: try again in a moment.") from None
                    return
                case Look():
                    try:
                        self._looks.put_nowait((client, number, request))
                    except queue.Full:
                        raise UserError("The box looks already: try again in a moment.") from None
                    return
            client.send(line_of({"id": number, "ok": True}))
        except UserError as error:
            client.send(line_of({"id": number, "error": str(error)}))

    def _watch(self, client: ClientLine, on: bool) -> None:
        if on and not any(other.watches for other in self._clients.values()):
            # moments from before anybody watched
            self._moments.taken()
        client.watches = on
        if on and self._latest is not None:
            client.show(status_line(self._latest))

    # the threads that change settings and look at the machine

    def _carry_out(self, requests: queue.Queue[tuple[ClientLine, int, Request] | None]) -> None:
        """Carry out the requests of a queue in turn until None comes or the server closes. Answers go to `_done`."""
        while (taken := requests.get()) is not None and not self._closing.is_set():
            client, number, request = taken
            answer: dict[str, Any] = {"id": number, "ok": True}
            try:
                if isinstance(request, Set):
                    self._orders.change(request.wanted)
                elif isinstance(request, Look):
                    answer = {"id": number, "look": self._orders.look(request.name)}
                elif isinstance(request, Record):
                    self._orders.record(request.on)
                elif isinstance(request, Delete):
                    self._orders.delete(request.number)
                elif isinstance(request, TryOutput):
                    self._orders.try_output(request.port)
                elif isinstance(request, Calibrate):
                    self._orders.calibrate(request.input_)
                elif isinstance(request, Learn):
                    self._orders.learn(request.control)
                else:
                    self._orders.reset()
            except UserError as error:
                answer = {"id": number, "error": str(error)}
            self._done.put((client, line_of(answer)))
            self._wake()
