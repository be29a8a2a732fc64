"""Plays a recording in real time as the JACK client `tape`. Usage: `tape.py SOUND [NAME]`.

It prints `ready` when its port exists, plays after a line on stdin, and prints `over` at the end. Then it stays
silent until stdin closes.
"""

from __future__ import annotations

import sys
import threading

import jack
import soundfile


def main() -> None:
    sound, rate = soundfile.read(sys.argv[1], dtype="float32")
    client = jack.Client(sys.argv[2] if len(sys.argv) > 2 else "tape", no_start_server=True)
    assert client.samplerate == rate, f"the server runs at {client.samplerate} Hz, the recording at {rate} Hz"
    port = client.outports.register("out")
    rolling, over = threading.Event(), threading.Event()
    position = 0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal position
        buffer = port.get_array()
        block = sound[position : position + frames] if rolling.is_set() else sound[:0]
        buffer[: len(block)] = block
        buffer[len(block) :] = 0
        position += len(block)
        if position == len(sound):
            over.set()

    with client:
        print("ready", flush=True)
        sys.stdin.readline()
        rolling.set()
        threading.Thread(target=tell, args=(over,), daemon=True).start()
        sys.stdin.read()


def tell(over: threading.Event) -> None:
    over.wait()
    print("over", flush=True)


if __name__ == "__main__":
    main()
