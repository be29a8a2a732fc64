"""A bundle that passes the self-test and fails in its trial: the old slot plays again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bundles import LATER, faulty, rules_against_slow, slow_step_s, variant
from ssh_box import RULES, Box

HOPS = 330
"""Hops of the trial, more than the bad models need to fail."""


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("nan", "its models give values that are not numbers"),
        # on a busy machine so slow a model looks like one that hangs
        ("slow", "it is too slow|it hangs|it ended"),
        ("hang", "it hangs|it ended"),
        # a service that takes longer than the trial's patience to start again has only ended, as far as the trial sees
        ("crash", r"it ended and was started again \d|it ended: no sign of life"),
    ],
)
def test_models_that_go_wrong_in_their_trial(box: Box, first: Path, tmp_path: Path, fault: str, why: str) -> None:
    assert box.flash(first).returncode == 0
    before = box.current().digest
    rules = RULES.replace("hops = 40", f"hops = {HOPS}")
    (box.folder / "flash.toml").write_text(rules_against_slow(rules) if fault == "slow" else rules)
    bad = variant(tmp_path / "bundle", fault, "2027-02-01T00:00:00Z")
    faulty(bad, fault, LATER)
    flashed = box.flash(bad)
    assert flashed.returncode == 2, flashed.stdout
    assert re.search(
        rf"Slot b \(\w+\) failed its trial and was flipped back: ({why}).*\. Slot a \(\w+\) plays again\. Mend",
        flashed.stderr,
    ), flashed.stderr
    if found := re.search(r"took more than (\d+\.\d) ms", flashed.stderr):
        # the model is too slow, not this machine
        assert float(found[1]) > 1e3 * slow_step_s() / 2, flashed.stderr
    assert box.current().digest == before and box.plays()
    verdict = box.slots.verdict("b")
    assert verdict is not None and not verdict.good
    # a failed bundle cannot be rolled back to
    back = box.deploy("rollback", "--host", "box")
    assert "The shipped bundle" in back.stdout and box.slots.active() is None and box.plays()
