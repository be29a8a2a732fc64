"""Errors that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

PortKind: TypeAlias = Literal["MIDI input", "MIDI output", "audio input", "MIDI control"]
"""What kind of port cannot be had; `device.ports.port` has the names."""


class UserError(Exception):
    """Something the user can mend: one sentence that names the thing and the remedy.

    The command line prints it on stderr and exits with `exit_code`.
    """

    exit_code = 2


class ConfigError(UserError):
    """A setting that cannot be used; 78 is sysexits' EX_CONFIG, which the service does not restart on."""

    exit_code = 78


class UnavailableError(UserError):
    """An input or port that cannot be had now, and may be later: a service waits for it.

    `kind` and `name` say which port, `why` says what is wrong with it (the whole sentence, if not given).
    """

    def __init__(self, sentence: str, kind: PortKind, name: str, why: str | None = None) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.name = name
        self.why = sentence if why is None else why

        self._parts = [f"{self.thing}: {self.why}"]

    @property
    def thing(self) -> str:
        """The port as a person would name it: its kind, and its name in quotes."""
        return f'{self.kind} "{self.name}"'

    @property
    def waiting(self) -> str:
        """What is waited for, and why."""
        return "waiting for " + "; and for ".join(self._parts)

    @classmethod
    def together(cls, errors: Sequence[UnavailableError]) -> UnavailableError:
        """Several as one."""
        whole = cls(" ".join(map(str, errors)), errors[0].kind, errors[0].name)
        whole._parts = [part for error in errors for part in error._parts]
        return whole


class BundleError(UserError):
    """A model bundle that this device refuses to run."""


def missing_extra(package: str, extra: str) -> UserError:
    """The one sentence for an optional `package` that is not installed."""
    return UserError(f"{package} is not installed: run `pip install 'lefthand[{extra}]'` to get it.")
