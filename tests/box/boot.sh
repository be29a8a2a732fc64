#!/bin/sh
# Boots systemd as PID 1 in the caller's namespaces. Usage: boot.sh ROOT FOLDER [SOFTWARE]
# ROOT/usr is mounted read-only, the rest of ROOT is copied to memory. The folders of SOFTWARE are mounted read-only in /opt/lefthand.
# FOLDER is an empty folder to mount on. Every mount is private to these namespaces and ends with them.
set -eu
root=$1 box=$2 software=${3:-}
mount -t tmpfs -o mode=755 tmpfs "$box"
for part in "$root"/*; do
    name=${part##*/}
    case $name in
    usr | dev | proc | sys | run | tmp) mkdir "$box/$name" ;;
    *) cp -a "$part" "$box/$name" ;;
    esac
done
chmod 1777 "$box/tmp"
# keeps the journal in /run, as on a read-only root
rm -rf "$box/var/log/journal"
mount --bind "$root/usr" "$box/usr"
mount -o remount,bind,ro "$box/usr"
mount -t tmpfs -o mode=755 tmpfs "$box/usr/local"
cp -a "$root/usr/local/." "$box/usr/local"
if [ -n "$software" ]; then
    mkdir -p "$box/opt/lefthand"
    for part in "$software"/*; do
        if [ -L "$part" ]; then
            cp -a "$part" "$box/opt/lefthand/"
        else
            mkdir "$box/opt/lefthand/${part##*/}"
            mount --bind "$part" "$box/opt/lefthand/${part##*/}"
            mount -o remount,bind,ro "$box/opt/lefthand/${part##*/}"
        fi
    done
    ln -s /opt/lefthand/current/bin/lefthand "$box/usr/local/bin/lefthand"
fi
cd "$box"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
umount -R sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
hostname box
mkdir oldroot
pivot_root . oldroot
umount -l /oldroot
rmdir /oldroot
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb /sbin/init systemd.unified_cgroup_hierarchy=1
