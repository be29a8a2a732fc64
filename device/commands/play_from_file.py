"""Plays the left hand to one file, as a request of `lefthand play` asks, and writes the outputs."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec

from device.assemble import hearing_of, left_hand_of
from device.bundles.bundle import Bundle, default_bundle, folder_of
from device.clock.map_fit import fits
from device.clock.meter import Meter
from device.clock.step import Clock, UseClock
from device.commands.beat_source import beat_sources, metre_source
from device.commands.play_request import Request
from device.engine import Engine, Player
from device.errors import UserError, missing_extra
from device.files.input_kind import is_midi
from device.files.midi.file import MidiInput, read_midi, sent_notes
from device.files.midi.hands import about_hands
from device.files.midi.notes import Part
from device.files.midi_run import captured_end, play_midi
from device.files.performance import Performance
from device.files.play import Progress, measured_tuning, play_sound
from device.files.real_time import at_once
from device.files.results.outputs import Outputs
from device.files.results.report import BundleName
from device.files.results.writer import ResultWriter
from device.files.sound.file import SoundFile
from device.flash.preflight import preflight
from device.following.follow_clock import FollowClock
from device.following.look_ahead import beats_before, has_count_in
from device.hearing.features import FeatureSpec
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.make_clock import Mode, make_clock, warnings_of
from device.printable import count_of, printable
from device.recording.capture import how_captured, memory_captured
from device.settings.choices import AS_FITTED, SPLIT
from device.system.account import is_root_of_a_box

SILENT_DB = -60.0
"""dB of full scale. A sound without a note whose peak is below this level is silent: no key was recorded."""

SOFT_DB = -54.0
"""dB of full scale. A sound whose peak is below this level is so soft that notes are missed. The level is a tune's from
which none was missed; at -66 dB a fifth was."""


def from_file(request: Request, outputs: Outputs) -> Performance:
    """Play the left hand to the file of `request`, write the files in `outputs`, and return the performance.

    Raises UserError if the input or an option cannot be used.
    """
    return _from_midi(request, outputs) if is_midi(request.input) else _from_sound(request, outputs)


def _from_midi(request: Request, outputs: Outputs) -> Performance:
    """Play to the notes of a MIDI file, by its beats or, if they do not fit, by the notes. See `from_file`."""
    if request.sent is not None:
        raise UserError("--sent names notes that a microphone hears again: leave it out for a .mid input.")
    if request.channel is not None:
        raise UserError("--channel chooses a channel of a sound: leave it out for a .mid input.")
    if request.tuning is not None and how_captured(request.input) is None:
        raise UserError("--tuning is that of a piano in a sound: leave it out for a .mid input.")
    source = read_midi(request.input)
    part = source.part(request.track)
    captured = how_captured(request.input) is not None
    hands = [] if captured or request.split is not None else about_hands(part, source.path)
    part = part.split(request.split or 0)
    request, unfit = _followed_if_unfit(request, source, part)
    metres = [Meter(beats, beat_type) for _, beats, beat_type in source.signatures]
    if request.clock in ("follow", "fixed") and metres:
        request = replace(request, meter=request.meter or metres[0])
    clock = _clock(request, request.clock or "file", source)
    foreseen = bool(unfit) and isinstance(clock, FollowClock) and _look_ahead(clock, part)
    outputs.check([request.input], renders=True)
    bundle = None if request.listen and request.bundle is None else _open(request)
    engine = Engine(clock=clock, player=_left_hand(request, bundle))
    hop_s = (FeatureSpec() if bundle is None else bundle.features).hop_s
    ended_s = captured_end(part.end_s, source.tracks_end_s, hop_s) if captured else None
    with _progress(request, max(part.end_s, ended_s or 0.0)) as progress:
        performance = play_midi(
            engine, part, hop_s, progress=progress, captured_s=ended_s, wait=_wait(request), actions=request.actions
        )
    performance.warnings = [*source.warnings, *hands, *unfit, *warnings_of(clock, request.meter)]
    performance.beat = _beat_source(request, engine, clock, performance, foreseen, metres)
    outputs.write(ResultWriter(performance, _named(bundle), _title(request, performance), like=source))
    return performance


def _followed_if_unfit(request: Request, source: MidiInput, part: Part) -> tuple[Request, list[str]]:
    """Return the request and sentences for the user; change the request if the tempo map does not fit the notes.

    The beat then follows the notes, in the file's own metre, and one sentence says so. With --clock, or if the map
    fits, the request stays the same and there is no sentence.
    """
    signed = Meter(*source.signatures[0][1:]) if source.signatures else None
    if request.clock is None and source.tempo_map.ticks_per_beat < 0:
        sentence = (
            f"{printable(source.path.name)} counts in SMPTE frames and has no beats, so the beat follows the notes: "
            f"--clock fixed --tempo BPM sets it."
        )
        return replace(request, clock="follow", meter=request.meter or signed), [sentence]
    notes = [(note.onset_s, note.pitch) for note in part.notes if note.hand == "right"]
    counted = has_count_in(notes, request.count_in)
    if request.clock is not None or fits([onset_s for onset_s, _ in notes], source.tempo_map, counted=counted):
        return request, []
    sentence = (
        f"The tempo map of {printable(source.path.name)} does not fit its notes, so the beat follows the notes: "
        f"--clock file takes it from the map."
    )
    return replace(request, clock="follow", meter=request.meter or signed), [sentence]


def _look_ahead(clock: FollowClock, part: Part) -> bool:
    """Find the beats before the first note of `part`, tap them on `clock`, and return whether there are any.

    If the player counts in or no steady beat is found, the clock is only reset.
    """
    notes = [(note.onset_s, note.pitch) for note in part.notes if note.hand == "right"]
    taps = beats_before(clock, notes)
    clock.reset()
    for at_s in taps or ():
        clock.tap(at_s)
    return bool(taps)


def _from_sound(request: Request, outputs: Outputs) -> Performance:
    """Play to a sound: measure the tuning, then hear it hop by hop. See `from_file`."""
    if request.track is not None:
        raise UserError("--track chooses a track of a .mid input: leave it out for sound.")
    sound = SoundFile(request.input, request.channel, is_capture=how_captured(request.input) is not None)
    sent = [] if request.sent is None else sent_notes(request.sent)
    clock = _clock(request, request.clock or "follow", None)
    inputs = [request.input] if request.sent is None else [request.input, request.sent]
    outputs.check(inputs, renders=not request.listen)
    bundle = _open(request)
    hops = Hops(sound.rate, bundle.features.sample_rate, bundle.features.hop)
    hearing = _hearing(request, sound, bundle)
    tuning = hearing.tuning
    engine = Engine(
        clock=clock,
        hearing=hearing,
        player=_left_hand(request, bundle),
        hears_itself=request.hears_itself,
    )
    with _progress(request, sound.seconds) as progress:
        performance = play_sound(
            engine,
            sound,
            hops,
            sent=sent,
            progress=progress,
            wait=_wait(request),
            lost=request.lost,
            actions=request.actions,
        )
    about_level = _about_gain(sound) if performance.notes else _about_silence(sound)
    performance.warnings = [*sound.warnings, *warnings_of(clock, request.meter), *about_level]
    if tuning and request.tuning is None:
        performance.warnings.append(
            f"The piano of {printable(request.input.name)} is tuned {tuning:+.0f} cents from A4 = 440 Hz and is heard "
            f"so: --tuning CENTS sets another tuning."
        )
    performance.beat = _beat_source(request, engine, clock, performance)
    outputs.write(ResultWriter(performance, _named(bundle), _title(request, performance), sound=sound))
    return performance


def _hearing(request: Request, sound: SoundFile, bundle: Bundle) -> Hearing:
    """Return the hearing for `sound`, with the tuning that is asked for, or the one that is measured in the sound."""
    split = SPLIT if request.split is None else request.split
    confidence = AS_FITTED if request.confidence is None else request.confidence
    tuning = request.tuning
    if tuning is None:
        tuning = measured_tuning(sound, bundle.features, lambda cents: hearing_of(bundle, split, confidence, cents))
    hearing = hearing_of(bundle, split, confidence, tuning, request.adapts)
    hearing.limit(sound.rate)
    return hearing


def _about_silence(sound: SoundFile) -> list[str]:
    """Return a sentence about a sound without a note if it is silent, else none."""
    level_db = sound.peak_db()
    if level_db >= SILENT_DB:
        return []
    level = "all its samples are the same" if level_db == -math.inf else f"its peak is at {level_db:.0f} dBFS"
    return [f"{printable(sound.path.name)} is silent ({level}): record it again with another input or more gain."]


def _about_gain(sound: SoundFile) -> list[str]:
    """Return a sentence about a sound that was recorded with too much or too little gain, else none."""
    name, highest = printable(sound.path.name), sound.peaks.highest()
    if clipped := sound.peaks.clipped():
        return [
            f"{name} is clipped ({clipped:.1%} of it is at the limit), so notes may be heard that nobody played: "
            f"record it with less gain."
        ]
    if highest < 10 ** (SOFT_DB / 20):
        return [
            f"{name} is very soft (its peak is at {20 * math.log10(highest):.0f} dBFS), so notes may be missed: record "
            f"it with more gain."
        ]
    return []


def _beat_source(
    request: Request,
    engine: Engine,
    clock: Clock,
    performance: Performance,
    foreseen: bool = False,
    metres: Sequence[Meter] = (),
) -> str:
    """Return what is said about the beat and the metre.

    Nothing is said if there is no left hand or no note that it could play to. `clock` is the first one, and `foreseen`
    says whether it got its beat from later notes of the file. The owner may have chosen others in a captured run, whose
    metres are not told. `metres` are those that a file names.
    """
    if engine.steered is None or not performance.notes:
        return ""
    clocks = [(0.0, clock)]
    for taken in request.actions:
        if isinstance(taken.action, UseClock) and taken.hop_s <= performance.input_s:
            clocks.append((taken.hop_s, taken.action.clock))
    said = beat_sources(clocks, [beat.time_s for beat in performance.beats], foreseen)
    return f"{said} {metre_source(request.meter, metres)}" if performance.beats and len(clocks) == 1 else said


def _wait(request: Request) -> Callable[[float], None]:
    return at_once if request.real_time is None else request.real_time.wait


def _clock(request: Request, mode: Mode, source: MidiInput | None) -> Clock:
    return make_clock(
        mode,
        tempo=request.tempo,
        count_in=request.count_in,
        meter=request.meter,
        file=source,
        max_drift=request.max_drift,
        upbeat=request.upbeat,
    )


def _open(request: Request) -> Bundle:
    """Open and return the bundle (folder of models): the one in the request, or else the shipped one.

    A bundle in the request must first pass its self-test, in a process with limits. Raises UserError if it fails, or if
    this process is root on a box: the service's account can write a recording, and so name any bundle in it.
    """
    if request.bundle is None:
        return Bundle.open(default_bundle())
    if is_root_of_a_box():
        raise UserError(
            f"Root runs no models of {request.bundle}: copy {request.input} into a folder of yours and play it "
            f"without sudo."
        )
    # how fast it is does not matter for a file
    preflight(folder_of(request.bundle), slowest=float("inf"))
    return Bundle.open(request.bundle)


def _left_hand(request: Request, bundle: Bundle | None) -> Player | None:
    return (
        None
        if request.listen or bundle is None
        else left_hand_of(bundle, request.steering, memory_captured(request.input))
    )


def _named(bundle: Bundle | None) -> BundleName | None:
    if bundle is None:
        return None
    return BundleName(bundle.manifest.name, bundle.manifest.version, bundle.digest)


@contextlib.contextmanager
def _progress(request: Request, seconds: float) -> Iterator[Progress]:
    """Context manager: yields a function that shows how many of `seconds` seconds are done.

    It draws a progress bar on stderr if the option asks for one, or if stderr is a terminal. Otherwise it does nothing.
    Raises UserError if the option asks for a bar and the package tqdm is missing.
    """
    watched = sys.stderr.isatty() and find_spec("tqdm") is not None
    wanted = watched if request.progress is None else request.progress
    if not wanted:
        yield lambda _: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        raise missing_extra("tqdm", "play") from None
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s [{remaining} left]"
    with tqdm(total=seconds, desc=printable(request.input.name), bar_format=form, file=sys.stderr, leave=False) as bar:

        def show(done: float) -> None:
            bar.update(done - bar.n)

        yield show


def _title(request: Request, performance: Performance) -> str:
    return f"{printable(request.input.name)}: {counts(performance)}"


def counts(performance: Performance) -> str:
    """Return how many notes the box heard or read, and how many it played, in words."""
    taken_in = "heard" if performance.kind == "audio" else "read"
    played = sum(send.kind == "note_on" for send in performance.sends)
    return f"{count_of(len(performance.notes), 'note')} {taken_in}, {played} played"
