"""Reports which JACK clients give sound, and whether the JACK server has ended.

PortAudio does not report that a client has ended or has come. RtMidi does not report that the server has ended: it goes
on listing the ports that were there.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import Any

from device.ports.drivers import within_reason
from device.ports.port import CLIENT, Port


class JackClients:
    """Asks the JACK server which clients have sound outputs.

    Create this object before the sound input is opened, and close it after the sound input is closed. The other methods
    may be called while the sound input is open.

    Raises ImportError if the package JACK-Client is missing. Only a sound input on JACK needs that package. On the box,
    sound comes from ALSA.
    """

    def __init__(self) -> None:
        import jack

        self._client = None
        with contextlib.suppress(jack.JackError):
            self._client = jack.Client(f"{CLIENT} watch", no_start_server=True)

    def has(self, port: Port) -> bool:
        """Return whether the JACK client with the name of `port` has sound outputs now.

        The result is always True if no JACK server ran when this object was created.
        """
        if self._client is None:
            return True
        return bool(self._client.get_ports(f"^{re.escape(port.name)}:", is_audio=True, is_output=True))

    def sources(self) -> frozenset[str]:
        """Return the names of all clients that have sound outputs now. Empty if no JACK server runs."""
        if self._client is None:
            return frozenset()
        return frozenset(port.name.split(":")[0] for port in self._client.get_ports(is_audio=True, is_output=True))

    def close(self) -> None:
        """Disconnect from the JACK server."""
        if self._client is not None:
            within_reason(self._client.close)


class JackServer:
    """Says whether the JACK server that runs now has ended since. Create and close it as `JackClients`.

    Without the package JACK-Client, and in a service that may make no memory executable, the answer is always no.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._client: Any = None
        try:
            import jack
        except ImportError:
            return
        with contextlib.suppress(jack.JackError):
            self._client = jack.Client(f"{CLIENT} server", no_start_server=True)
            # systemd's MemoryDenyWriteExecute forbids the memory that cffi needs for a callback
            with contextlib.suppress(MemoryError):
                self._client.set_shutdown_callback(lambda *_: self._over.set())

    @property
    def ended(self) -> bool:
        """True if the server has ended."""
        return self._over.is_set()

    def close(self) -> None:
        """Disconnect from the server."""
        if self._client is not None:
            within_reason(self._client.close)
