#!/bin/bash
# A bare Debian arm64 with sshd, sudo and Python as Raspberry Pi OS Lite has them, but for its kernel.
# Everything comes from the mirror that this machine's own apt uses. usage: image.sh SUITE FOLDER
# Leaves vmlinuz, initrd.gz, disk.img and the key of user "pi" in FOLDER.
set -euo pipefail
suite=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work"
cd "$work"

if [ "$(dpkg --print-architecture)" != arm64 ]; then
    # maintainer scripts of the other architecture run through qemu-user-static
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
fi

echo "image: the kernel"
# not the cloud kernel, which has no sound
rm -rf kernel && mkdir -p kernel/{lists/partial,archives/partial,tree}
echo "deb [signed-by=$keyring] $mirror $suite main" >kernel/sources.list
apt=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$work/kernel" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/kernel" -o "Dir::Etc::sourcelist=$work/kernel/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update
image=$(apt-cache "${apt[@]}" depends linux-image-arm64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -1)
(cd kernel && apt-get "${apt[@]}" -qq download "$image" busybox-static:arm64)
for deb in kernel/*.deb; do dpkg-deb -x "$deb" kernel/tree; done
tree=$work/kernel/tree
[ -d "$tree/lib/modules" ] || { mkdir -p "$tree/lib" && mv "$tree/usr/lib/modules" "$tree/lib/"; }
version=$(ls "$tree/lib/modules")
busybox=$(find "$tree" -path '*bin/busybox' | head -1)
depmod -b "$tree" "$version"

modules() { # the files of these modules and of what they need, in the order of loading
    local name
    for name in "$@"; do
        modprobe -d "$tree" -S "$version" --show-depends "$name" 2>/dev/null || echo "image: no module $name" >&2
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}
at_boot=(virtio_pci virtio_blk ext4)
later=(virtio_net virtio_rng snd-aloop snd-seq snd-seq-midi snd-rawmidi snd-usb-audio dummy_hcd libcomposite usb_f_midi
    xhci-pci autofs4 sch_fq_codel)

echo "image: the first disk"
rm -rf first && mkdir -p first/{bin,dev,proc,sys,root,m}
cp "$busybox" first/bin/busybox
ln -s busybox first/bin/sh
n=100
for file in $(modules "${at_boot[@]}"); do
    cp "$file" "first/m/$n-$(basename "$file")"
    n=$((n + 1))
done
# busybox loads no compressed modules
find first/m -name '*.xz' -exec xz -d {} +
install -m 755 "$here/init" first/init
(cd first && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz
cp "$(find "$tree" -name "vmlinuz-$version" | head -1)" vmlinuz

echo "image: the packages of $suite"
packages=systemd,systemd-sysv,udev,dbus,kmod,iproute2,openssh-server,sudo,ca-certificates,python3,alsa-utils
rm -rf root
mmdebstrap --quiet --mode=root --arch=arm64 --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
    --aptopt='APT::Install-Recommends "false"' "$suite" root.tar "$mirror"
mkdir root && tar -C root -xf root.tar && rm root.tar
for file in $(modules "${at_boot[@]}" "${later[@]}"); do
    target=root/lib/modules/$version/${file#*/lib/modules/"$version"/}
    mkdir -p "$(dirname "$target")"
    cp "$file" "$target"
done
cp "$tree/lib/modules/$version"/modules.{builtin,order} "root/lib/modules/$version/"
depmod -b root "$version"

echo "image: the settings"
[ -f key ] || ssh-keygen -q -t ed25519 -N '' -C virtual-pi -f key
"$here/settle.sh" root key.pub
rm -f disk.img
truncate -s 3G disk.img
mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1,lazy_journal_init=1 -d root disk.img
rm -rf root first kernel
echo "image: $work/disk.img"
