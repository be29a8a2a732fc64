"""An instrument with sound: the JACK client NAME with a MIDI port `in` and an audio port `out`.

Usage: `sounding.py NAME DELAY_MS`. Each note-on makes a piano sound that starts exactly DELAY_MS later. It prints
`ready`, and ends when stdin closes.
"""

from __future__ import annotations

import struct
import sys

import jack
import numpy as np

from device.events import Note
from device.files.results.render import render

LENGTH_S = 0.6
FADE_S = 0.05
LOWEST, HIGHEST = 60, 84
NOISE = 1e-4
"""Level of the noise of a quiet input. Full scale is 1."""


def main() -> None:
    name, delay_ms = sys.argv[1], float(sys.argv[2])
    client = jack.Client(name, no_start_server=True)
    keys = client.midi_inports.register("in")
    port = client.outports.register("out")
    delay = round(delay_ms / 1e3 * client.samplerate)
    tones = {pitch: tone(pitch, client.samplerate) for pitch in range(LOWEST, HIGHEST + 1)}
    ring = np.zeros(delay + len(tones[LOWEST]) + 8192, np.float32)
    hiss = NOISE * np.random.default_rng(0).standard_normal(client.samplerate).astype(np.float32)
    now = 0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal now
        for offset, data in keys.incoming_midi_events():
            if len(data) != 3:
                continue
            status, pitch, velocity = struct.unpack("3B", data)
            if status >> 4 == 9 and velocity and pitch in tones:
                sound = tones[pitch]
                places = (now + offset + delay + np.arange(len(sound))) % len(ring)
                ring[places] += sound
        places = (now + np.arange(frames)) % len(ring)
        port.get_array()[:] = ring[places] + hiss[(now + np.arange(frames)) % len(hiss)]
        ring[places] = 0
        now += frames

    with client:
        print("ready", flush=True)
        sys.stdin.read()


def tone(pitch: int, rate: int) -> np.ndarray:
    """Return a piano's sound that begins with its first sample."""
    sound = render([Note(0.0, LENGTH_S, pitch, 90, 1.0, 0.0, "right")], rate)[:, 0]
    # the silence at the sample's start does not belong to the delay
    first = int(np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())[0])
    cut = sound[first : first + round(LENGTH_S * rate)].astype(np.float32)
    fade = round(FADE_S * rate)
    cut[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return cut * np.float32(0.3 / np.abs(cut).max())


if __name__ == "__main__":
    main()
