"""Runs all checks of `lefthand doctor`. A fault that can cause others is checked first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from device.doctor.checks_ports import (
    check_heard,
    check_input,
    check_output,
    check_permissions,
    check_sound,
    check_synth,
    check_tuning,
)
from device.doctor.checks_software import check_bundle, check_latency, check_runtime, check_speed
from device.doctor.checks_system import (
    check_clock,
    check_disk,
    check_governor,
    check_memory,
    check_power,
    check_real_time,
    check_service,
)
from device.doctor.finding import Finding, broken, good
from device.doctor.machine import Machine
from device.errors import UserError
from device.settings.config import Config, read_config

WIDTH = 11
"""Length of the longest name of a check, in characters."""


def examine(machine: Machine, settings: Path) -> Iterator[Finding]:
    """Run the checks and yield the finding of each, as soon as it is done.

    `settings` is the settings file of the box. If it cannot be used, that is the first finding, and the checks that
    need settings are left out.
    """
    config: Config | None = None
    try:
        config = read_config(settings)
        yield good("settings", str(settings))
    except UserError as error:
        yield broken("settings", str(error))
    yield check_runtime(machine)
    finding, bundle = check_bundle(machine, config)
    yield finding
    yield check_permissions(machine)
    if config is not None:
        yield from (
            check(machine, config)
            for check in (check_sound, check_tuning, check_output, check_heard, check_input, check_synth)
        )
    for check in (check_real_time, check_governor, check_power, check_memory, check_disk, check_clock, check_service):
        yield check(machine)
    if config is not None:
        yield check_latency(machine, config)
    yield check_speed(machine, bundle)
