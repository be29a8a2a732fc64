"""Measures how long the check of a bundle's signature takes: `python -m deploy.signature_time`.

The service makes this check at each start, for the bundle of a slot.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from deploy.keys import ensure_key, sign, signers_line
from device.bundles.bundle import default_bundle
from device.bundles.manifest import MANIFEST
from device.bundles.signature import SIGNATURE, check_signature

RUNS = 100
"""Number of checks that are timed."""


def times_ms(runs: int = RUNS) -> list[float]:
    """Return the time of each of `runs` checks in ms, with a new key and the manifest of the shipped bundle."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = ensure_key(folder / "key")
        signers, signature = folder / "allowed_signers", folder / SIGNATURE
        signers.write_text(signers_line(key))
        manifest = (default_bundle() / MANIFEST).read_bytes()
        signature.write_bytes(sign(manifest, key))
        for _ in range(runs):
            began_s = time.perf_counter()
            check_signature(manifest, signature, signers)
            found.append(1e3 * (time.perf_counter() - began_s))
    return found


if __name__ == "__main__":
    median, late, most = np.quantile(times_ms(), (0.5, 0.99, 1.0))
    print(f"check of a signature, {RUNS} runs: median {median:.0f} ms, p99 {late:.0f} ms, longest {most:.0f} ms")
