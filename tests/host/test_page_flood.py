"""Floods of the page beside a right hand that is heard on JACK: the box plays on and obeys.

`make timed` also judges that it is no slower than in a quiet part of the run.

`make flood` is the long form, with more parts and without JACK.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from jackserver import PERIOD, RATE
from rig import PATIENCE_S, Box, Ensemble, Service, until
from scenes import SOUND, asked

from device.page.access import secret_of
from tests import flood
from tests.pace import TIMED

SETTINGS = f'{SOUND}[clock]\nmode = "fixed"\ntempo = 100\n[play]\nstyle = "arpeggio"\n'
SECONDS = 4.0
"""Length of the quiet part, and of the flood of requests."""
BLOCK_MS = 1e3 * PERIOD / RATE
"""Milliseconds of a block of the JACK server."""
WAKE_S = 0.005
TRIES = 2
"""Another program may stop the machine for a moment in one run. A flood that slows the box down does it in each."""


@dataclass(frozen=True)
class Target:
    """The page and the box, as the floods of tests/flood.py know them."""

    port: int
    cookie: str
    run: Path


def noticed(ensemble: Ensemble, env: dict[str, str], sound: Path, folder: Path) -> list[str]:
    """Return a sentence for each sign that the floods have slowed the box down. Print the percentiles of both parts."""
    synth = ensemble.instrument("synth")
    tape = ensemble.tape(sound)
    folder.mkdir()
    box = ensemble.service(SETTINGS, folder)
    page = Box(*_page(env, box))
    try:
        page.wait_for("The page is at")
        port = int(page.text.split("localhost:")[1].split(",")[0])
        box.wait_until("playing")
        tape.say("again")
        until(lambda: box.status.send_p99_ms is not None, PATIENCE_S, "the left hand plays")
        target = Target(port, secret_of(folder / "state").cookie, box.run_dir)
        late_s: list[float] = []

        async def nothing(target: Target, seconds: float, random: Random) -> str:
            end_s = time.monotonic() + seconds
            while (now_s := time.monotonic()) < end_s:
                await asyncio.sleep(WAKE_S)
                late_s.append(time.monotonic() - now_s - WAKE_S)
            return "nothing"

        quiet = _row("quiet", nothing, target, box)
        rows = [quiet, _row("requests", flood.requests, target, box)]
        rows.append(_row("malformed messages", flood.malformed_messages, target, box))
        for row in rows:
            print(row.line())
        assert box.child.poll() is None, "the box has ended"
        asked(box, {"do": "panic"})
        busy_ms = 1e3 * float(np.percentile(late_s, 99))
        print(f"in the quiet part a thread woke up {busy_ms:.1f} ms late (p99), a block is {BLOCK_MS:.1f} ms")
        lost = [f"{row.part}: blocks were lost: {row.xruns}" for row in rows if row.xruns > quiet.xruns]
        if busy_ms > BLOCK_MS:
            # other programs fill the processor, so threads of the box wait for each other, see docs/page.md
            lost = []
        return [*lost, *(sentence for row in rows for sentence in row.slower(quiet))]
    finally:
        page.close()
        box.close()
        tape.close()
        synth.close()


def _page(env: dict[str, str], box: Service) -> tuple[list[str], dict[str, str]]:
    from demo_site import free_port

    folders = {"RUNTIME_DIRECTORY": str(box.run_dir), "STATE_DIRECTORY": str(box.folder / "state")}
    return [sys.executable, "-m", "device.cli", "page", "--port", str(free_port())], {**env, **folders}


def _row(part: str, act: Callable[..., Any], target: Target, box: Service) -> flood.Row:
    """Run one part. The percentiles count from the start of the box, so those of a flood hold the quiet part too."""
    before = box.status
    did = asyncio.run(act(target, SECONDS, Random(1)))
    after = box.status
    lost, hops = after.audio.xruns - before.audio.xruns, after.hop.count - before.hop.count
    return flood.Row(part, did, hops, 0.0, lost, after.hop.p99_ms, after.send_p99_ms, True)


@pytest.mark.quiet
def test_floods_leave_a_box_that_plays_and_obeys(
    jack: dict[str, str], ensemble: Ensemble, right_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "MALFORMED", 1000)
    signs: list[dict[tuple[str, ...], str]] = []
    while len(signs) < (TRIES if TIMED else 1) and (not signs or signs[-1]):
        said = noticed(ensemble, jack, right_hand, tmp_path / str(len(signs)))
        print("\n".join(said))
        # the part and the name of the figure, without the figure itself
        signs.append({tuple(one.split(" p99")[0].split(": ")[:2]): one for one in said})
    if TIMED:
        assert not set.intersection(*(set(one) for one in signs)), signs
