"""Defines the errors whose messages are shown to the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from device.printable import printable

PortKind: TypeAlias = Literal["MIDI input", "MIDI output", "audio input", "MIDI control"]
"""Kind of a port that is not available. `device.ports.port` has the names."""


class UserError(Exception):
    """A problem that the user can solve. The message is one sentence that names the thing and the remedy.

    The command line prints it on stderr and exits with `exit_code`. The sentence may quote names from outside, so it
    is kept as `printable` returns it.
    """

    exit_code = 2

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))


class ConfigError(UserError):
    """A setting that cannot be used.

    The exit code 78 is EX_CONFIG of sysexits.h. The service does not restart after it.
    """

    exit_code = 78


class UnavailableError(UserError):
    """Reports an input or port that is not available now but may be later. The service waits for it.

    `kind` and `name` identify the port. `why` is the reason; without it, the whole sentence is the reason.
    """

    def __init__(self, sentence: str, kind: PortKind, name: str, why: str | None = None) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.name = printable(name)
        self.why = printable(sentence if why is None else why)

        self._parts = [f"{self.thing}: {self.why}"]

    @property
    def thing(self) -> str:
        """Return the port as messages name it: its kind, and its name in quotes."""
        return f'{self.kind} "{self.name}"'

    @property
    def waiting(self) -> str:
        """Return a text that names every port that is waited for, and the reason."""
        return "waiting for " + "; and for ".join(self._parts)

    @classmethod
    def together(cls, errors: Sequence[UnavailableError]) -> UnavailableError:
        """Join several errors (at least one) into one error and return it. Raises IndexError if there are none."""
        whole = cls(" ".join(map(str, errors)), errors[0].kind, errors[0].name)
        whole._parts = [part for error in errors for part in error._parts]
        return whole


class BundleError(UserError):
    """Reports a model bundle (the folder of the models) that this device refuses to run."""


def missing_extra(package: str, extra: str) -> UserError:
    """Return the error for an optional `package` that is not installed but is part of `extra`."""
    return UserError(f"{package} is not installed: run `pip install 'lefthand[{extra}]'` to get it.")
