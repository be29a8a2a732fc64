"""Whose a bundle is: the manifest's signature, checked by ssh-keygen against the keys that this box trusts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from device.errors import BundleError, UserError

NAMESPACE = "bundle@lefthand"
"""Keeps a signature that the key made for something else, a commit or a mail, from passing for a bundle's."""
PRINCIPAL = "lefthand"
"""The name that the keys of allowed_signers have."""
SIGNATURE = "manifest.json.sig"
SIGNERS = Path("/etc/lefthand/allowed_signers")
LARGEST_SIGNATURE = 16_384
TIMEOUT_S = 10


def check_signature(manifest: bytes, signature: Path, signers: Path = SIGNERS) -> str:
    """The fingerprint of the key that signed the text `manifest` of a bundle.

    `signers` is a file of ssh-keygen's ALLOWED SIGNERS form. Raises BundleError for a signature that is missing or not
    one of theirs, UserError where it cannot be checked at all.
    """
    folder = signature.parent
    if not signers.is_file():
        raise UserError(f"{signers} is missing: it names whose bundles are taken, and provisioning writes it.")
    if not signature.is_file():
        raise BundleError(f"{folder} is not signed: flash it with the key that was made at provisioning.")
    if signature.stat().st_size > LARGEST_SIGNATURE:
        raise BundleError(f"{signature} is too large for a signature: pack the bundle again.")
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", PRINCIPAL, "-n", NAMESPACE, "-s", str(signature)]
    try:
        ran = subprocess.run(command, input=manifest, capture_output=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise UserError("ssh-keygen is not installed: `sudo apt install openssh-client` brings it.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"ssh-keygen did not come to an end within {TIMEOUT_S} s: try again.") from None
    if ran.returncode != 0:
        said = " ".join((ran.stderr or ran.stdout).decode("utf-8", "replace").split()).rstrip(".")
        raise BundleError(
            f"{folder} is signed by none of the keys in {signers} for {NAMESPACE} ({said}): flash it with the key that "
            f"was made at provisioning, or provision with yours."
        )
    return ran.stdout.decode("utf-8", "replace").split()[-1]
