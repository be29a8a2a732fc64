"""Plays a recording in real time as the JACK client `tape`. Usage: `tape.py SOUND [NAME]`.

It prints `ready` when its port exists, plays after a line on stdin, and prints `over` at the end. Then it stays
silent until stdin closes. After the line `again` it plays again and again, with a pause between, and is never over.
"""

from __future__ import annotations

import sys
import threading

import jack
import soundfile

PAUSE_S = 2.0
"""Seconds of silence before the recording is played again."""


def main() -> None:
    sound, rate = soundfile.read(sys.argv[1], dtype="float32")
    client = jack.Client(sys.argv[2] if len(sys.argv) > 2 else "tape", no_start_server=True)
    assert client.samplerate == rate, f"the server runs at {client.samplerate} Hz, the recording at {rate} Hz"
    port = client.outports.register("out")
    rolling, again, over = threading.Event(), threading.Event(), threading.Event()
    position = 0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal position
        buffer = port.get_array()
        block = sound[position : position + frames] if rolling.is_set() else sound[:0]
        buffer[: len(block)] = block
        buffer[len(block) :] = 0
        position += frames if rolling.is_set() else 0
        if position >= len(sound) and not again.is_set():
            over.set()
        elif position >= len(sound) + PAUSE_S * rate:
            position = 0

    with client:
        print("ready", flush=True)
        if sys.stdin.readline().strip() == "again":
            again.set()
        rolling.set()
        threading.Thread(target=tell, args=(over,), daemon=True).start()
        sys.stdin.read()


def tell(over: threading.Event) -> None:
    over.wait()
    print("over", flush=True)


if __name__ == "__main__":
    main()
