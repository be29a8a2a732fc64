"""Finds the presses of a foot switch or pedal in the values of its controller.

Switches differ. A momentary switch sends 127 when it is pressed and 0 when it is released. An inverted one sends 0 and
127. Some go back to 63 or 64 in place of 0. A latching one sends one message at each press, 127 and 0 in turn. Some
send one fixed value at each press. A continuous pedal sends all values between 0 and 127 and may tremble around 64.

A fixed value below PRESSED + TREMBLE counts from its second message on, because a pedal at rest may send one. For the
same reason the first press of a switch that sends such a value and then 0 counts when it is released.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["", "inverted", "latching"]
"""The word after a controller in the settings. "" means that the kind is found out from the values."""
Edge: TypeAlias = Literal["pressed", "released", "again", "bounced", "clicked"]
"""The meaning of a message.

`again`: a further press of a switch that sends one fixed value and no release. `clicked`: a press that only its release
showed, so the switch is up again. `bounced`: the contact closed again within BOUNCE_S of the last change, so the switch
is down and the foot has not pressed again. A latching switch has no `bounced`: the messages of its bounces have no
meaning.
"""

PRESSED = 64
"""Least controller value of a pressed switch. MIDI 1.0 sets it: 0 to 63 is off, 64 to 127 is on."""
TREMBLE = 16
"""Controller values above and below PRESSED that a continuous pedal must pass before its state changes."""
JUMP_FROM = 32
"""A value from PRESSED on counts as pressed at once if the value before it was below this: a switch, not a tremble."""
LEAP = 56
"""A value that is lower than the one before by so much is a release: some switches go to 63 or 64 in place of 0.

A pedal sends smaller steps: if it is read every 10 ms and lifted in 50 ms, they are of 25. If it is read seldom, it has
sent many values before.
"""
MOST_VALUES = 3
"""Most values that a switch sends: at rest, pressed and released."""
REPEAT_S = 0.15
"""Seconds. The same value so soon after the last message is a repeated message. No foot presses twice so fast.

Some switches repeat their value every 100 ms while they are down.
"""
BOUNCE_S = 0.03
"""Seconds. A worn contact opens and closes for up to 20 ms. A foot that presses again needs 50 ms or more."""
GUESS_S = 2.0
"""Seconds. A switch that was at 0 for longer before its first 127 was at rest there, so it is not inverted."""
RESET_TO_ZERO = frozenset(range(64, 70))
"""Controllers of a keyboard's pedals. A keyboard sends 0 on them when it starts, so a first 0 is no press."""
CONTINUOUS = frozenset((1, 2, 4, 7, 11))
"""Modulation, breath, foot controller, volume and expression in MIDI 1.0. Such a pedal rests at 0 and moves slowly, so
a first 0 on them is no press either."""


class Switch:
    """Follows one switch from the values it sends.

    `kind` is its kind in the settings, `number` its controller, 0 to 127.
    """

    def __init__(self, kind: Kind, number: int) -> None:
        self._kind = kind
        self._zero_may_press = kind == "" and number not in RESET_TO_ZERO | CONTINUOUS
        self._inverted = kind == "inverted"
        self._guessed = False
        self._down = False
        self._last: int | None = None
        self._last_s: float | None = None
        self._changed_s: float | None = None
        """Time at which the switch was last pressed or released."""
        self._fixed = True
        """Whether all messages so far had the same value."""
        self._values: set[int] = set()

    def step(self, value: int, at_s: float | None = None) -> Edge | None:
        """Return what a message with `value`, 0 to 127, means, or None if nothing has changed.

        `at_s` is its time of arrival in seconds, of any clock that does not go back. None: the time is unknown.
        """
        last, last_s = self._last, self._last_s
        self._last, self._last_s = value, at_s
        self._values.add(value)
        ago_s = None if last_s is None or at_s is None else at_s - last_s
        if value == last and ago_s is not None and ago_s < REPEAT_S:
            return None
        rested = self._fixed and not self._down
        self._fixed = self._fixed and last in (None, value)
        if self._kind == "latching":
            return "again" if value == last else self._toggled(value, at_s)
        if last is None and value == 0 and self._zero_may_press:
            self._inverted = self._guessed = True
        elif self._guessed and not self._fixed:
            self._guessed = False
            # a small value after the first 0 comes from a pedal that rests there, and not from a switch
            if (ago_s is not None and ago_s > GUESS_S) or value < JUMP_FROM:
                self._inverted = self._down = False
        if self._is_fixed_low(value, last, ago_s):
            counted, self._down = self._down, True
            return "again" if counted else "pressed"
        if rested and last is not None and self._was_click(last, value, ago_s):
            return "clicked"
        edge = self._edge(value, last)
        if edge not in ("pressed", "released"):
            return edge
        changed_s, self._changed_s = self._changed_s, at_s
        bounced = changed_s is not None and at_s is not None and at_s - changed_s < BOUNCE_S
        return "bounced" if bounced and edge == "pressed" else edge

    def _is_fixed_low(self, value: int, last: int | None, ago_s: float | None) -> bool:
        """Return whether this is a further message of a switch that sends one low value at each press.

        A pedal does not send its value again while it does not move.
        """
        comes_again = self._fixed and last is not None and ago_s is not None
        return comes_again and self._kind == "" and 0 < value < PRESSED + TREMBLE

    def _was_click(self, last: int, value: int, ago_s: float | None) -> bool:
        """Return whether the first value `last` was a press, because `value` falls from it at once, as at a switch.

        A pedal falls in steps, or rests for long before.
        """
        fell = PRESSED <= last < PRESSED + TREMBLE and value < JUMP_FROM
        return self._kind == "" and fell and (ago_s is None or ago_s <= GUESS_S)

    def _toggled(self, value: int, at_s: float | None) -> Edge | None:
        """Return the edge of a latching switch, or None if its contact bounces: it then ends where it first went."""
        if self._changed_s is not None and at_s is not None and at_s - self._changed_s < BOUNCE_S:
            return None
        self._changed_s = at_s
        return "pressed" if value >= PRESSED else "released"

    def _edge(self, value: int, last: int | None) -> Edge | None:
        if self._inverted:
            value, last = 127 - value, None if last is None else 127 - last
        jumped = value >= PRESSED and last is not None and last < JUMP_FROM
        # some switches send just this value, and a pedal that moves seldom begins with it
        exact = value == PRESSED and last is None
        if not self._down and (value >= PRESSED + TREMBLE or jumped or exact):
            self._down = True
            return "pressed"
        fell = last is not None and last - value >= LEAP and len(self._values) <= MOST_VALUES
        if self._down and (value <= PRESSED - TREMBLE or fell):
            self._down = False
            return "released"
        return "again" if self._down and self._fixed and self._kind == "" and last is not None else None
