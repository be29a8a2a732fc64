"""Turns a status into lines of text."""

from __future__ import annotations

from device.status.schema import STALE_S, DoubtStatus, NoteStatus, Status

NOTES = 8
"""Number of notes in a line."""
METER_DB = (-60.0, 0.0)
"""Levels in dBFS at the two ends of the level meter."""
DOUBTS = {
    "silence": "no note for {beats} beats",
    "few onsets": "too few notes so far",
    "other tempo": "the notes fit another tempo as well",
    "other place": "the notes fit another place in the beat as well",
    "uneven": "the notes fit no steady beat",
    "count-in": "the notes contradict the count-in",
    "no pulses": "the MIDI clock sends no pulses",
}
"""Why the lock is low, by the kind of doubt, in the words of the page (`doubts` in device/page/static/texts.js)."""
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(pitch: int) -> str:
    """Return the name of a MIDI pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def notes_line(notes: list[NoteStatus]) -> str:
    """Return the names of the last NOTES notes as one line, oldest first; "-" if there is none."""
    return " ".join(note_name(note.pitch) for note in notes[-NOTES:]) or "-"


def bar(value: float, low: float, high: float, width: int = 20) -> str:
    """Return a meter of `width` characters: "#" from `low` up to `value`, "." from there to `high`."""
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    filled = round(share * width)
    return "#" * filled + "." * (width - filled)


def trouble(status: Status, age_s: float) -> str | None:
    """Return a sentence that says why the status is out of date; None if it is current.

    `age_s` is the age of the status file in seconds.
    """
    if not status.alive:
        return f"The box has ended (process {status.pid}) and left its last status, {age_s:.0f} s old."
    if age_s > STALE_S:
        return f"The box (process {status.pid}) has reported nothing for {age_s:.0f} s: it hangs, or is stopped."
    return None


def one_line(status: Status) -> str:
    """Return the values that matter while playing, as one line for a terminal without a live view."""
    parts = [f"{status.state}: {status.message}"]
    if status.state == "playing":
        level = "-" if status.audio.level_db is None else f"{status.audio.level_db:.0f} dB"
        parts += [
            f"level {level}",
            f"heard {notes_line(status.heard)}",
            f"beat {beat(status)}",
            f"chord {status.chord or '-'}",
            f"played {notes_line(status.played)}",
            f"hop {status.hop.p99_ms:.1f} ms",
            f"xruns {status.audio.xruns}",
        ]
    return " | ".join(parts)


def beat(status: Status) -> str:
    """Return the beat in the bar from 1, with tempo, lock and doubt if they are known; "-" without a beat.

    The tempo is in beats per minute. The lock says in percent how certain the beat is, and the doubt says why it is
    not.
    """
    if status.beat is None:
        return "-"
    tempo = "" if status.tempo is None else f" at {status.tempo:.0f}"
    lock = "" if status.lock is None else f", lock {status.lock:.0%}"
    why = "" if status.doubt is None else f": {doubt_in_words(status.doubt)}"
    return f"{status.beat + 1}{tempo}{lock}{why}"


def doubt_in_words(doubt: DoubtStatus) -> str:
    """Return why the lock is low, such as "no note for 6 beats"."""
    return DOUBTS[doubt.kind].format(beats=doubt.beats)


def steering(status: Status) -> str:
    """Return in words how the left hand plays: armed or not, style, density, register, and whether the tempo is held.

    Returns "-" if no session is open or the box only listens.
    """
    now = status.steering
    if now is None:
        return "-"
    if not now.armed:
        return "not armed"
    held = ", holds its keys" if now.hold else ", waits for the count-in" if now.counting_in else ""
    tempo = ", keeps the tempo" if now.tempo_held else ""
    return f"{now.style}, density {now.density:.2f}, register {now.register:+d}{held}{tempo}"


def lines(status: Status) -> list[tuple[str, str]]:
    """Return the whole status as pairs of name and value."""
    audio, midi, hop = status.audio, status.midi, status.hop
    level = "-"
    if audio.level_db is not None:
        level = f"{bar(audio.level_db, *METER_DB)} {audio.level_db:.1f} dB"
    return [
        ("state", f"{status.state}: {status.message}"),
        ("since", status.since),
        ("process", f"{status.pid}, lefthand {status.version}, {status.rss_mb:.0f} MB"),
        ("bundle", f"{status.bundle.id} {status.bundle.path}".strip() or "-"),
        ("input", midi.input or (f"{audio.port} at {audio.rate} Hz" if audio.port else "-")),
        ("output", midi.output or "-"),
        ("level", level),
        ("tuning", "-" if audio.tuning_cents is None else f"{audio.tuning_cents:+.0f} cents from A4 = 440 Hz"),
        ("heard", notes_line(status.heard)),
        ("beat", beat(status)),
        ("chord", status.chord or "-"),
        ("plays", steering(status)),
        ("played", notes_line(status.played)),
        ("hop", f"half within {hop.p50_ms:.2f}, 99 % within {hop.p99_ms:.2f} of {hop.length_ms:.0f} ms"),
        ("late", "-" if status.send_p99_ms is None else f"99 % of the messages within {status.send_p99_ms:.1f} ms"),
        ("xruns", str(audio.xruns)),
        ("faults", ", ".join(f"{name}: {count}" for name, count in sorted(status.faults.items())) or "none"),
    ]
