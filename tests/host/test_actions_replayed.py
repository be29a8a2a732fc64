"""A real run that its owner steers while it records: `lefthand play` of the capture sends what the run sent."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rig import PATIENCE_S, Instrument, Service, until
from scenes import BEAT_S, KEYS, Playing, Start, play_until_struck, struck, until_silent

from device.cli import main
from device.recording.capture import ACTIONS, actions_taken
from device.settings.controls import Action, Arm, Fill, Hold, Restyle, Tap
from tests.messages import messages, same, strikes

ORDERS: list[tuple[list[str], Action]] = [
    (["style", "march"], Restyle("march")),
    (["hold", "on"], Hold(True)),
    (["hold", "off"], Hold(False)),
    (["arm", "off"], Arm(False)),
    (["arm", "on"], Arm(True)),
    *[(["tap"], Tap())] * 4,
    (["fill"], Fill()),
]
"""What the owner says after `lefthand do`, and the action that it is."""


def do(box: Service, *words: str) -> None:
    """Run `lefthand do` until the box takes the order. On a busy machine the session may just begin again."""
    env = {"RUNTIME_DIRECTORY": str(box.run_dir)}
    until(lambda: CliRunner().invoke(main, ["do", *words], env=env).exit_code == 0, PATIENCE_S, f"it takes {words}")


@pytest.fixture
def takes(service: Start, instrument: Callable[..., Instrument], tmp_path: Path) -> Iterator[list[Path]]:
    """The folders of what was recorded while the owner gave ORDERS: one, if no session began again."""
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS, "--record", str(tmp_path / "takes"))
    box.wait_until("playing")
    play_until_struck(keys, synth)
    with Playing(keys):
        for words, _ in ORDERS:
            do(box, *words)
            if words == ["arm", "off"]:
                until_silent(synth)
            time.sleep(BEAT_S)
        before = struck(synth.received)
        until(lambda: struck(synth.received) > before, PATIENCE_S, "a note after the orders")
    assert box.end(signal.SIGTERM) == 0, box.text
    yield sorted((tmp_path / "takes").iterdir())


def test_a_replay_of_a_run_sends_what_was_sent_while_the_owner_steered_it(takes: list[Path], tmp_path: Path) -> None:
    actions, sent = [], []
    for take in takes:
        actions += [one.action for one in actions_taken(take / "capture.mid") or ()]
        sent.append(messages(take / "sent.mid"))
        assert same(replayed(take, tmp_path / "again.mid"), sent[-1]), take
    assert actions == [action for _, action in ORDERS]
    assert sum(map(len, map(strikes, sent))) > len(ORDERS)
    # the test would fail if the replay left the actions out
    for take in takes:
        (take / ACTIONS).unlink()
    assert not all(same(replayed(take, tmp_path / "again.mid"), one) for take, one in zip(takes, sent, strict=True))


def replayed(take: Path, out: Path) -> dict[str, list[float]]:
    """Return the messages that `lefthand play` writes for the recording `take`."""
    ran = CliRunner().invoke(main, ["play", str(take / "capture.mid"), "--midi", str(out), "--force"])
    assert ran.exit_code == 0, ran.output
    return messages(out)
