"""Attacks on the shipped service, made as another account or another program of the machine would make them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from stage import KEYS, Stage
from systemd_box import until

WATCHDOG_S = 3.0
"""The watchdog's limit in the unit. A process that systemd is told to end is gone long before."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    stage = set_stage(KEYS)
    stage.jack()
    return stage


def test_a_port_whose_name_holds_lines_for_systemd_cannot_restart_the_service(stage: Stage) -> None:
    stage.player("piano\nWATCHDOG=trigger\n\x1b[31mforged")
    stage.start()
    status = stage.state("waiting")
    assert "forged" in status["message"], "the sentence lists the ports that are there"
    pid = stage.box.main_pid()
    time.sleep(WATCHDOG_S)
    assert stage.box.main_pid() == pid and stage.box.show("NRestarts") == "0", stage.box.messages()
    until("systemctl says it too", lambda: stage.box.show("StatusText") == status["message"])
    for said in (status["message"], *stage.box.messages()):
        assert not CONTROL.search(said), repr(said)
