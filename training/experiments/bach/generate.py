"""Continues the beginning of a chorale with the Bach net, writes the result as MIDI, and computes its figures."""

from __future__ import annotations

from pathlib import Path

import mido

from device.errors import UserError
from training.experiments.bach.corpus import Chorale4
from training.experiments.bach.net import Bach, Sampling

START = 16
"""Number of events of a chorale with which a generated piece begins. An event is a note, a chord or a rest."""
TICKS = 480
EVENT_TICKS = TICKS // 2
"""MIDI ticks of an event: an eighth, the commonest distance between two events of a chorale."""
TEMPO = 84
"""Quarter notes a minute."""


def generated(net: Bach, chorales: list[Chorale4], start: int, length: int, sampling: Sampling, seed: int) -> list[str]:
    """Continue the first `START` events of chorale number `start` up to `length` events. Return all tokens.

    Raises UserError if there is no such chorale, or if the length is not above `START`.
    """
    if not 0 <= start < len(chorales):
        raise UserError(f"--start {start}: there are the chorales 0 to {len(chorales) - 1}.")
    if length <= START:
        raise UserError(f"--length {length} is not above the {START} events of the start sequence.")
    first = [int(n) for n in net.vocabulary.numbers(chorales[start])[:START]]
    return [net.vocabulary.tokens[n] for n in net.continued(first, length, sampling, seed)]


def figures(tokens: list[str]) -> dict[str, float]:
    """Return figures of the tokens after the first `START`, which the net has generated.

    They are the number of different tokens, the share of tokens equal to the one before, and the longest repeat.
    """
    own = tokens[START:]
    same = [a == b for a, b in zip(own, own[1:], strict=False)]
    longest = run = 0
    for equal in same:
        run = run + 1 if equal else 0
        longest = max(longest, run)
    return {
        "events": len(own),
        "different": len(set(own)),
        "repeated": sum(same) / max(len(same), 1),
        "longest_repeat": longest,
    }


def write_midi(tokens: list[str], pitches: dict[str, tuple[int, ...]], path: Path) -> int:
    """Write tokens as a MIDI file, one eighth each. Return the number of notes.

    A token that equals the one before is held, not struck again. `pitches` gives the MIDI pitches of each token. A
    token without pitches (a rest, or an unknown chord) is silent.
    """
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO))])
    wait, notes, before = 0, 0, ""
    sounding: tuple[int, ...] = ()
    for token in [*tokens, ""]:
        if token != before:
            for pitch in sounding:
                track.append(mido.Message("note_off", note=pitch, time=wait))
                wait = 0
            sounding = pitches.get(token, ())
            for pitch in sounding:
                track.append(mido.Message("note_on", note=pitch, velocity=70, time=wait))
                wait = 0
            notes += len(sounding)
        before = token
        wait += EVENT_TICKS
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(str(path))
    return notes
