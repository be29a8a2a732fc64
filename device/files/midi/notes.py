"""Turns the messages of a MIDI file into notes: which key is down from when to when, on which tracks and channels."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeAlias

from device.clock.tempo_map import TempoMap
from device.errors import UserError
from device.events import DRUM_CHANNEL, KEYS, LONGEST_KEY_S, LOWEST_KEY, UNISON_S, UNRELEASED_S, Note
from device.files.midi.raw import RawTrack, Silenced, Struck
from device.printable import count_of

LONGEST_OPEN_S = 10.0
"""Seconds that a key which is never released stays down at most after the last message of its track."""
LONGEST_S = 24 * 3600.0
"""Longest right hand in seconds. A longer file is damaged, or no performance."""
MOST_NOTES = 100_000
"""Largest number of notes of a right hand. Two hours of a busy pianist are 50,000."""
ALIKE_CHANNELS = 4
"""Channel 10 can only be one of many that are used alike if at least this many others have notes."""
ALIKE_NOTES, ALIKE_PITCH = 4.0, 12
"""Channel 10 is used like the others if its number of notes differs from their median by this factor at most, and its
median pitch from theirs by this number of semitones at most."""

_ROUNDING_S = 1e-6
"""Seconds. Two times that are computed from ticks may be so much farther apart than the ticks are."""

Stretch: TypeAlias = tuple[int, int, int, int]
"""(tick at which a key goes down, tick at which it goes up, pitch, velocity) of one strike of one voice."""

LEAST_DOUBLED = 4
"""Fewest notes of two parts that are the same because a keyboard sends each on two channels."""


@dataclass(frozen=True)
class Part:
    """Holds the notes of one track, of one channel if the file has a single track, or of several tracks together."""

    number: int
    name: str
    notes: tuple[Note, ...]
    drums: bool
    end_s: float
    """Time in seconds at which the last key is released."""

    def split(self, lowest: int) -> Part:
        """Return a copy of this part in which the notes below the pitch `lowest` belong to the left hand."""
        left = (replace(note, hand="left") if note.pitch < lowest else note for note in self.notes)
        return replace(self, notes=tuple(left))

    def __str__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"{self.number}{name} ({count_of(len(self.notes), 'note')})"


def parts_of(tracks: Sequence[RawTrack], tempo_map: TempoMap) -> list[Part]:
    """Return one part for each track with notes, numbered from 0 as in the file.

    If there is a single track, return one part for each of its channels instead, numbered from 1. Channel 10 is drums,
    unless it is one of many channels that are used alike.
    """
    silenced: dict[bytes, list[Silenced]] = defaultdict(list)
    for track in tracks:
        silenced[track.port] += [m for m in track.messages if isinstance(m, Silenced)]
    voices = [_stretches(track, silenced[track.port], tempo_map) for track in tracks]
    drums = _drum_channel(voices)
    parts: list[Part] = []
    for number, (track, by_channel) in enumerate(zip(tracks, voices, strict=True)):
        groups = [(number, track.name, sorted(by_channel))]
        if len(tracks) == 1:
            groups = [(channel + 1, channel_name(channel + 1), [channel]) for channel in sorted(by_channel)]
        for part_number, name, channels in groups:
            melodic = [channel for channel in channels if channel != drums]
            stretches = [stretch for channel in melodic or channels for stretch in by_channel[channel]]
            notes = _notes(stretches, tempo_map)
            if notes:
                parts.append(_part(part_number, name, notes, drums=not melodic))
    return parts


def channel_name(number: int) -> str:
    """Return the name of the part of the channel `number`, counted from 1, of a file with a single track."""
    return f"channel {number}"


def together(parts: Sequence[Part]) -> Part:
    """Return one part of the notes of several (at least one). A key that two of them strike at once is struck once."""
    if len(parts) == 1:
        return parts[0]
    name = " and ".join(part.name or str(part.number) for part in parts)
    return _part(parts[0].number, name, united(note for part in parts for note in part.notes), drums=False)


def in_unison(parts: Sequence[Part]) -> Part | None:
    """Return one part with the notes of all `parts` (at least one) if they strike the same keys at the same times.

    Return None if they do not, or if they have different names.

    A layered keyboard sends each stroke on several channels. Fewer than LEAST_DOUBLED notes may be the same by chance,
    and tracks with different names may be meant to be told apart.
    """
    if len(parts) == 1:
        return parts[0]
    count = len(parts[0].notes)
    named = {part.name for part in parts if part.name != channel_name(part.number)}
    if count < LEAST_DOUBLED or len(named) > 1 or any(len(part.notes) != count for part in parts):
        return None
    part = together(parts)
    return part if len(part.notes) == count else None


def united(notes: Iterable[Note]) -> list[Note]:
    """Return the notes that a keyboard would play: strikes of one key within UNISON_S are one note.

    A key is down as long as any of the notes holds it, and the next strike of the key ends its note.
    """
    by_pitch: dict[int, list[Note]] = defaultdict(list)
    for note in sorted(notes, key=lambda n: n.onset_s):
        by_pitch[note.pitch].append(note)
    found: list[Note] = []
    for of_key in by_pitch.values():
        strikes: list[Note] = []
        up_s: list[float] = []
        for note in of_key:
            release_s = note.onset_s if note.offset_s is None else note.offset_s
            if strikes and note.onset_s - strikes[-1].onset_s <= UNISON_S + _ROUNDING_S:
                up_s[-1] = max(up_s[-1], release_s)
            else:
                strikes.append(note)
                up_s.append(max([release_s, *up_s[-1:]]))
        for i, strike in enumerate(strikes):
            again_s = strikes[i + 1].onset_s if i + 1 < len(strikes) else up_s[i]
            found.append(replace(strike, offset_s=min(up_s[i], again_s)))
    return sorted(found, key=lambda n: (n.onset_s, n.pitch))


def check_playable(part: Part, path: object) -> None:
    """Raise UserError, which names `path`, if the part is longer than LONGEST_S or has more than MOST_NOTES notes."""
    if part.end_s > LONGEST_S:
        raise UserError(
            f"{path} lasts {part.end_s / 3600:.0f} hours, and at most {LONGEST_S / 3600:.0f} are played: cut it."
        )
    if len(part.notes) > MOST_NOTES:
        raise UserError(
            f"{path} has {len(part.notes)} notes for the right hand, and at most {MOST_NOTES} are played: cut it."
        )


def _part(number: int, name: str, notes: list[Note], drums: bool) -> Part:
    end_s = max((note.offset_s or note.onset_s for note in notes), default=0.0)
    return Part(number, name, tuple(notes), drums, end_s)


def _notes(stretches: Sequence[Stretch], tempo_map: TempoMap) -> list[Note]:
    """Return the notes of `stretches` within the piano's range, as a keyboard would play them (see `united`).

    None of them is longer than LONGEST_KEY_S.
    """
    return united(
        Note(onset_s, min(tempo_map.seconds(off), onset_s + LONGEST_KEY_S), pitch, velocity, 1.0, onset_s, "right")
        for on, off, pitch, velocity in stretches
        for onset_s in [tempo_map.seconds(on)]
        if LOWEST_KEY <= pitch < LOWEST_KEY + KEYS
    )


def _stretches(track: RawTrack, silenced: Sequence[Silenced], tempo_map: TempoMap) -> dict[int, list[Stretch]]:
    """Return each strike of a track, by channel. `silenced` ends the notes of its channel."""
    struck: dict[tuple[int, int], list[Struck]] = defaultdict(list)
    for message in track.messages:
        if isinstance(message, Struck):
            struck[message.channel, message.pitch].append(message)
    latest_s = tempo_map.seconds(track.last_tick) + LONGEST_OPEN_S
    end = min(track.end_tick, max(track.last_tick, tempo_map.tick(latest_s)))

    def unreleased_end(at: int) -> int:
        at_s = tempo_map.seconds(at)
        return end if tempo_map.seconds(end) > at_s + UNISON_S else tempo_map.tick(at_s + UNRELEASED_S)

    found: dict[int, list[Stretch]] = defaultdict(list)
    for (channel, pitch), messages in struck.items():
        ends = sorted({m.tick for m in silenced if m.channel in (channel, None)})
        found[channel] += _paired(messages, ends, unreleased_end, pitch)
    released = {m.channel for m in track.messages if isinstance(m, Struck) and m.velocity == 0}
    for channel in found.keys() - released:
        found[channel] = _detached(found[channel], tempo_map)
    return {channel: sorted(stretches) for channel, stretches in found.items() if stretches}


def _detached(stretches: Sequence[Stretch], tempo_map: TempoMap) -> list[Stretch]:
    """Return the strikes of a channel that releases no key: each ends at the next strike, or after UNRELEASED_S.

    Strikes within UNISON_S are one chord and end together. The last ones end with their track, if it goes on after
    them.
    """
    ordered = sorted(stretches)
    times_s = [tempo_map.seconds(on) for on, *_ in ordered]
    ended: list[Stretch] = []
    for (on, off, pitch, velocity), at_s in zip(ordered, times_s, strict=True):
        chord_s = at_s + UNISON_S + _ROUNDING_S
        following = bisect.bisect_right(times_s, chord_s)
        end = tempo_map.tick(at_s + UNRELEASED_S)
        if following < len(ordered):
            end = min(off, end, ordered[following][0])
        elif tempo_map.seconds(off) > chord_s:
            end = min(off, end)
        ended.append((on, end, pitch, velocity))
    return ended


def _paired(
    messages: Sequence[Struck], silenced: Sequence[int], unreleased_end: Callable[[int], int], pitch: int
) -> list[Stretch]:
    """Return the strikes of one key, `pitch`, on one channel of one track.

    `silenced` holds the ticks at which all notes end. `unreleased_end` returns the end, in ticks, of a strike at a tick
    that nothing ends.

    If the key goes up as often as it goes down, two voices may hold it at once, and each strike has an end of its own:
    the key stays down until the last of them. Otherwise some ends are missing, and a strike ends the strike before.
    """
    ups = sum(message.velocity == 0 for message in messages)
    in_pairs = 2 * ups == len(messages)
    down: list[Struck] = []
    found: list[Stretch] = []
    quiet = list(reversed(silenced))

    def close(struck: Struck, tick: int) -> None:
        found.append((struck.tick, tick, pitch, struck.velocity))

    for message in messages:
        while quiet and quiet[-1] <= message.tick:
            tick = quiet.pop()
            while down:
                close(down.pop(0), tick)
        if down and (message.velocity == 0 or not in_pairs):
            close(down.pop(0), message.tick)
        if message.velocity > 0:
            down.append(message)
    for struck in down:
        close(struck, quiet[-1] if quiet else unreleased_end(struck.tick))
    return found


def _drum_channel(voices: Sequence[dict[int, list[Stretch]]]) -> int | None:
    """Return the channel of the drums, counted from 0, or None if no channel is that of drums.

    It is channel 9, which players call channel 10. It is none if there are at least `ALIKE_CHANNELS` others, and it has
    about as many notes as they have, at about the same pitches.
    """
    pitches: dict[int, list[int]] = defaultdict(list)
    for by_channel in voices:
        for channel, stretches in by_channel.items():
            pitches[channel] += [pitch for _, _, pitch, _ in stretches]
    tenth = pitches.pop(DRUM_CHANNEL, [])
    if not tenth or len(pitches) < ALIKE_CHANNELS:
        return DRUM_CHANNEL
    usual = median(len(of_channel) for of_channel in pitches.values())
    middle = median(pitch for of_channel in pitches.values() for pitch in of_channel)
    alike = usual / ALIKE_NOTES <= len(tenth) <= usual * ALIKE_NOTES and abs(median(tenth) - middle) <= ALIKE_PITCH
    return None if alike else DRUM_CHANNEL
