"""Measures the sound level at JACK's audio ports. Usage: `ear.py PORT_PATTERN`.

For each line on stdin it prints the peak level since the previous line, over all ports that match the pattern. New
ports are included as soon as they appear. It ends when stdin closes.
"""

from __future__ import annotations

import contextlib
import sys
import threading

import jack
import numpy as np

LOOK_S = 0.1


def main() -> None:
    pattern = sys.argv[1]
    client = jack.Client("ear", no_start_server=True)
    port = client.inports.register("in")
    peak = 0.0
    ended = threading.Event()

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal peak
        peak = max(peak, float(np.max(np.abs(port.get_array()))))

    def look() -> None:
        while not ended.wait(LOOK_S):
            # a port may disappear after it was listed
            with contextlib.suppress(jack.JackError):
                joined = {other.name for other in client.get_all_connections(port)}
                for source in client.get_ports(pattern, is_audio=True, is_output=True):
                    if source.name not in joined:
                        client.connect(source, port)

    with client:
        looking = threading.Thread(target=look)
        looking.start()
        print("ready", flush=True)
        for _ in sys.stdin:
            print(peak, flush=True)
            peak = 0.0
        ended.set()
        looking.join()


if __name__ == "__main__":
    main()
