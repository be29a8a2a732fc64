#!/bin/sh
# Installs the Debian packages that are missing. usage: system-packages.sh {play|all|pi|pi-cost}
set -eu
packages="python3-venv libsndfile1 timgm6mb-soundfont"
# tinysoundfont asks for pyaudio, of which PyPI has no wheel for Linux
packages="$packages build-essential python3-dev portaudio19-dev"
if [ "${1:-play}" = all ]; then
    packages="$packages pkg-config libasound2-dev libjack-jackd2-dev jackd2 libsystemd-dev espeak-ng"
    # the synthesiser on the box, and what joins it
    packages="$packages fluidsynth alsa-utils"
    # the browsers in which the page is tested
    packages="$packages chromium chromium-driver firefox-esr"
    # boxes behind a real sshd
    packages="$packages openssh-client openssh-server"
    # the box that the service is tested in
    packages="$packages mmdebstrap openssh-client util-linux"
fi
if [ "${1:-play}" = pi ]; then
    # the Debian arm64 that provisioning is tested on
    packages="qemu-system-arm qemu-user-static binfmt-support arch-test mmdebstrap cpio e2fsprogs kmod openssh-client"
fi
if [ "${1:-play}" = pi-cost ]; then
    # the emulator that counts instructions
    packages="qemu-user mmdebstrap gcc libc6-dev"
fi
command -v dpkg-query >/dev/null || { echo "This is no Debian: install the equivalents of: $packages"; exit 0; }
missing=""
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run this as root, or install:$missing"; exit 1; }
    as_root=sudo
fi
echo "Installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
