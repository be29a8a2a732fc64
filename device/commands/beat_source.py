"""Says in a sentence where the beat of a run came from, whether the count-in was heard, and which metre was used."""

from __future__ import annotations

from collections.abc import Sequence

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.midi_clock import MidiClock
from device.clock.step import Clock
from device.following.follow_clock import FollowClock
from device.make_clock import DEFAULT_METER, CountedClock

MOST_METRES = 3
"""Number of metres of a file that are named. The rest are counted."""


def beat_sources(clocks: Sequence[tuple[float, Clock]], beats_s: Sequence[float], foreseen: bool = False) -> str:
    """Return sentences about the beat of a run in which the owner may have changed the clock.

    `clocks` has each clock, after the run, with the time from which on it was used, in seconds and in order. `beats_s`
    holds the times of all beats. If there are several clocks, the first is named if it gave a beat, and the last.
    `foreseen` says that the first clock got its beat from later notes of the file, and not from taps of the player.
    """
    (_, first), (since_s, last) = clocks[0], clocks[-1]
    if len(clocks) == 1:
        return beat_source(first, has_beats=bool(beats_s), foreseen=foreseen)
    begins = (
        beat_source(first, has_beats=True, foreseen=foreseen) + " "
        if any(at_s < clocks[1][0] for at_s in beats_s)
        else ""
    )
    changed = "The clock was changed" + (f" {len(clocks) - 1} times, last" if len(clocks) > 2 else "")
    ends = beat_source(last, has_beats=any(at_s >= since_s for at_s in beats_s))
    return f"{begins}{changed} at {since_s:.1f} s: {ends[0].lower()}{ends[1:]}"


def beat_source(clock: Clock, *, has_beats: bool, foreseen: bool = False) -> str:
    """Return a sentence about the beat of `clock` after it has heard a whole file.

    `has_beats` says whether it gave a beat, `foreseen` whether the beat comes from later notes of the file. If a
    count-in was looked for and not heard, the sentence says so and names the options that help.
    """
    if isinstance(clock, FollowClock):
        return _followed(clock, has_beats=has_beats, foreseen=foreseen)
    given = (
        "that of the MIDI clock"
        if isinstance(clock, MidiClock)
        else "the set tempo"
        if isinstance(clock, FixedClock)
        else "that of the file's tempo map"
    )
    counts = clock.count_in if isinstance(clock, FixedClock | CountedClock) else None
    if counts is None or not counts.wanted:
        return f"The beat is {given}."
    if counts.complete:
        return f"The beat is {given}, after a count-in of {counts.wanted}."
    return (
        f"Only {len(counts.onsets)} of the {counts.wanted} notes of the count-in came, so nothing was played: "
        f"--count-in N says how many count in."
    )


def _followed(clock: FollowClock, *, has_beats: bool, foreseen: bool) -> str:
    """Return a sentence that says from what the clock of a player got its beat."""
    if clock.counted_in:
        counted = f"The beat follows the player, after a count-in of {clock.count_in}"
        since_s = clock.found_count_in_s
        counted += "." if since_s is None else f" at {since_s:.1f} s (if this was music, give --count-in 0)."
        if counts := clock.whole_counts:
            counted += f" If the notes that came next on its key were counts too, give --count-in {counts}."
        return counted
    if clock.tapped and not foreseen:
        return "The beat follows the player, from the tapped beats on."
    found = "the beat was found in the notes" if has_beats else "no beat was found in the notes"
    if foreseen:
        found += " of the file, also in later ones"
    if not clock.count_in:
        return f"No count-in was looked for, and {found}."
    looked_for = "four even notes on one key" if clock.looks_for_count_in else f"{clock.count_in} even notes"
    link = "so" if has_beats else "and"
    return (
        f"No count-in ({looked_for}) was heard, {link} {found}: if you counted in, --count-in N says by how many "
        f"even notes, and --tempo BPM says how fast."
    )


def metre_source(given: Meter | None, in_file: Sequence[Meter] = ()) -> str:
    """Return a sentence about the metre of a run that had a beat.

    `given` is the metre that the owner or a recording has set. `in_file` holds the metres that a MIDI file names, in
    order, of which some may be the same. They count only if `given` is None.
    """
    if given is not None:
        return f"The metre is {given}."
    names = [str(meter) for meter in dict.fromkeys(in_file)]
    if not names:
        return f"The metre is taken to be {DEFAULT_METER}: --meter M names another."
    if len(names) == 1:
        return f"The metre is {names[0]}, as the file says."
    more = len(names) - MOST_METRES
    last = names[-1] if more <= 0 else f"{more} more"
    return f"The metres are {', '.join(names[:-1][:MOST_METRES])} and {last}, as the file says."
