"""Makes the key that signs bundles of models, and signs with it. Both use the program ssh-keygen."""

from __future__ import annotations

import getpass
import platform
import subprocess
from pathlib import Path

from device.bundles.signature import NAMESPACE, PRINCIPAL
from device.errors import UserError

DEFAULT_KEY = Path("~/.config/lefthand/flash_key").expanduser()


def ensure_key(path: Path = DEFAULT_KEY) -> Path:
    """Make the private key at `path` if it is missing. Returns `path`.

    The public key is at the same path with `.pub`. Raises UserError if only the public key is missing, or if ssh-keygen
    fails.
    """
    if path.is_file():
        if not public_of(path).is_file():
            raise UserError(
                f"{public_of(path)} is missing: `ssh-keygen -y -f {path} > {public_of(path)}` makes it again."
            )
        return path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    comment = f"lefthand {getpass.getuser()}@{platform.node()}"
    # No pass phrase, because flashing does not ask for one. ssh-keygen -p can add one; ssh-agent can then hold the key.
    _keygen("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
    return path


def public_of(key: Path) -> Path:
    """Return the path of the public key that belongs to the private key at `key`."""
    return key.with_name(key.name + ".pub")


def signers_line(path: Path = DEFAULT_KEY) -> str:
    """Return the line of /etc/lefthand/allowed_signers that accepts bundles signed with the key at `path`."""
    public = public_of(path).read_text(encoding="utf-8").split()
    return f'{PRINCIPAL} namespaces="{NAMESPACE}" {public[0]} {public[1]}\n'


def sign(message: bytes, key: Path) -> bytes:
    """Return the signature of `message` with the private key at `key`, as ASCII text.

    Raises UserError if there is no such key, or if ssh-keygen fails.
    """
    if not key.is_file():
        raise UserError(
            f"There is no key {key} to sign with: `python -m deploy keygen` makes it, provisioning copies it to the Pi."
        )
    return _keygen("-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, stdin=message)


def _keygen(*arguments: str, stdin: bytes | None = None) -> bytes:
    # Without `stdin` the terminal stays connected, so ssh-keygen can ask for a pass phrase.
    ran = subprocess.run(["ssh-keygen", *arguments], input=stdin, capture_output=True, check=False)
    if ran.returncode != 0:
        said = " ".join(ran.stderr.decode("utf-8", "replace").split()) or f"it exited with {ran.returncode}"
        raise UserError(f"ssh-keygen failed: {said}")
    return ran.stdout
