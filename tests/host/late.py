"""A JACK client `late` that misses periods on request. A line on stdin gives the number of periods, 20 in a second."""

from __future__ import annotations

import sys
import time

import jack

LATE_S = 0.02
EVERY_S = 0.05


def main() -> None:
    client = jack.Client("late", no_start_server=True)
    client.inports.register("in")
    left, next_s = 0, 0.0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal left, next_s
        if left and time.monotonic() >= next_s:
            next_s = time.monotonic() + EVERY_S
            left -= 1
            time.sleep(LATE_S)
            if not left:
                print("done", flush=True)

    with client:
        print("ready", flush=True)
        for line in sys.stdin:
            left = int(line)


if __name__ == "__main__":
    main()
