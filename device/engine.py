"""Turns sound into the left hand. The daemon, a file and a test use the same engine.

The result depends only on the input and on the state of the engine.

hop ─▶ hearing ─▶ right-hand notes ─▶ clock ─▶ a step of the grid ─▶ accompanist ─▶ left hand ─▶ performer ─▶ Send
MIDI notes ───────────▲
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from device.clock.played import PlayedSteps, beats_of_played_bar
from device.clock.step import Clock, ClockPulse, KnownGrid, Step, UseClock
from device.events import Beat, ChordChosen, Event, Note, NoteEnded, NoteHeard, Send
from device.hearing.features import Samples
from device.hearing.pipeline import Hearing
from device.left_hand.performer import Move, Performer, Strike
from device.left_hand.phrase_memory import PhraseMemory
from device.settings.choices import Steering
from device.settings.controls import Action, Confidence, CountAgain, HoldTempo, PlayNote, Tap

TRIED_KEYS, TRIED_VELOCITY, TRIED_S = (48, 52, 55, 60, 64, 67, 72), 80, 0.8
"""Note with which the owner tests the output: its MIDI pitch is the first of these that the left hand does not hold.
Then its velocity, and its length in seconds. The left hand has five fingers, so it leaves one of the keys free. If the
owner's own notes have the others, no further note is played."""
IDLE_S = 10.0
"""The engine is idle after so many seconds without an event or an action. No clock has beats that far apart."""


class Player(Protocol):
    """Defines what the engine needs of the left hand: `device.left_hand.player.LeftHand` implements it.

    `armed`, `hold` and `steering` show what the owner's actions have set.
    """

    armed: bool
    hold: bool
    steering: Steering

    def hear(self, note: Note) -> None:
        """Add a note of either hand of the player to what the left hand knows."""
        ...

    def end(self, ended: NoteEnded) -> None:
        """Note that a heard note has ended."""
        ...

    def act(self, action: Action) -> bool:
        """Carry out a control action from the next step on. Returns True to release all keys and the pedal now."""
        ...

    def play(self, step: Step) -> Move:
        """Return what the left hand does at this step."""
        ...

    def reset(self) -> None:
        """Forget everything that was heard and played, as the engine's `reset` asks."""
        ...


@dataclass(frozen=True, slots=True)
class Steered:
    """Holds what the owner's actions have set. `counting_in`: the next note belongs to a count-in."""

    armed: bool
    hold: bool
    counting_in: bool
    steering: Steering
    tempo_held: bool = False


@dataclass(frozen=True, slots=True)
class TimedAction:
    """Holds an action of the owner or a message of a MIDI clock, and when the engine got it.

    It was given to `Engine.act` with the time `at_s`, before the hop that ends at `hop_s`, both in stream seconds.
    """

    hop_s: float
    at_s: float
    action: Action | ClockPulse | UseClock


class Engine:
    """Takes hops (or MIDI notes) in order and returns heard notes, beats, chords and messages to send."""

    def __init__(
        self,
        *,
        clock: Clock,
        hearing: Hearing | None = None,
        player: Player | None = None,
        hears_itself: bool = False,
        memory: PhraseMemory | None = None,
    ) -> None:
        """Without `hearing`, the right hand comes as MIDI notes. Without `player`, the engine only listens.

        `hears_itself` is true if the sound of sent notes may come back through the input, as in a live performance.
        `memory` is the player's memory of phrases, if it is kept between days.
        """
        self.memory = memory
        self.hearing, self._clock, self._player = hearing, clock, player
        self._grid = _known_grid(clock)
        self._hears_itself = hears_itself
        self._performer = Performer()
        self._played = PlayedSteps()
        self._now_s, self._active_s = 0.0, 0.0

    @property
    def idle(self) -> bool:
        """Whether no note sounds, no key is held, and for IDLE_S seconds nothing was heard, played or asked for.

        It is false while a clock gives beats, because each of them is an event.
        """
        quiet = self._now_s - self._active_s > IDLE_S
        return quiet and not self.held and not (self.hearing is not None and self.hearing.pending)

    @property
    def only_listens(self) -> bool:
        """Whether there is no left hand."""
        return self._player is None

    @property
    def held(self) -> frozenset[int]:
        """Return the MIDI pitches of the left-hand keys that are down."""
        return self._performer.held

    @property
    def steered(self) -> Steered | None:
        """Return the state that the owner's actions have set, such as armed and hold. None if the engine only listens.

        Any thread may read it.
        """
        player = self._player
        if player is None:
            return None
        return Steered(player.armed, player.hold, self._clock.counting_in, player.steering, self._clock.tempo_held)

    def reset(self) -> None:
        """Forget everything that was heard and played.

        This releases no keys: the sender keeps its own list of sounding notes and releases them.
        """
        self._clock.reset()
        self._performer = Performer()
        self._played = PlayedSteps()
        self._now_s, self._active_s = 0.0, 0.0
        for part in (self.hearing, self._player):
            if part is not None:
                part.reset()

    def step(self, hop: Samples | None, now_s: float, midi: Sequence[NoteHeard | NoteEnded] = ()) -> list[Event]:
        """Process one hop and return the events in it: heard notes, beats, chords and messages to send.

        `hop` holds the samples that are complete at `now_s` seconds of stream time, or is None. `midi` holds the note
        events from MIDI since the last hop.
        """
        events: list[Event] = []
        for heard in [*midi, *(self.hearing.step(hop, now_s) if self.hearing and hop is not None else ())]:
            events.append(heard)
            self._take_in(heard)
        if self._player is not None:
            while (step := self._clock.due(now_s)) is not None:
                events += self._play(self._player, step, now_s)
            events += self._sending(self._performer.advance(now_s))
        self._now_s = now_s
        if events:
            self._active_s = now_s
        return events

    @property
    def idle_until_s(self) -> float:
        """The time in stream seconds before which `step` returns nothing, if it gets neither a hop nor a note.

        It is minus infinity if this is not known, because the clock follows the player.
        """
        if self._player is None:
            return math.inf
        if self._grid is None:
            return -math.inf
        return min(self._grid.next_due_s, self._performer.next_due_s)

    def skip(self, until_s: float) -> None:
        """Pass over a stretch, up to `until_s` seconds, in which nothing is heard and nothing is played."""
        while self._clock.due(until_s) is not None:
            pass

    def act(self, action: Action | ClockPulse | UseClock, now_s: float) -> list[Event]:
        """Carry out a control action, a message of a MIDI clock or a change of the clock, at `now_s` seconds.

        A new clock begins as after a reset, and so does the left hand. The left hand keeps its steering, which is how
        the owner chose that it plays. Returns the messages that the action causes: those that release keys and pedal,
        or a note to try the output; else an empty list.
        """
        self._active_s = now_s
        if isinstance(action, ClockPulse):
            self._clock.pulse(action, now_s)
            return self.panic(now_s) if action.kind == "stop" else []
        if isinstance(action, Tap):
            self._clock.tap(now_s)
            return []
        if isinstance(action, HoldTempo):
            self._clock.hold_tempo(not self._clock.tempo_held if action.on is None else action.on)
            return []
        if isinstance(action, PlayNote):
            return self._sending(self._tried(now_s))
        if isinstance(action, Confidence):
            if self.hearing is not None:
                self.hearing.ask(action.value)
            return []
        if isinstance(action, CountAgain | UseClock):
            if isinstance(action, UseClock):
                self._clock, self._grid = action.clock, _known_grid(action.clock)
            self._clock.reset()
            if self._player is not None:
                self._player.reset()
            return self.panic(now_s)
        if self._player is not None and self._player.act(action):
            return self.panic(now_s)
        return []

    def _tried(self, now_s: float) -> list[Send]:
        """Strike the note that tests the output. It is in the ledger of the left hand, so both may use its key."""
        key = next((key for key in TRIED_KEYS if key not in self.held), None)
        note = [] if key is None else [Strike(now_s, key, TRIED_VELOCITY, now_s + TRIED_S)]
        return self._performer.strike(now_s, note)

    def finish(self, now_s: float) -> list[Event]:
        """Return the messages that release all keys and the pedal at the end of the input, at `now_s` seconds."""
        return self._sending(self._performer.finish(now_s))

    def panic(self, now_s: float) -> list[Event]:
        """Return the messages that release all keys and the pedal immediately, at `now_s` seconds."""
        return self._sending(self._performer.panic(now_s))

    def _take_in(self, heard: NoteHeard | NoteEnded) -> None:
        if isinstance(heard, NoteEnded):
            if self._player is not None:
                self._player.end(heard)
            return
        note = heard.note
        if note.hand == "own":
            return
        if note.hand == "right":
            self._clock.hear(note.onset_s, note.decided_s, note.pitch)
        if self._player is not None and not self._clock.counting_in:
            self._player.hear(note)

    def _play(self, player: Player, step: Step, now_s: float) -> list[Event]:
        """Return what the left hand does at `step`, and the beat and the chord of the step."""
        events: list[Event] = []
        if step.is_beat:
            events.append(Beat(step.time_s, now_s, step.beat, step.lock, beats_of_played_bar(step.meter), step.doubt))
        move = player.play(self._played.at(step))
        if move.chord is not None:
            events.append(ChordChosen(step.time_s, move.chord))
        if move.pedal is not None:
            events += self._sending(self._performer.pedal(now_s, step.time_s, move.pedal))
        if move.let_go:
            events += self._sending(self._performer.release(now_s, step.time_s, move.let_go))
        # a clock with a new grid may give steps that are already past: a note that late is worse than no note
        # a step that the clock held back for the player is given at its own time, and its notes are not late
        in_time = [strike for strike in move.strikes if strike.due_s >= now_s]
        return events + self._sending(self._performer.strike(now_s, in_time))

    def _sending(self, sends: list[Send]) -> list[Event]:
        if self._hears_itself and self.hearing is not None:
            for send in sends:
                self.hearing.sent(send)
        return list(sends)


def _known_grid(clock: Clock) -> KnownGrid | None:
    """Return `clock` if it knows its grid in advance, else None. The check is too slow to be made at each hop."""
    return clock if isinstance(clock, KnownGrid) else None
