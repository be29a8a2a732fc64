"""Plays the left hand for the engine: turns plans into strikes, as the owner's settings (the steering) ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.accompanist import Accompanist, Plan
from device.left_hand.chord_net import ChordNet, shipped_arrays
from device.left_hand.closing_chord import ClosingChord
from device.left_hand.ending import Ending
from device.left_hand.figure_bank import shipped_bank
from device.left_hand.figure_hand import FigureHand
from device.left_hand.gesture import NOTHING, Gesture
from device.left_hand.imitation import Imitation
from device.left_hand.performer import Move, Strike
from device.left_hand.phrase_memory import PhraseMemory
from device.left_hand.progression import Progression
from device.left_hand.slowing import Slowing
from device.left_hand.texture import SteeredTexture
from device.left_hand.tone_choice import likely_bass, likely_classes, rubs, unlikely_keys, upper_classes
from device.left_hand.touch import Touch
from device.left_hand.voicing import Fingers
from device.left_hand.walking import WalkingBass
from device.settings.choices import AS_THE_NET_PLAYS, KEYS, STYLES, Steering, Style
from device.settings.controls import Action, Arm, Density, Fill, Finish, Hold, Panic, Register, Restyle, Vary

CLOSING, CLOSING_BASS = Gesture(bass=True, upper=2, lift=True), Gesture(bass=True, lift=True)
"""Gesture of the last chord, after all keys are released: bass and two upper keys, or in the style "bass" the bass."""
DENSITIES, REGISTERS = (0.5, 1.0, 2.0), (-12, 0, 12)
"""Values that a control without a value of its own steps through: density factors, and semitones."""
SHORTEST_STEPS = 2
"""Grid steps (an eighth) before which a key is not released after its strike. Shorter keys sound like stutter.

A key that clashes by a semitone with the melody, that is struck again, or that one hand cannot hold is released at
once. So are all keys if the hand rests.
"""
CHORD_BEATS = 2
"""Beats for which a strike of the closing chord's keys may serve as the closing chord where the player has let go."""
_Choice = TypeVar("_Choice", Style, float, int)


class LeftHand:
    """Hears the notes of both hands of the player and returns, step by step, the keys to strike and to release.

    `steering`, `armed` and `hold` may be changed at any time. A change takes effect at the next step.
    """

    def __init__(
        self, accompanist: Accompanist, steering: Steering = AS_THE_NET_PLAYS, memory: PhraseMemory | None = None
    ) -> None:
        """Play what `accompanist` plans. `memory` holds phrases of earlier pieces. None begins with an empty memory."""
        self._accompanist, self._fingers, self._imitation = accompanist, Fingers(), Imitation()
        self._ending, self._slowing, self._closing = Ending(), Slowing(), ClosingChord()
        self._texture = SteeredTexture()
        self._figures = FigureHand(shipped_bank(), self._fingers, steering.seed)
        self._progression = Progression(ChordNet(shipped_arrays()), memory)
        self._touch = Touch(steering.seed)
        self._walking = WalkingBass()
        self.steering = steering
        self.armed = True
        """Whether the left hand plays at all."""
        self.hold = False
        """Whether all keys that are down stay down and no key is struck."""
        self.reset()

    def reset(self) -> None:
        """Forget everything heard and played. The performer must release the keys that are still down."""
        self._accompanist.reset()
        self._ending.reset()
        self._slowing.reset()
        self._texture.reset()
        self._fingers.register = self.steering.register
        self._imitation.reset()
        self._figures.reset()
        self._progression.reset()
        self._touch.reset()
        self._forget_keys()

    def _forget_keys(self) -> None:
        """Record that all keys were released. The caller sends the releases.

        Also forget the chord that was named, the closing chord, and a fill or an ending that was asked for.
        """
        self._fingers.reset()
        self._figures.silence()
        self._walking.reset()
        self._struck_at: dict[int, int] = {}
        """MIDI pitch -> grid step of its latest strike."""
        self._label: str | None = None
        self._last_upper = -1
        self._rests = True
        self._fill_asked = False
        self._closing.reset()

    def hear(self, note: Note) -> None:
        """Store a note of the player after the box decided that it was played.

        A note of the left hand goes to the imitation. Any other note goes to the accompanist, which makes the plans,
        and to the figures.
        """
        if note.hand == "left":
            self._imitation.hear(note)
        else:
            self._accompanist.hear(note)
            self._figures.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note of either hand."""
        self._accompanist.end(ended)
        self._imitation.end(ended)
        self._figures.end(ended)

    def act(self, action: Action) -> bool:
        """Carry out the action of a control from the next step on. A tap changes nothing here: the clock handles it.

        Returns True if all keys and the pedal must be released now: after a panic, and whenever the box is not armed.
        """
        steering = self.steering
        match action:
            case Arm(on):
                self.armed = not self.armed if on is None else on
            case Hold(on):
                self.hold = not self.hold if on is None else on
            case Panic():
                self.hold = False
                self._accompanist.listen_again()
            case Restyle(style):
                self.steering = replace(steering, style=_next(STYLES, steering.style) if style is None else style)
            case Density(value):
                self.steering = replace(
                    steering, density=_next(DENSITIES, steering.density) if value is None else value
                )
            case Register(semitones):
                octave = _next(REGISTERS, steering.register) if semitones is None else semitones
                self.steering = replace(steering, register=octave)
            case Vary(number):
                self.steering = replace(steering, variation=3 - steering.variation if number is None else number)
            case Fill():
                self._fill_asked = True
            case Finish():
                self._closing.ask()
        released = not self.armed or isinstance(action, Panic)
        if released:
            self._forget_keys()
        return released

    def play(self, step: Step) -> Move:
        """Return what the hand does at `step`. Call it once for each step, in order."""
        until_s = self._accompanist.known_until_s(step)
        self._figures.listen(step, until_s)
        plan = self._accompanist.plan(step)
        self._progression.at(plan, step, self._figures.right)
        plan = self._ending.at(plan, step)
        self._slowing.at(step)
        playing = self._imitation.at(step, until_s, self._fingers.down)
        if self._closing.stops(step):
            self.armed = False
        if not self.armed or (playing and self.steering.yields):
            plan.silent = True
        move = self._moved(plan, step)
        if self._rests or plan.chord is None:
            move.strikes.clear()
            return move
        if self._closing.closed and not move.strikes:
            return move
        move.chord = plan.chord.name if plan.chord.name != self._label else None
        self._label = plan.chord.name
        return move

    def _moved(self, plan: Plan, step: Step) -> Move:
        """Return the move for a plan, without the chord's name. A struck key is held until a later move releases it."""
        if self.hold and self.armed:
            return Move(None, [], self._fingers.give_way(plan.ceiling), None)
        over = [key for key in self._fingers.lingering if step.index - self._struck_at[key] >= SHORTEST_STEPS]
        released = self._fingers.let_go(over)
        move = self._planned(plan, step)
        struck = {strike.pitch for strike in move.strikes}
        self._fingers.lingering -= struck
        move.let_go = sorted({*move.let_go, *(key for key in released if key not in struck)})
        if not self._rests:
            kept = self._fingers.linger([key for key in move.let_go if self._is_young(key, plan, step)], step.time_s)
            move.let_go = [key for key in move.let_go if key not in kept]
        self._struck_at.update(dict.fromkeys(struck, step.index))
        return move

    def _is_young(self, key: int, plan: Plan, step: Step) -> bool:
        """Return whether a key that the figure releases was struck a moment ago and may stay down under the melody."""
        age = step.index - self._struck_at.get(key, step.index - SHORTEST_STEPS)
        return 0 < age < SHORTEST_STEPS and key < plan.ceiling and not rubs(plan.top, key)

    def _planned(self, plan: Plan, step: Step) -> Move:
        """Return the move as the style or the figure has it: its keys may be released soon after their strike."""
        # after any silence the left hand starts on a beat
        self._rests = plan.silent or plan.chord is None or (self._rests and not step.is_beat)
        if self._rests:
            plan.silent = True
        self._steer()
        self._start_fill(step)
        closes = self._closing.at(plan, step, self._ending.at_home, self._slowing.now)
        over = self._closing.closed or plan.ends
        if closes and self._closing.answers_silence and self._has_closed(plan, step):
            return Move(None, [], [], None)
        if not (self._rests or over or self._texture.named) and self._figures.has(step.meter):
            return self._figure_move(plan, step)
        if over and not closes and self._closing.with_player and plan.top is None:
            return Move(None, [], self._fingers.let_go(self._fingers.down), "up")
        last = CLOSING_BASS if self.steering.style == "bass" else CLOSING
        gesture = last if closes else NOTHING if over else self._texture.at(plan, step)
        self._figures.silence()
        if self._rests:
            self._walking.reset()
            self._label = None
            return Move(None, [], self._fingers.let_go(self._fingers.down), "up")
        before = set(self._fingers.down)
        pressed = self._press(gesture, plan, step)
        if pressed and not self._fingers.reaches(step.time_s):
            self._fingers.let_go(pressed)
            pressed = []
        if closes and not pressed:
            self._closing.take_back()
        pedal = gesture.pedal if pressed or gesture.pedal != "change" else None
        strikes = self._strikes(sorted(set(pressed)), plan, step)
        return Move(None, strikes, sorted(before - set(self._fingers.down)), pedal)

    def _has_closed(self, plan: Plan, step: Step) -> bool:
        """Return whether the closing chord of `plan` need not be struck, because it sounds since a moment ago.

        The latest strike, at most `CHORD_BEATS` ago, had two tones of the chord. All keys that are down belong to the
        chord, and the lowest is its root. These keys then sound as the closing chord.
        """
        down = self._fingers.down
        if plan.chord is None or not down or self._fingers.lingering:
            return False
        newest = max(self._struck_at.get(key, -1) for key in down)
        struck = {key % 12 for key in down if self._struck_at.get(key, -1) == newest}
        recent = step.index - newest <= CHORD_BEATS * step.meter.steps_per_beat
        tones = {key % 12 for key in down}
        return (
            recent and len(struck) >= 2 and tones <= set(plan.chord.classes) and down[0] % 12 == plan.chord.classes[0]
        )

    def _figure_move(self, plan: Plan, step: Step) -> Move:
        """Return the move at `step` as a figure of the bank asks for it, without the name of the chord."""
        before = set(self._fingers.down)
        pressed, lifted = self._figures.at(step, plan, self.steering.density, self.steering.variation)
        strikes = self._strikes(pressed, plan, step)
        return Move(None, strikes, sorted((before - set(self._fingers.down)) | set(lifted)), None)

    def _steer(self) -> None:
        steering, manner = self.steering, self._imitation.manner
        self._texture.style, self._texture.density, self._texture.manner = steering.style, steering.density, manner
        key = KEYS.get(steering.key)
        self._accompanist.use_key(key)
        self._progression.key = key
        self._texture.variation = 2 if steering.variation == 2 else 1
        learned = manner.register if manner is not None and steering.style == "auto" else 0
        self._fingers.register = min(max(steering.register + learned, -12), 12)

    def _start_fill(self, step: Step) -> None:
        """Begin or end a fill. A fill begins on a beat with at least two beats left in the bar."""
        if step.is_bar:
            self._texture.filling = False
        meter = step.meter
        left = meter.steps_per_bar - step.position
        if self._fill_asked and step.is_beat and (step.is_bar or left >= 2 * meter.steps_per_beat):
            self._fill_asked, self._texture.filling = False, True

    def _press(self, gesture: Gesture, plan: Plan, step: Step) -> list[int]:
        """Press and release fingers as `gesture` asks at `step`. Return the MIDI pitches that are struck."""
        self._fingers.give_way(plan.ceiling)
        if gesture.lift:
            self._fingers.let_go(self._fingers.down)
        else:
            self._fingers.let_go(self._doubtful(plan))
        chord = plan.chord
        assert chord is not None
        pressed: list[int] = []
        if gesture.walks:
            walked = self._walking.key(plan, step, self._fingers.register)
            if walked is None:
                return []
            self._fingers.press_alone(walked)
            return [walked]
        if gesture.bass:
            pitch_class = self._bass_class(plan, chord.classes, gesture)
            key, _ = self._fingers.press_bass(pitch_class, plan.ceiling)
            pressed += [] if key is None else [key]
        if gesture.upper:
            if gesture.tone is None:
                classes = self._upper_classes(plan, gesture.upper)
                keys, _ = self._fingers.press_upper(classes, plan.ceiling, chord.classes)
            else:
                rubbing = [pc for pc in chord.classes if rubs(plan.top, pc)]
                keys, _ = self._fingers.press_tone(chord.classes, gesture.tone, plan.ceiling, rubbing)
            pressed += keys
            self._last_upper = keys[0] % 12 if keys else -1
        return pressed

    def _doubtful(self, plan: Plan) -> list[int]:
        """Return the keys that are down and must be released before a strike."""
        down = self._fingers.down
        rubbing = [key for key in down if rubs(plan.top, key)]
        if self._closing.closed or plan.ends:
            return [] if self._closing.with_player else rubbing
        if self.steering.style != "auto":
            return rubbing
        if self._texture.named:
            assert plan.chord is not None
            return [key for key in down if key % 12 not in plan.chord.classes or rubs(plan.top, key)]
        return unlikely_keys(plan, down)

    def _bass_class(self, plan: Plan, classes: Sequence[int], gesture: Gesture) -> int:
        """Return the pitch class of the bass, of a chord with the pitch `classes`, root first."""
        if gesture.fifth:
            return classes[2]
        return classes[0] if self._closing.closed else likely_bass(plan, classes)

    def _upper_classes(self, plan: Plan, number: int) -> list[int]:
        """Return the pitch classes to strike above the bass. A named style and the closing chord get the chord's."""
        if self._texture.named or self._closing.closed:
            return upper_classes(plan, number, self._last_upper)
        return likely_classes(plan, number, self._last_upper, self._fingers.down)

    def _strikes(self, keys: Sequence[int], plan: Plan, step: Step) -> list[Strike]:
        """Return the strikes of `keys` at `step`, with their velocities."""
        velocities = self._touch.at(keys, plan, step)
        return [Strike(step.time_s, key, velocity, None) for key, velocity in zip(keys, velocities, strict=True)]


def _next(choices: Sequence[_Choice], now: _Choice) -> _Choice:
    """Return the choice after `now`. The first one follows the last, and a `now` that is no choice."""
    return choices[(choices.index(now) + 1) % len(choices)] if now in choices else choices[0]
