"""The devices around the service in a box: a JACK server, a keyboard or a tape, and a receiving instrument."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from systemd_box import HERE, Box, until

from tests.host.rig import Process

REPOSITORY = HERE.parents[1]
UNITS = REPOSITORY / "deploy" / "units"
SERVICE = "lefthand.service"
UNIT = "/etc/systemd/system"
CONFIG = "/etc/lefthand.toml"
STATUS = "/run/lefthand/status.json"
RIG = "/opt/rig"
JACK_ENV = ("JACK_DEFAULT_SERVER=box", "JACK_NO_START_SERVER=1", "ALSA_CONFIG_PATH=/etc/asound.none")
NO_CARDS = 'pcm.!default { type null hint { show on description "nothing" } }\nctl.!default { type null }\n'
"""ALSA settings with a null device. PortAudio aborts if the settings name no device at all."""
KEYS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "synth in"
[clock]
mode = "fixed"
tempo = 120
"""
"""Settings: the right hand comes from a keyboard, without a count-in."""
RIGHT_HAND = (72, 76, 79, 76)
BEAT_S = 0.5
LISTENS_S = 3.0
"""Seconds from playing to the first note: the player's next key, then a bar and a beat of listening."""

Message = tuple[float, str, int, int]


class Player(Process):
    """Runs tests/host/instrument.py inside a box: an instrument with the ports `NAME in` and `NAME out`."""

    def __init__(self, box: Box, name: str) -> None:
        super().__init__(inside(box, f"{RIG}/instrument.py", name), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.name = name
        self.wait_for("ready")
        self.text = ""

    def play(self, gestures: Sequence[tuple[float, str, int, int]]) -> None:
        """Play (seconds, kind, note, velocity), and return at once."""
        self.text = ""
        self.say(json.dumps({"play": gestures}))

    @property
    def received(self) -> list[Message]:
        """Return all messages so far: monotonic seconds, kind, note or controller, velocity or value."""
        self.text = ""
        self.say(json.dumps({"received": True}))
        return [(at_s, kind, number, value) for at_s, kind, number, value in json.loads(self.wait_for("["))]

    @property
    def sounding(self) -> set[int]:
        """Return the keys with a note-on and no note-off yet."""
        return _down(self.received)

    def held(self) -> set[int]:
        """Wait until keys sound and return them."""
        return until(f"{self.name} sounds", lambda: self.sounding)

    def struck(self, after_s: float) -> float:
        """Return the time of the first key after `after_s`, both in monotonic seconds."""
        return until("a note is played", lambda: [m[0] for m in self.received if m[0] > after_s and m[1] == "note_on"])[
            0
        ]

    def silent(self, after_s: float) -> float:
        """Return the first time after the given time at which no key sounded, both in monotonic seconds."""

        def found() -> float | None:
            received = self.received
            if not _down([message for message in received if message[0] <= after_s]):
                return after_s
            after = [i for i, message in enumerate(received) if message[0] > after_s]
            return next((received[i][0] for i in after if not _down(received[: i + 1])), None)

        return until("all keys are let go", found)


class Stage:
    """A box with our shipped units, JACK, and the settings `config`."""

    def __init__(self, box: Box, config: str = KEYS) -> None:
        self.box = box
        self._begun: list[Process] = []
        for unit in UNITS.glob("lefthand*"):
            box.write(f"{UNIT}/{unit.name}", unit.read_bytes())
        box.write(f"{UNIT}/jack.service", (HERE / "jack.service").read_bytes())
        self.drop_in("jack", (HERE / "jack.conf").read_text(), reload=False)
        box.write("/etc/asound.none", NO_CARDS)
        for program in ("instrument.py", "tape.py"):
            box.write(f"{RIG}/{program}", (REPOSITORY / "tests" / "host" / program).read_bytes())
        self.configure(config)
        # a unit that nothing wants is unloaded when it ends, and its result is lost
        box.run("systemctl", "enable", "--quiet", SERVICE)

    def drop_in(self, name: str, text: str, reload: bool = True, unit: str = SERVICE) -> None:
        """Add a drop-in with settings of the box to the service."""
        self.box.write(f"{UNIT}/{unit}.d/{name}.conf", text)
        if reload:
            self.box.run("systemctl", "daemon-reload")

    def configure(self, text: str) -> None:
        """Write the owner's settings."""
        self.box.write(CONFIG, text)

    def jack(self) -> None:
        """Start the sound system."""
        self.box.run("systemctl", "start", "jack.service")
        until("JACK is up", lambda: "system:" in self.box.run(*as_service(), "jack_lsp", check=False))

    def player(self, name: str) -> Player:
        """Start an instrument."""
        player = Player(self.box, name)
        self._begun.append(player)
        return player

    def tape(self, path: str) -> Process:
        """Start tests/host/tape.py in the box: a JACK client `tape` that plays the sound at `path` on a stdin line."""
        tape = Process(inside(self.box, f"{RIG}/tape.py", path), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self._begun.append(tape)
        tape.wait_for("ready")
        return tape

    def instrument(self) -> Player:
        """Start the left hand's instrument and a keyboard that plays without end. Return the instrument."""
        synth = self.player("synth")
        self.player("keys").play(melody(900))
        return synth

    def start(self) -> float:
        """Start or restart the service; return the seconds until it was ready."""
        self.box.run("systemctl", "stop", SERVICE)
        self.box.run("systemctl", "reset-failed", SERVICE, check=False)
        began_s = time.monotonic()
        self.box.run("systemctl", "start", SERVICE)
        return time.monotonic() - began_s

    def status(self) -> dict[str, Any]:
        """Return the content of status.json, {} if there is none."""
        try:
            read: dict[str, Any] = json.loads(self.box.path(STATUS).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return read

    def state(self, wanted: str) -> dict[str, Any]:
        """Wait until the state is `wanted` and return the status."""
        until(f"the state is {wanted}", lambda: self.status().get("state") == wanted)
        return self.status()

    def back(self, pid: int) -> float:
        """Wait until another process than `pid` plays. Return the time of that observation in monotonic seconds."""

        def plays() -> bool:
            status = self.status()
            return status.get("state") == "playing" and status["pid"] != pid

        until(f"another process than {pid} plays", plays)
        return time.monotonic()

    def close(self) -> None:
        """End the instruments, after the box."""
        for process in self._begun:
            process.child.kill()
            process.close()


def _down(messages: Sequence[Message]) -> set[int]:
    down: set[int] = set()
    for _, kind, key, _ in messages:
        if kind == "note_on":
            down.add(key)
        elif kind == "note_off":
            down.discard(key)
    return down


def as_service() -> list[str]:
    """Return the prefix for a command that is a JACK client."""
    return ["runuser", "-u", "lefthand", "--", "env", *JACK_ENV]


def inside(box: Box, *program: str) -> list[str]:
    """Return the command line of one of the rig's Python programs inside the box."""
    return box.command(*as_service(), "python3", *program)


def melody(seconds: float) -> list[tuple[float, str, int, int]]:
    """A right hand that strikes a key each beat."""
    gestures = []
    for i in range(int(seconds / BEAT_S)):
        key = RIGHT_HAND[i % len(RIGHT_HAND)]
        gestures += [(i * BEAT_S, "note_on", key, 80), (i * BEAT_S + 0.8 * BEAT_S, "note_off", key, 0)]
    return gestures
