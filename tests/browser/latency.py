"""How long a note takes from the box to the screen: python -m tests.browser.latency [--notes N]

The notes go through the real control socket, the page's process and Chromium, all on this machine. The time of a note
that was heard begins when the box has decided it. The time of a note of the left hand begins when it is due. Both end
when the browser has drawn the key. The exit status is 1 if 95 % of the notes of a kind take longer than MOST_MS.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from chromium import Chromium  # noqa: E402
from demo_site import DemoSite, until  # noqa: E402

from device.control.server import ControlServer  # noqa: E402
from device.status.moments import Moment, MomentKind, Moments  # noqa: E402
from device.status.schema import Status, SteeringStatus  # noqa: E402

MOST_MS = 100.0
"""Milliseconds within which 95 % of the notes must be on the screen."""
AHEAD_S = 0.15
"""Seconds by which the box decides a note of the left hand before it is due: about a sixteenth."""
PITCHES = range(40, 90)
WATCH = """
window.drawn = {};
new MutationObserver((changes) => {
  for (const change of changes) for (const name of ["heard", "played"]) {
    const key = change.target;
    if (!key.classList.contains(name) || (change.oldValue ?? "").includes(name)) continue;
    const slot = name + [...key.parentElement.children].indexOf(key);
    // the callback runs before the frame is drawn, and the message after it
    requestAnimationFrame(() => { const channel = new MessageChannel();
      channel.port1.onmessage = () => { window.drawn[slot] = performance.timeOrigin + performance.now(); };
      channel.port2.postMessage(0); });
  }
}).observe(document.getElementById("keys"), {attributes: true, attributeOldValue: true, subtree: true});
"""
LOWEST = 21
"""Pitch of the lowest key on the screen."""


class Refuses:
    """The orders of a box that only shows."""

    def act(self, action: Any) -> None: ...

    def change(self, wanted: Any) -> None: ...

    def reset(self) -> None: ...

    def settings(self) -> dict[str, Any]:
        return {}

    def record(self, on: bool) -> None: ...

    def delete(self, number: str) -> None: ...

    def look(self, name: str) -> dict[str, Any]:
        return {}


def latencies_ms(folder: Path, browser: Chromium, notes: int, seed: int = 1) -> dict[MomentKind, list[float]]:
    """Milliseconds from decided (heard) or due (played) to drawn, of `notes` notes of each kind."""
    moments, random = Moments(), Random(seed)
    found: dict[MomentKind, list[float]] = {"heard": [], "played": []}
    with DemoSite(folder, sound=None) as site:
        box = ControlServer(site.run, Refuses(), moments, lambda error: None)
        try:
            box.publish(Status("playing", "measuring", "", 1, "0", steering=SteeringStatus()))
            browser.open(site.address, site.cookie)
            browser.says("message", "Measuring")
            browser.script(WATCH)
            for number in range(notes):
                for kind in found:
                    pitch = PITCHES[number % len(PITCHES)]
                    ahead_s = AHEAD_S if kind == "played" else 0.0
                    at_s = time.monotonic() + ahead_s
                    # the wall clock of the browser's times, from the same machine
                    to_wall_s = time.time() - time.monotonic()
                    moments.add(Moment(kind, at_s, pitch, 80))
                    slot = f"{kind}{pitch - LOWEST}"
                    until(lambda slot=slot: browser.script("return window.drawn[arguments[0]]", slot), slot)
                    drawn_ms = float(browser.script("return window.drawn[arguments[0]]", slot))
                    found[kind].append(drawn_ms - 1000 * (at_s + to_wall_s))
                    ended: MomentKind = "heard_end" if kind == "heard" else "played_end"
                    moments.add(Moment(ended, time.monotonic(), pitch))
                    key = f"#keys span:nth-child({pitch - LOWEST + 1}).{kind}"
                    until(lambda key=key: not browser.all(key), f"{slot} ends")
                    browser.script("delete window.drawn[arguments[0]]", slot)
                    time.sleep(random.uniform(0.0, 0.05))
        finally:
            box.close()
    return found


def line_of(kind: str, times_ms: Sequence[float]) -> str:
    """One line of the table."""
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    return f"{kind:8s} {len(times_ms):5d} notes   p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   p99 {p99:6.1f} ms"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--notes", type=int, default=200)
    notes = options.parse_args().notes
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        browser.size(390, 844, phone=True)
        found = latencies_ms(Path(folder), browser, notes)
    for kind, times_ms in found.items():
        print(line_of(kind, times_ms))
    sys.exit(0 if all(np.percentile(times_ms, 95) <= MOST_MS for times_ms in found.values()) else 1)


if __name__ == "__main__":
    main()
