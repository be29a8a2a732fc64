"""Checks the signature of a bundle's manifest with ssh-keygen, against the keys that this box trusts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from device.errors import BundleError, UserError

NAMESPACE = "bundle@lefthand"
"""Namespace of the signature, in the sense of ssh-keygen.

A signature that the same key made for a commit or a mail has another namespace, so it is refused here.
"""
PRINCIPAL = "lefthand"
"""Name of the keys in the file allowed_signers."""
SIGNATURE = "manifest.json.sig"
SIGNERS = Path("/etc/lefthand/allowed_signers")
LARGEST_SIGNATURE = 16_384
"""Bytes. A larger file is refused before ssh-keygen reads it."""
TIMEOUT_S = 10
"""Seconds after which ssh-keygen is stopped."""


def check_signature(manifest: bytes, signature: Path, signers: Path = SIGNERS) -> str:
    """Return the fingerprint of the key that signed the text `manifest` of a bundle.

    `signers` is a file in the form that the manual of ssh-keygen gives under ALLOWED SIGNERS. Raises BundleError for a
    signature that is missing or made by another key, and UserError if the signature cannot be checked at all.
    """
    folder = signature.parent
    if not signers.is_file():
        raise UserError(f"{signers} is missing: it lists the keys to trust, and provisioning writes it.")
    if not signature.is_file():
        raise BundleError(f"{folder} is not signed: flash it with the key that was made at provisioning.")
    if signature.stat().st_size > LARGEST_SIGNATURE:
        raise BundleError(f"{signature} is too large for a signature: pack the bundle again.")
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", PRINCIPAL, "-n", NAMESPACE, "-s", str(signature)]
    try:
        ran = subprocess.run(command, input=manifest, capture_output=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise UserError("ssh-keygen is not installed: run `sudo apt install openssh-client`.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"ssh-keygen did not finish within {TIMEOUT_S} s: try again.") from None
    if ran.returncode != 0:
        said = " ".join((ran.stderr or ran.stdout).decode("utf-8", "replace").split()).rstrip(".")
        raise BundleError(
            f"{folder} is signed by none of the keys in {signers} for {NAMESPACE} ({said}): flash it with the key that "
            f"was made at provisioning, or provision with yours."
        )
    return ran.stdout.decode("utf-8", "replace").split()[-1]
