#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tap.py DEVICE NUMBER COMMAND...: runs a command that has the tap device open as descriptor NUMBER.

The descriptor has no virtio header, so that the guest behind it has neither checksum nor segmentation offload: every
packet on the wire is whole. User Mode Linux' own way to open a tap turns checksum offload on.
"""
import fcntl
import os
import struct
import sys

TUNSETIFF, TUNSETOFFLOAD, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x400454D0, 2, 0x1000

device, number, *command = sys.argv[1:]
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
fcntl.ioctl(tap, TUNSETOFFLOAD, 0)
os.dup2(tap, int(number), inheritable=True)
os.execvp(command[0], command)
