"""Releases every key from outside the box's process: `lefthand panic`, for use after the box died with keys held.

This program does not know which keys are held, so it releases all of them. The service runs it as its last act. It
imports only what it needs, because held keys sound until it has finished.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from device.errors import UserError
from device.outputs.silencing import controls_bytes, silencing_bytes
from device.ports.midi_ports import open_output
from device.printable import printable
from device.settings.config import DEFAULT_PATH, Config, read_config
from device.system.paths import run_dir

LIMIT_S = 0.8
"""Seconds in which all ports together must be silent after the service has ended. With the start of Python it takes
about one second in all."""
BY_HAND_S = 5.0
"""The same if a person runs the command. A busy JACK server may need a second to open a port, and a client that is left
while it opens one holds up the server, and so the box that plays on it."""
MESSAGE_S, DRAIN_S = 0.001, 0.1
"""Seconds per message on a DIN cable, and seconds for the MIDI system to pass it on. Closing earlier loses messages."""
TIMES = 2
"""All messages are sent twice: a JACK server with a dead or hanging client skips cycles and loses their messages."""
CHANNELS = 16
"""Number of the channels of a MIDI port."""
FAILED = 2
"""Exit code if a port could not be silenced."""


def main(path: Path = DEFAULT_PATH) -> int:
    """Release all keys, print a sentence for each failure, and return the exit status: 0, or FAILED after a failure.

    When the service runs this as its last command, the status is always 0.
    """
    in_service = "SERVICE_RESULT" in os.environ
    sentences = silence_all(path, run_dir(), LIMIT_S if in_service else BY_HAND_S)
    for sentence in sentences:
        print(f"lefthand: {printable(sentence)}", file=sys.stderr)
    return FAILED if sentences and not in_service else 0


def silence_all(path: Path, folder: Path | None, limit_s: float = LIMIT_S) -> list[str]:
    """Release the keys at the ports that the settings file `path` names. Return one sentence for each failure.

    A port that is not silent after `limit_s` seconds is left, which is a failure.

    Every key of the channels in the settings is released, also at the port to which the heard right hand is sent. If
    the settings cannot be read, the port comes from the last status in `folder`, and every key of channel 1 is
    released. The other channels then get only the controllers that mean silence, because releasing all their keys takes
    two seconds.
    """
    sentences: list[str] = []
    try:
        config = read_config(path)
        ports, messages = _outputs(config), silencing_bytes(config.midi.channel - 1)
        if config.synth.right_hand:
            from device.outputs.synth_link import right_hand_channel

            messages += controls_bytes(right_hand_channel(config.midi.channel - 1))
        told = dict.fromkeys(ports, messages)
        if config.midi.heard:
            told[config.midi.heard] = told.get(config.midi.heard, []) + silencing_bytes(config.midi.heard_channel - 1)
    except UserError as error:
        sentences.append(str(error))
        from device.status.schema import read_status

        status = read_status(folder)
        ports = [status.midi.output] if status is not None and status.midi.output else []
        others = [message for channel in range(1, CHANNELS) for message in controls_bytes(channel)]
        told = dict.fromkeys(ports, silencing_bytes(0) + others)
    threads = {
        port: threading.Thread(target=_silence, args=(port, messages, sentences), daemon=True)
        for port, messages in told.items()
    }
    until_s = time.monotonic() + limit_s
    for thread in threads.values():
        thread.start()
    for port, thread in threads.items():
        thread.join(max(0.0, until_s - time.monotonic()))
        if thread.is_alive():
            sentences.append(f'"{port}" takes no messages: unplug it and plug it in again, or switch it off and on.')
    return sentences


def _outputs(config: Config) -> list[str]:
    outputs = [config.midi.output] if config.plays_midi else []
    if config.plays_synth:
        from device.outputs.synth_link import SYNTH

        outputs.append(SYNTH)
    return outputs


def _silence(port: str, messages: Sequence[tuple[int, int, int]], sentences: list[str]) -> None:
    try:
        client, _ = open_output(port)
    except UserError as error:
        sentences.append(str(error))
        return
    for _ in range(TIMES):
        for message in messages:
            client.send_message(message)
        time.sleep(DRAIN_S + MESSAGE_S * len(messages))
    with contextlib.suppress(Exception):
        client.delete()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # a port that takes no messages still has a thread in the MIDI library, and the end of Python may crash in it
    os._exit(code)
