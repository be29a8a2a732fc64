#!/bin/bash
# Makes the unpacked root the machine that a card writer leaves: user pi with its key and sudo, sshd, network.
# usage: settle.sh ROOT PUBLIC_KEY
set -euo pipefail
root=$1
key=$2
echo virtual-pi >"$root/etc/hostname"
printf '127.0.0.1 localhost virtual-pi\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
rm -f "$root/etc/resolv.conf"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf" # qemu's own

chroot "$root" useradd --create-home --shell /bin/bash --groups sudo,audio pi
# as on Raspberry Pi OS
echo 'pi ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/010_pi-nopasswd"
chmod 440 "$root/etc/sudoers.d/010_pi-nopasswd"
install -d -m 700 -o "$(stat -c %u "$root/home/pi")" -g "$(stat -c %g "$root/home/pi")" "$root/home/pi/.ssh"
install -m 600 -o "$(stat -c %u "$root/home/pi")" -g "$(stat -c %g "$root/home/pi")" "$key" \
    "$root/home/pi/.ssh/authorized_keys"
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"

mkdir -p "$root/etc/systemd/network" "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/modules-load.d"
printf '[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/10-e.network"
ln -sf /lib/systemd/system/systemd-networkd.service "$root/etc/systemd/system/multi-user.target.wants/"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer systemd-networkd-wait-online.service systemd-pstore.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
printf 'snd-seq\nsnd-aloop\n' >"$root/etc/modules-load.d/sound.conf"
echo 'options snd-aloop index=0 id=Loopback pcm_substreams=2' >"$root/etc/modprobe.d/sound.conf"

# the way to the mirror is this machine's own
apt-config dump | grep -E '^Acquire::(Check-(Date|Valid-Until)|https?::|Retries) ?' >"$root/etc/apt/apt.conf.d/90host" || true
rm -f "$root"/var/lib/apt/lists/*_* "$root"/var/cache/apt/archives/*.deb
