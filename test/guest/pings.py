#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pings.py ROUNDS SECONDS SOURCE,DESTINATION,SIZE[,DEVICE]...: pings all of them at once, as starting `ping` for each takes long.

SIZE is that of the whole IP packet, which nobody on the way may cut. A round is over when all were answered, or after SECONDS.
Prints a JSON list: how often each was answered, or the name of the errno that sending met.
"""
import errno
import json
import os
import select
import socket
import struct
import sys
import time

IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, DO = 10, 23, 2
ECHO = {socket.AF_INET: 8, socket.AF_INET6: 128}


class Pinged:
    def __init__(self, source, destination, size, device=None):
        family = socket.AF_INET6 if ":" in destination else socket.AF_INET
        v6 = family == socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
        level, option = (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if v6 else (socket.IPPROTO_IP, IP_MTU_DISCOVER)
        self.socket.setsockopt(level, option, DO)
        if device:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self.socket.bind((source, 0))
        self.socket.connect((destination, 0))
        self.echo, self.content = ECHO[family], os.urandom(int(size) - (48 if v6 else 28))
        self.answers, self.error = 0, None

    def ask(self, number):
        """Whether an answer can be waited for."""
        try:
            self.socket.send(struct.pack("!BBHHH", self.echo, 0, 0, 0, number) + self.content)
        except OSError as error:
            self.error = errno.errorcode[error.errno]
        return not self.error

    def hear(self, number):
        """Whether this was the answer to that number; errors that ICMP brought come from the socket, too."""
        try:
            answer = self.socket.recv(1 << 16)
        except OSError as error:
            self.error = errno.errorcode[error.errno]
            return False
        if struct.unpack_from("!H", answer, 6)[0] != number or answer[8:] != self.content:
            return False
        self.answers += 1
        return True


def one_round(pinged, number, seconds):
    waiting = {each.socket: each for each in pinged if each.ask(number)}
    end = time.monotonic() + seconds
    while waiting and (left := end - time.monotonic()) > 0:
        for ready in select.select(list(waiting), [], [], left)[0]:
            if waiting[ready].hear(number):
                del waiting[ready]


with open("/proc/sys/net/ipv4/ping_group_range", "w") as groups:
    groups.write("0 0")
rounds, seconds, *words = sys.argv[1:]
everybody = [Pinged(*word.split(",")) for word in words]
for number in range(1, int(rounds) + 1):
    one_round(everybody, number, float(seconds))
print(json.dumps([each.error or each.answers for each in everybody]))
