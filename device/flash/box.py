"""What a flash finds on the box: where its things lie, whose they are, and how strict it is.

`/etc/lefthand/flash.toml`, root's own and optional, sets the numbers of `Rules`:

    slowest = 0.5        # share of a hop within which 99 of 100 must be done
    self_test_s = 60     # the longest self-test
    start_s = 60         # the longest start of the service
    hops = 250           # that a new bundle must play through
    waiting_s = 5        # or how long it must wait for its ports without trouble
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from device.bundles.signature import SIGNERS
from device.bundles.slots import Slots
from device.errors import ConfigError
from device.system.paths import NAME, SERVICE_RUN, SERVICE_STATE

SETTINGS = Path("/etc/lefthand/flash.toml")
SYSTEMCTL, UNIT = "/usr/bin/systemctl", "lefthand.service"


@dataclass(frozen=True)
class Rules:
    """How strict a flash is; the greatest value of each is 3600."""

    slowest: float = 0.5
    self_test_s: float = 60.0
    start_s: float = 60.0
    hops: int = 250
    waiting_s: float = 5.0


@dataclass(frozen=True)
class Box:
    """One box."""

    slots: Slots
    run: Path
    """Where the service's status lies."""
    signers: Path
    restart: tuple[tuple[str, ...], ...]
    """Commands that start the service anew; the status of all but the last does not count."""
    account: str | None
    """Who all this belongs to; None for whoever runs it."""
    rules: Rules = Rules()


def this_box() -> Box:
    """The box as it is provisioned. Raises ConfigError."""
    return Box(
        slots=Slots(SERVICE_STATE / "bundles"),
        run=SERVICE_RUN,
        signers=SIGNERS,
        # a bundle that failed at every start may have used up the starts that systemd allows
        restart=((SYSTEMCTL, "reset-failed", UNIT), (SYSTEMCTL, "--no-block", "restart", UNIT)),
        account=NAME,
        rules=read_rules(SETTINGS),
    )


def read_rules(path: Path) -> Rules:
    """The rules in the file `path`, the usual ones where there is none. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Rules()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): mend or remove it.") from None
    known = {field.name for field in fields(Rules)}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: {key} is not a key: the keys are {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
            raise ConfigError(f"{path}: {key} = {value} cannot be used: it must be a number above 0, at most 3600.")
    return replace(Rules(), **table)
