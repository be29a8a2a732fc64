"""Finds which control a person presses: `python -m device.ports.next_press SECONDS [KEYBOARD]` prints one line of JSON.

    {"port": "Foot Switch", "control": "cc 80 latching", "on_keyboard": false}

It listens to every MIDI input for SECONDS at most and prints nothing if no control was pressed. KEYBOARD is the name of
the player's own input. The command is a process of its own. MIDI systems send messages to several programs, so the box
can go on playing.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import UnavailableError
from device.ports.midi_ports import PolledInput, midi_inputs
from device.ports.port import CLIENT, Port, found, to_write

if TYPE_CHECKING:
    import mido

MODE_MESSAGES = 120
"""Lowest controller number that is not a switch: 120 to 127 change the mode of an instrument."""
POLL_S = 0.005
"""Seconds between two looks at the inputs."""
RELEASE_S = 1.0
"""Longest time in seconds between a press and the message of its release. A later message is another press."""
REPEAT_S = 0.15
"""Seconds. The same value so soon after is the same message, which some switches repeat while they are down."""
QUIET_S = 0.3
"""Seconds without a message after which a press is complete. A pedal sends the steps of its way down in less."""
PLAYED_S = 1.5
"""Seconds. A key of the player's keyboard is music, not a switch, if another key is struck so soon before or after."""
LEAST_WAY = 8
"""A control whose values differ by less trembles and was not pressed, unless it sends one value alone."""
JUMPS_OVER = (32, 80)
"""An inverted switch jumps from below the first to above the second value."""
FOLLOWED = {0: "program", 32: "program", 98: "cc", 99: "cc", 100: "cc", 101: "cc"}
"""Controllers that only say what the message after them means: bank select before a program, and parameter numbers
before the value of the parameter. A foot controller sends them with each press."""
FOLLOWS_S = 0.05
"""Longest time in seconds between such a controller and the message after it."""
KINDS = {"control_change": "cc", "note_on": "note", "note_off": "note", "program_change": "program"}
"""Maps the type of a MIDI message to the word for it in [controls]."""


@dataclass(frozen=True)
class Press:
    """Holds a message of a control: port, channel (from 0), text in [controls], value (0 to 127), time in seconds."""

    port: Port
    channel: int
    control: str
    value: int
    at_s: float

    def is_told_again_by(self, later: Press) -> bool:
        """Return whether `later` belongs to this control and says something new: not the same value at once."""
        return self.is_same_control(later) and (later.value != self.value or later.at_s - self.at_s >= REPEAT_S)

    def is_same_control(self, later: Press) -> bool:
        """Return whether `later` comes from this control on the same channel."""
        return (later.port, later.channel, later.control) == (self.port, self.channel, self.control)

    def is_key_of(self, keyboard: Port | None) -> bool:
        """Return whether this is a key, or a pad that sends notes, of the player's own keyboard."""
        return self.port == keyboard and self.control.startswith("note")

    def introduces(self, later: Press) -> bool:
        """Return whether this message only says what `later` means, see FOLLOWED."""
        word, number = self.control.split()
        kind = FOLLOWED.get(int(number)) if word == "cc" else None
        is_next = (later.port, later.channel) == (self.port, self.channel) and later.at_s - self.at_s <= FOLLOWS_S
        if kind == "cc":
            return is_next and later.control.startswith("cc") and later.control != self.control
        return is_next and kind is not None and (later.control.startswith("program") or later.control == "cc 32")


def control_of(message: mido.Message) -> tuple[str, int] | None:
    """Return the control that sent a message, such as "cc 64", and its value, 0 to 127. The value of a program is 0.

    Return None if no switch sends such a message.
    """
    word = KINDS.get(message.type)
    if word is None or (word == "cc" and message.control >= MODE_MESSAGES):
        return None
    if word == "cc":
        return f"cc {message.control}", message.value
    if word == "program":
        return f"program {message.program + 1}", 0
    return f"note {message.note}", message.velocity if message.type == "note_on" else 0


def kind_of(values: list[tuple[int, float]]) -> str:
    """Return what is written after the control in [controls]: "", " inverted" or " latching".

    `values` are the control's messages in order: value (0 to 127) and time in seconds. A pedal sends three values or
    more. It begins near its rest, so it is inverted if its way down leads to lower values. Of a switch, the first two
    messages decide. If the second comes within RELEASE_S, the two are a press and its release. An inverted switch jumps
    from a low value to a high one: see JUMPS_OVER. If the second comes later, it is another press. The switch is
    latching if the two presses send different values. With fewer than two messages the answer is "".
    """
    if len(values) < 2:
        return ""
    (first, first_s), (second, second_s) = values[:2]
    sent = {value for value, _ in values}
    if len(sent) > 2:
        return " inverted" if first - min(sent) > max(sent) - first else ""
    if second_s - first_s <= RELEASE_S:
        return " inverted" if first < JUMPS_OVER[0] and second >= JUMPS_OVER[1] else ""
    return " latching" if first != second else ""


def listen(seconds: float, keyboard: str) -> dict[str, object] | None:
    """Return the first control that is pressed within `seconds`, as a dict to print; None if there is none.

    The dict has "port" and "control", as the settings write them, and "on_keyboard": whether the port is the one that
    `keyboard` names.
    """
    ports = [port for port in midi_inputs() if CLIENT not in port.name]
    with contextlib.ExitStack() as stack:
        polled = []
        for port in ports:
            with contextlib.suppress(UnavailableError):
                polled.append(PolledInput(port))
                stack.callback(polled[-1].close)
        own = found(keyboard, ports) if keyboard else []
        pressed = _pressed(polled, time.monotonic() + seconds, own[0] if len(own) == 1 else None)
    if not pressed:
        return None
    port = pressed[0].port
    word = kind_of([(one.value, one.at_s) for one in pressed])
    allowed = {"cc": (" inverted", " latching"), "note": (" latching",)}.get(pressed[0].control.split()[0], ())
    return {
        "port": to_write(port, ports),
        "control": pressed[0].control + (word if word in allowed else ""),
        "on_keyboard": own == [port],
    }


def _pressed(inputs: list[PolledInput], until_s: float, keyboard: Port | None) -> list[Press]:
    """Return the messages of the first control that is pressed, up to its release or its next press.

    If none of these comes before `until_s`, the list has the first message alone. It is empty if nothing was pressed.
    `until_s` is in monotonic seconds. `keyboard` is the player's own input.
    """
    first = FirstControl(keyboard)
    while (now_s := time.monotonic()) < until_s:
        for one in inputs:
            for message in one.messages():
                if (told := control_of(message)) is not None:
                    first.hear(Press(one.port, message.channel, *told, now_s))
        if first.is_complete(now_s):
            return first.messages
        time.sleep(POLL_S)
    return first.messages if first.is_pressed(now_s) else []


class FirstControl:
    """Finds the first control that is pressed, and collects its `messages`.

    The release of a key alone is not a press, and neither is a pedal that trembles, or a key of `keyboard` on which
    somebody plays: see PLAYED_S. All times are in monotonic seconds.
    """

    def __init__(self, keyboard: Port | None) -> None:
        self._keyboard = keyboard
        self.messages: list[Press] = []
        """Messages of the control that may be the one, up to its release or its next press."""
        self._struck: Press | None = None
        """The key of `keyboard` that was struck last."""

    def hear(self, press: Press) -> None:
        """Handle the next message of any control."""
        if not self.messages and press.control.startswith("note") and not press.value:
            return
        if press.is_key_of(self._keyboard) and press.value and self._is_music(press):
            self.messages = [] if self._is_key else self.messages
        elif self.messages and self.messages[0].is_same_control(press):
            self.messages += [press] if self.messages[0].is_told_again_by(press) else []
        elif self._gives_way_to(press):
            self.messages = [press]

    def is_complete(self, now_s: float) -> bool:
        """Return whether a control was pressed and released, or pressed twice, and nothing more may come from it."""
        if not self.messages:
            return False
        is_program = self.messages[0].control.startswith("program")
        return is_program or (len(self.messages) > 1 and not self._trembles and self._is_quiet(now_s, QUIET_S))

    def is_pressed(self, now_s: float) -> bool:
        """Return whether a control was pressed, even if nothing followed its first message."""
        return not self._trembles and self._is_quiet(now_s, 0.0)

    def _is_music(self, key: Press) -> bool:
        """Return whether another key of the keyboard was struck shortly before this one."""
        before, self._struck = self._struck, key
        return before is not None and before.control != key.control and key.at_s - before.at_s < PLAYED_S

    def _gives_way_to(self, press: Press) -> bool:
        """Return whether this message of another control is likelier to be of the one that a person presses."""
        if not self.messages or self._trembles:
            return True
        return not press.is_key_of(self._keyboard) and (self._is_key or self.messages[0].introduces(press))

    @property
    def _is_key(self) -> bool:
        """Whether the messages are of a key of `keyboard`."""
        return bool(self.messages) and self.messages[0].is_key_of(self._keyboard)

    @property
    def _trembles(self) -> bool:
        """Whether the values of a controller differ so little that nobody pressed it, see LEAST_WAY."""
        values = {press.value for press in self.messages}
        is_cc = bool(self.messages) and self.messages[0].control.startswith("cc")
        return is_cc and len(values) > 1 and max(values) - min(values) < LEAST_WAY

    def _is_quiet(self, now_s: float, least_s: float) -> bool:
        """Return whether nothing came from the control for `least_s`, or for PLAYED_S if it is a key of `keyboard`."""
        return bool(self.messages) and now_s - self.messages[-1].at_s >= (PLAYED_S if self._is_key else least_s)


if __name__ == "__main__":
    # a JACK client that is killed holds up the server, so this process closes its ports when it is asked to end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if (pressed := listen(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")) is not None:
        print(json.dumps(pressed), flush=True)
