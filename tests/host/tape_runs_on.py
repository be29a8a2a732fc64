"""Plays a recording as a sound card does: it runs on while the JACK server loses a period, so that sound is lost.

Usage: `tape_runs_on.py SOUND [NAME]`. It prints `ready` when its port exists, plays after a line on stdin, and prints
`over` with the number of frames that were lost at the end. `tape.py` waits for the server and loses no sound.
"""

from __future__ import annotations

import sys
import threading
import time

import jack
import soundfile

LOST_PERIODS = 2
"""Periods behind real time from which sound counts as lost. A thread that wakes late is behind by less."""


def main() -> None:
    sound, rate = soundfile.read(sys.argv[1], dtype="float32")
    client = jack.Client(sys.argv[2] if len(sys.argv) > 2 else "tape", no_start_server=True)
    assert client.samplerate == rate, f"the server runs at {client.samplerate} Hz, the recording at {rate} Hz"
    port = client.outports.register("out")
    rolling, over = threading.Event(), threading.Event()
    position = lost = 0
    began_s = 0.0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal position, lost, began_s
        buffer = port.get_array()
        if rolling.is_set():
            began_s = began_s or time.monotonic()
            # the server of the tests stops its clock in a lost period; the crystal of a sound card does not stop
            behind = round((time.monotonic() - began_s) * rate) - position
            if behind >= LOST_PERIODS * frames:
                position += behind
                lost += behind
        block = sound[position : position + frames] if rolling.is_set() else sound[:0]
        buffer[: len(block)] = block
        buffer[len(block) :] = 0
        position += len(block)
        if position >= len(sound):
            over.set()

    def tell() -> None:
        over.wait()
        print(f"over, {lost} frames lost", flush=True)

    with client:
        print("ready", flush=True)
        sys.stdin.readline()
        rolling.set()
        threading.Thread(target=tell, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
