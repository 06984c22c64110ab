#!/busybox sh
# SPDX-License-Identifier: MIT
# What an emulated guest runs first, out of its initrd: it gets the file system of the machine as its root, and goes on with
# init.sh there, whose path is its argument. Nothing at all is on its console but what goes wrong.
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do
	/busybox insmod "$module"
done
/busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=500000,cache=loose host /root || echo "no root"
/busybox umount /dev /proc
shares=9p exec /busybox switch_root /root /bin/sh "$1"
