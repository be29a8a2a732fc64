"""Errors that a person reads."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend: one sentence that names the thing and the remedy.

    The command line prints it on stderr and exits with `exit_code`.
    """

    exit_code = 2


class ConfigError(UserError):
    """A setting that cannot be used; 78 is sysexits' EX_CONFIG, which the service does not restart on."""

    exit_code = 78


class BundleError(UserError):
    """A model bundle that this device refuses to run."""


def missing_extra(package: str, extra: str) -> UserError:
    """The one sentence for an optional `package` that is not installed."""
    return UserError(f"{package} is not installed: run `pip install 'lefthand[{extra}]'` to get it.")
