"""A MIDI instrument with the ports NAME:in and NAME:out: usage `instrument.py NAME [--echo] [--sensing]`.

It reads lines of JSON from stdin and answers each with one line:

    {"play": [[seconds, kind, note, velocity], ...]}    plays these messages to the end. The answer is the monotonic
        seconds at which each was sent. Kinds such as `clock` and `start` ignore note and velocity, and
        `control_change` takes controller and value in their place.
    {"received": true}    The answer is all received messages, as [monotonic seconds, kind, note, velocity]. A
        controller has the kind `control_change`, its number and its value.

With --echo it sends every received message back at once. With --sensing it receives Active Sensing too. It ends when
stdin closes.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import mido

STOPPED_S = 0.1
"""An instrument that is later than this, because the machine stopped it, plays the rest later too and in rhythm."""


def main() -> None:
    name, echo = sys.argv[1], "--echo" in sys.argv
    backend = mido.Backend("mido.backends.rtmidi/UNIX_JACK", load=True)
    received: list[list[Any]] = []
    sending = threading.Lock()
    # mido's ports are virtual if a client name is given, as needed here
    out = backend.open_output("out", virtual=True, client_name=f"{name} out")

    def take(message: mido.Message) -> None:
        received.append([time.monotonic(), *_plain(message)])
        if echo:
            with sending:
                out.send(message)

    into = backend.open_input("in", virtual=True, client_name=f"{name} in", callback=take)
    if "--sensing" in sys.argv:
        into._rt.ignore_types(False, False, False)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "received" in asked:
            print(json.dumps(received), flush=True)
            continue
        start_s, sent = time.monotonic(), []
        for at_s, kind, note, velocity in asked["play"]:
            late_s = time.monotonic() - (start_s + at_s)
            if late_s > STOPPED_S:
                start_s += late_s
            time.sleep(max(0.0, start_s + at_s - time.monotonic()))
            with sending:
                sent.append(time.monotonic())
                out.send(_message(kind, note, velocity))
        print(json.dumps(sent), flush=True)
    into.close()
    out.close()


def _message(kind: str, note: int, velocity: int) -> mido.Message:
    if kind == "control_change":
        return mido.Message(kind, control=note, value=velocity)
    return mido.Message(kind, note=note, velocity=velocity) if kind.startswith("note") else mido.Message(kind)


def _plain(message: mido.Message) -> list[Any]:
    if message.type == "control_change":
        return [message.type, message.control, message.value]
    if message.type in ("note_on", "note_off"):
        off = message.type == "note_off" or message.velocity == 0
        return ["note_off" if off else "note_on", message.note, message.velocity]
    return [message.type, message.program if message.type == "program_change" else 0, 0]


if __name__ == "__main__":
    main()
