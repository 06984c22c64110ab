#!/bin/sh
# SPDX-License-Identifier: MIT
# The first process of a guest. Its root is the file system of the machine, read-only; the folder that this script lies in
# is the machine's as well, and can be written. The console says which command is to be run, and which has ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8
job=${0%/*}
mount -t proc proc /proc
mount -t sysfs sys /sys
[ -e /dev/null ] || mount -t devtmpfs dev /dev
# What the machine has in the folders that are covered here stays visible below /run/host.
mount -t tmpfs run /run
mkdir /run/host /run/lock /run/netns
mount --bind / /run/host
mount -t tmpfs tmp /tmp
mkdir -p "$job" /dev/shm
if [ "$shares" = 9p ]; then
	mount -t 9p -o trans=virtio,version=9p2000.L,msize=500000,cache=none job "$job" || echo "no $job"
else
	mount -t hostfs none "$job" -o "$job" || echo "no $job"
fi
mount -t tmpfs shm /dev/shm

# modules are loaded when they are asked for, from the folder of this kernel
echo "$job/modprobe" >/proc/sys/kernel/modprobe
[ -e /proc/net/if_inet6 ] || "$job/modprobe" ipv6
for each in all default; do echo 0 >/proc/sys/net/ipv6/conf/$each/accept_dad; done
# Debian's would reorder packets, and drop those that waited long
echo pfifo_fast >/proc/sys/net/core/default_qdisc
ip link set lo up
[ ! -e /sys/class/net/vec0 ] || ip link set vec0 name eth0

cd "$job" || echo "no $job"
stty -echo -onlcr
echo "guest: ready"
while read -r number; do
	(
		sh "$job/$number.command" </dev/null >"$job/$number.stdout" 2>"$job/$number.stderr"
		echo "guest: $number ended with $?"
	) &
done
