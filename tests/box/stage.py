"""The surroundings of the service in a box: a JACK server, a keyboard or a tape, an instrument that listens."""

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
"""PortAudio aborts where ALSA's settings name no device at all."""
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
"""The right hand from a keyboard, without a count-in."""
RIGHT_HAND = (72, 76, 79, 76)
BEAT_S = 0.5
LISTENS_S = 3.0
"""From playing to the first note: the player's next key, and then a bar and a beat in which it listens."""

Message = tuple[float, str, int, int]


class Player(Process):
    """tests/host/instrument.py inside a box: an instrument with the ports `NAME in` and `NAME out`."""

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
        """All messages so far: monotonic seconds, kind, note or controller, velocity or value."""
        self.text = ""
        self.say(json.dumps({"received": True}))
        return [(at_s, kind, number, value) for at_s, kind, number, value in json.loads(self.wait_for("["))]

    @property
    def sounding(self) -> set[int]:
        """The keys whose note-on came and whose note-off did not."""
        return _down(self.received)

    def held(self) -> set[int]:
        """The keys that sound, once there are any."""
        return until(f"{self.name} sounds", lambda: self.sounding)

    def struck(self, after_s: float) -> float:
        """When the first key was struck after a time, both in monotonic seconds."""
        return until("a note is played", lambda: [m[0] for m in self.received if m[0] > after_s and m[1] == "note_on"])[
            0
        ]

    def silent(self, after_s: float) -> float:
        """When all was silent for the first time after a time, both in monotonic seconds."""

        def found() -> float | None:
            received = self.received
            if not _down([message for message in received if message[0] <= after_s]):
                return after_s
            after = [i for i, message in enumerate(received) if message[0] > after_s]
            return next((received[i][0] for i in after if not _down(received[: i + 1])), None)

        return until("all keys are let go", found)


class Stage:
    """A box with our units installed as they are shipped, JACK, and the settings `config`."""

    def __init__(self, box: Box, config: str = KEYS) -> None:
        self.box = box
        self._begun: list[Process] = []
        for unit in UNITS.glob("*.service"):
            box.write(f"{UNIT}/{unit.name}", unit.read_bytes())
        box.write(f"{UNIT}/jack.service", (HERE / "jack.service").read_bytes())
        self.drop_in("jack", (HERE / "jack.conf").read_text(), reload=False)
        box.write("/etc/asound.none", NO_CARDS)
        for program in ("instrument.py", "tape.py"):
            box.write(f"{RIG}/{program}", (REPOSITORY / "tests" / "host" / program).read_bytes())
        self.configure(config)
        # not started: a unit that nothing wants is forgotten as soon as it has ended, with how it ended
        box.run("systemctl", "enable", "--quiet", SERVICE)

    def drop_in(self, name: str, text: str, reload: bool = True, unit: str = SERVICE) -> None:
        """Add settings of the box to the service."""
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
        """An instrument."""
        player = Player(self.box, name)
        self._begun.append(player)
        return player

    def tape(self, path: str) -> Process:
        """tests/host/tape.py inside the box: a JACK client `tape`, which plays the sound at `path` after a line."""
        tape = Process(inside(self.box, f"{RIG}/tape.py", path), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self._begun.append(tape)
        tape.wait_for("ready")
        return tape

    def instrument(self) -> Player:
        """The instrument of the left hand; with it a keyboard that plays on and on."""
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
        """status.json, {} where there is none."""
        try:
            read: dict[str, Any] = json.loads(self.box.path(STATUS).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return read

    def state(self, wanted: str) -> dict[str, Any]:
        """The status, once its state is `wanted`."""
        until(f"the state is {wanted}", lambda: self.status().get("state") == wanted)
        return self.status()

    def back(self, pid: int) -> float:
        """Once another process than `pid` plays: when that was seen, in monotonic seconds."""

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
    """The prefix of a command that is a client of JACK."""
    return ["runuser", "-u", "lefthand", "--", "env", *JACK_ENV]


def inside(box: Box, *program: str) -> list[str]:
    """The command line of a Python program of the rig inside the box."""
    return box.command(*as_service(), "python3", *program)


def melody(seconds: float) -> list[tuple[float, str, int, int]]:
    """A right hand that strikes a key each beat."""
    gestures = []
    for i in range(int(seconds / BEAT_S)):
        key = RIGHT_HAND[i % len(RIGHT_HAND)]
        gestures += [(i * BEAT_S, "note_on", key, 80), (i * BEAT_S + 0.8 * BEAT_S, "note_off", key, 0)]
    return gestures
