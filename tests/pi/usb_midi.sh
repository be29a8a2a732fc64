#!/bin/sh
# A USB-MIDI interface that is not there: dummy_hcd loops a gadget of this machine back to its own USB host,
# where snd-usb-audio drives it like a real one. usage: usb_midi.sh make|plug|unplug, as root
set -eu
gadget=/sys/kernel/config/usb_gadget/rig
case $1 in
make)
    modprobe -a dummy_hcd libcomposite usb_f_midi
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    mkdir -p $gadget
    cd $gadget
    echo 0x1d6b >idVendor
    echo 0x0104 >idProduct
    echo 0x0200 >bcdUSB
    mkdir -p strings/0x409 configs/c.1/strings/0x409 functions/midi.0
    echo "Left Hand Rig" >strings/0x409/manufacturer
    echo "Virtual Interface" >strings/0x409/product
    echo 0001 >strings/0x409/serialnumber
    echo rigmidi >functions/midi.0/id
    ln -s functions/midi.0 configs/c.1/
    ;;
plug) ls /sys/class/udc | grep dummy | head -n 1 >$gadget/UDC ;;
unplug) echo >$gadget/UDC ;;
esac
