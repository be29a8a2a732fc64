"""Runs `lefthand doctor`, which checks the box and prints a remedy for each fault."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from device.commands.options import settings_file
from device.system.account import leave_root

BROKEN = 1
"""Exit status if a check has found a fault that keeps the box from playing, or from playing on time."""


@click.command()
@settings_file("The settings of the box.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Check the box and give a remedy for each fault. The exit status is 1 if the box cannot play."""
    from device.doctor.examine import WIDTH, examine
    from device.doctor.machine import Machine

    settings = path.absolute()
    leave_root()
    findings = []
    for finding in examine(Machine(), settings):
        findings.append(finding)
        if not as_json:
            click.echo(finding.line(WIDTH))
    broken = sum(finding.level == "broken" for finding in findings)
    if as_json:
        click.echo(json.dumps({"broken": broken, "findings": [asdict(finding) for finding in findings]}, indent=2))
    elif broken:
        click.echo(f"{broken} of {len(findings)} checks found a fault that must be mended first.")
    ctx.exit(BROKEN if broken else 0)
