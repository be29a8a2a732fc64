"""The folders, the account and the limits that a flash uses on the box.

The optional file `/etc/lefthand/flash.toml`, which belongs to root, sets the numbers of `Rules`:

    slowest = 0.5        # largest share of a hop's length that 99 of 100 hops may take
    upload_s = 900       # longest time for the whole upload, in seconds; others wait for it
    self_test_s = 60     # longest time for the self-test, in seconds
    start_s = 60         # longest time for the start of the service, in seconds
    hops = 250           # number of hops that a new bundle must play
    waiting_s = 5        # or seconds that it must wait for its ports without an error
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from device.bundles.slots import Slots
from device.errors import ConfigError
from device.system.paths import NAME, SERVICE_RUN, SERVICE_STATE

SETTINGS = Path("/etc/lefthand/flash.toml")
SYSTEMCTL, UNIT = "/usr/bin/systemctl", "lefthand.service"


@dataclass(frozen=True)
class Rules:
    """Holds the limits of a flash, which is the installation of a bundle. The largest value of each is 3600.

    The keys are explained at the top of this module.
    """

    slowest: float = 0.5
    upload_s: float = 900.0
    self_test_s: float = 60.0
    start_s: float = 60.0
    hops: int = 250
    waiting_s: float = 5.0


@dataclass(frozen=True)
class Box:
    """Holds the paths and commands of one box (a Pi that runs the device) that the installation of a bundle uses."""

    slots: Slots
    run: Path
    """Folder of the service's status file."""
    restart: tuple[tuple[str, ...], ...]
    """Commands that restart the service, run in turn. Only the exit status of the last one counts."""
    account: str | None
    """Account that owns the slots. None for the account that runs the flash."""
    rules: Rules = Rules()


def this_box() -> Box:
    """Return the paths and commands of this machine, as `deploy` sets it up.

    Raises ConfigError as `read_rules` does.
    """
    return Box(
        slots=Slots(SERVICE_STATE / "bundles"),
        run=SERVICE_RUN,
        # a bundle that failed at every start may have reached the limit of starts that systemd allows
        restart=((SYSTEMCTL, "reset-failed", UNIT), (SYSTEMCTL, "--no-block", "restart", UNIT)),
        account=NAME,
        rules=read_rules(SETTINGS),
    )


def read_rules(path: Path) -> Rules:
    """Return the rules in the file `path`; the defaults if there is no file.

    Raises ConfigError if the file cannot be read, or for an unknown key or a value not allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Rules()
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply: give one number for each key.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): mend or remove it.") from None
    known = {field.name for field in fields(Rules)}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: {key} is not a key: the keys are {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
            raise ConfigError(f"{path}: {key} = {value} cannot be used: it must be a number above 0, at most 3600.")
    return replace(Rules(), **table)
