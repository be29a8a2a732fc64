#!/bin/sh
# Installs the Debian packages that are missing. usage: system-packages.sh {play|all}
set -eu
packages="python3-venv libsndfile1 timgm6mb-soundfont"
if [ "${1:-play}" = all ]; then
    packages="$packages build-essential python3-dev pkg-config portaudio19-dev libasound2-dev libjack-jackd2-dev jackd2 libsystemd-dev"
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
