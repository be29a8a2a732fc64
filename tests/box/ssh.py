"""Access to a box as a flasher has it: OpenSSH's client to the box's own sshd, as the user `pi`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from systemd_box import NAMESPACES, Box

HOST = "box"
USER = "pi"


class Ssh:
    """An ssh configuration in `folder` whose host `box` is that box. Nothing else changes on this machine."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.host = HOST
        self.key = folder / "id_ed25519"
        self.config = folder / "config"
        """Path of the file for `ssh -F`: user, key and the proxy to the box's loopback."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        home = f"/home/{USER}/.ssh"
        box.write(f"{home}/authorized_keys", self.key.with_suffix(".pub").read_text(), mode=0o600)
        box.run("sh", "-c", f"chmod 700 {home}; chown -R {USER}: {home}")
        inside = f"nsenter --target {box.pid} {' '.join(NAMESPACES)} --wdns=/ -- nc 127.0.0.1 22"
        self.config.write_text(
            f"Host {HOST}\n"
            f"  User {USER}\n"
            f"  IdentityFile {self.key}\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            "  BatchMode yes\n"
            f"  UserKnownHostsFile {folder / 'known_hosts'}\n"
            "  StrictHostKeyChecking accept-new\n"
            "  LogLevel ERROR\n"
            f"  ProxyCommand {inside}\n"
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `command` on the box over ssh."""
        line = ["ssh", "-F", str(self.config), HOST, *command]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
