#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sockets in any network namespace, and scapy as a foreign packet maker, for the tests.

One JSON object a line on stdin ({"op": NAME, ...}), one a line on stdout ({"ok": ...} or {"error": ERRNO NAME or text}).
"""
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import select
import socket
import struct
import sys
import threading
import time

from scapy.all import *  # noqa: F401,F403  names for the expressions of op_build
from scapy.contrib.geneve import *  # noqa: F401,F403
from scapy.contrib.gtp import *  # noqa: F401,F403

LIBC = ctypes.CDLL(None, use_errno=True)
HANDLES = {}
PACKET_VNET_HDR, SOL_PACKET, PACKET_OUTGOING, SO_RCVBUFFORCE, SO_SNDBUFFORCE = 15, 263, 4, 33, 32
PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 8, 1 << 4


def in_netns(name, make):
    """Calls make() with this thread in the named network namespace; sockets stay where they are made."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if LIBC.setns(there, 0x40000000):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            return make()
        finally:
            if LIBC.setns(home, 0x40000000):
                os._exit(70)  # nothing this process does afterwards could be trusted
    finally:
        os.close(there)
        os.close(home)


def keep(handle):
    number = max(HANDLES, default=0) + 1
    HANDLES[number] = handle
    return number


def inet(ns, address, port, kind):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = in_netns(ns, lambda: socket.socket(family, kind))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    made.bind((address, port))
    return made


def plain(text):
    """Octets written in hex, for headers that no honest encoder makes."""
    return Raw(bytes.fromhex(text))


def op_build(expressions):
    return [bytes(packet).hex() for text in expressions for packet in as_list(eval(text))]  # noqa: S307


def as_list(value):
    return value if isinstance(value, list) else [value]


def op_udp(ns, address, port):
    return keep(inet(ns, address, port, socket.SOCK_DGRAM))


def op_packet(ns, dev, vnet=False):
    """A packet socket on one device; vnet: frames to send start with a virtio_net_hdr (GSO)."""
    made = in_netns(ns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    made.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
    if vnet:
        made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.bind((dev, 0 if vnet else 3))
    return keep(made)


class Tun:
    """The user's end of a tun device: whole IP packets without a link header, as if it were a socket."""

    TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
    family = None

    def __init__(self, dev):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, self.TUNSETIFF, struct.pack("16sH22x", dev.encode(), self.IFF_TUN | self.IFF_NO_PI))

    def fileno(self):
        return self.fd

    def send(self, octets):
        os.write(self.fd, octets)

    def recvfrom(self, size):
        return os.read(self.fd, size), ("", 0)

    def close(self):
        os.close(self.fd)


def op_tun(ns, dev):
    """Makes a tun device and holds it; it goes when the handle is closed."""
    return keep(in_netns(ns, lambda: Tun(dev)))


def op_connect(id, address, port):
    HANDLES[id].connect((address, port))


def op_setopt(id, level, name, value):
    HANDLES[id].setsockopt(level, name, value)


def op_getopt(id, level, name):
    return HANDLES[id].getsockopt(level, name)


def op_send(id, data, to=None, repeat=1):
    handle = HANDLES[id]
    for _ in range(repeat):
        for text in data:
            octets = bytes.fromhex(text)
            handle.sendto(octets, tuple(to)) if to else handle.send(octets)
    return len(data) * repeat


def op_recv(id, count=1, timeout=2.0, contains=""):
    """Up to count datagrams or incoming frames that hold the octets `contains`; fewer when the time is over."""
    handle, wanted, got = HANDLES[id], bytes.fromhex(contains), []
    end = time.monotonic() + timeout
    while len(got) < count:
        if not select.select([handle], [], [], max(0, end - time.monotonic()))[0]:
            break
        octets, source = handle.recvfrom(1 << 17)
        outgoing = handle.family == socket.AF_PACKET and source[2] == PACKET_OUTGOING
        if not outgoing and wanted in octets:
            got.append({"data": octets.hex(), "from": [str(source[0]), source[1]]})
    return got


def op_transfer(source, target, address, port, size, chunk, nodelay):
    """One TCP connection between two namespaces; compares the digests of what was sent and what came."""
    listener = inet(target, address, port, socket.SOCK_STREAM)
    listener.listen(1)
    listener.settimeout(20)
    family = listener.family
    client = in_netns(source, lambda: socket.socket(family, socket.SOCK_STREAM))
    client.settimeout(20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(nodelay))
    result = {}
    receiver = threading.Thread(target=receive_all, args=(listener, result))
    receiver.start()
    try:
        client.connect((address, port))
        sent = send_all(client, size, chunk)
    finally:
        receiver.join(30)
        client.close()
        listener.close()
    return {"equal": result.get("digest") == sent, "received": result.get("size", 0)}


def op_mirrored(source, address, port, size):
    """One TCP connection to a server that sends everything back; compares the digests of what was sent and what came."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = in_netns(source, lambda: socket.socket(family, socket.SOCK_STREAM))
    client.settimeout(20)
    client.connect((address, port))
    result = {}
    receiver = threading.Thread(target=receive_from, args=(client, result))
    receiver.start()
    sent = send_all(client, size, 131072)
    receiver.join(30)
    return {"equal": result.get("digest") == sent, "received": result.get("size", 0)}


def send_all(client, size, chunk):
    """Sends so many octets and the end; gives their digest."""
    sent = hashlib.sha256()
    block, left = os.urandom(1 << 20), size
    while left:
        part = block[: min(left, chunk)]
        client.sendall(part)
        sent.update(part)
        left -= len(part)
        block = block[1:] + block[:1] if left < size // 2 else block
    client.shutdown(socket.SHUT_WR)
    return sent.hexdigest()


def receive_all(listener, result):
    try:
        connection, _ = listener.accept()
    except OSError:
        return
    connection.settimeout(20)
    receive_from(connection, result)


def receive_from(connection, result):
    digest, size = hashlib.sha256(), 0
    try:
        while data := connection.recv(1 << 18):
            digest.update(data)
            size += len(data)
    except OSError as failure:
        result["failure"] = str(failure)
    connection.close()
    result.update(digest=digest.hexdigest(), size=size)


def op_stream(source, target, bind, address, port, size):
    """Numbered UDP datagrams, about 5000 a second, until op_stream_end."""
    receiver = inet(target, address, port, socket.SOCK_DGRAM)
    sender = inet(source, bind, 0, socket.SOCK_DGRAM)
    sender.connect((address, port))
    stream = {"stop": threading.Event(), "sent": 0, "seen": {}, "refused": 0, "done": threading.Event()}
    stream["threads"] = [threading.Thread(target=stream_out, args=(sender, stream, size)),
                         threading.Thread(target=stream_in, args=(receiver, stream))]
    for thread in stream["threads"]:
        thread.start()
    return keep(stream)


def stream_out(sender, stream, size):
    number = 0
    while not stream["stop"].is_set():
        try:
            sender.send(struct.pack("!I", number).ljust(size, b"s"))
            number += 1
        except OSError:
            stream["refused"] += 1
        stream["sent"] = number
        time.sleep(0.0002)
    sender.close()
    stream["done"].set()


def stream_in(receiver, stream):
    receiver.settimeout(0.3)
    seen = stream["seen"]
    while True:
        try:
            number = struct.unpack("!I", receiver.recv(65536)[:4])[0]
            seen[number] = seen.get(number, 0) + 1
        except TimeoutError:
            if stream["done"].is_set():
                break
    receiver.close()


def op_stream_sent(id):
    return HANDLES[id]["sent"]


def op_stream_end(id):
    stream = HANDLES.pop(id)
    stream["stop"].set()
    for thread in stream["threads"]:
        thread.join(10)
    seen = stream["seen"]
    return {"sent": stream["sent"], "received": len(seen), "twice": sum(n > 1 for n in seen.values()),
            "refused": stream["refused"]}


def op_relay(ns, left, right, left_peer, right_peer, file):
    """Two plain UDP sockets on port 2152 that hand datagrams across unchanged and note each one (u32 length, octets)."""
    sockets = [inet(ns, left, 2152, socket.SOCK_DGRAM), inet(ns, right, 2152, socket.SOCK_DGRAM)]
    relay = {"stop": threading.Event(), "sockets": sockets, "count": 0}
    relay["thread"] = threading.Thread(target=relay_run, args=(relay, [(right_peer, 2152), (left_peer, 2152)], file))
    relay["thread"].start()
    return keep(relay)


def relay_run(relay, onward, file):
    sockets = relay["sockets"]
    with open(file, "wb") as notes:
        while not relay["stop"].is_set():
            for ready in select.select(sockets, [], [], 0.1)[0]:
                side = sockets.index(ready)
                octets = ready.recv(1 << 17)
                notes.write(struct.pack("<I", len(octets)) + octets)
                relay["count"] += 1
                try:
                    sockets[1 - side].sendto(octets, onward[side])
                except OSError:
                    pass  # a datagram too long for the wire: the notes have it, the reader of them complains
    for each in sockets:
        each.close()


def op_relay_end(id):
    relay = HANDLES.pop(id)
    relay["stop"].set()
    relay["thread"].join(10)
    return relay["count"]


def op_echo(ns, address, port, answers, instead, delay, to):
    """A peer that answers each datagram with the octets of `answers`, or of instead[number of the request, from 1].

    An answer is hex in which SSSS stands for the sequence number of the request and OOOO for another one; with "!" in
    front it comes from another port. delay: seconds; to: the port to answer to, if not that of the request.
    """
    echo = {"stop": threading.Event(), "socket": inet(ns, address, port, socket.SOCK_DGRAM), "requests": [],
            "stranger": inet(ns, address, 0, socket.SOCK_DGRAM), "to": to}
    echo["thread"] = threading.Thread(target=echo_run, args=(echo, answers, instead, delay))
    echo["thread"].start()
    return keep(echo)


def echo_run(echo, answers, instead, delay):
    timers = []
    while not echo["stop"].is_set():
        if not select.select([echo["socket"]], [], [], 0.1)[0]:
            continue
        octets, source = echo["socket"].recvfrom(1 << 16)
        echo["requests"].append({"data": octets.hex(), "from": [source[0], source[1]]})
        chosen = instead.get(str(len(echo["requests"])), answers)
        if delay:
            timers.append(threading.Timer(delay, echo_answer, (echo, octets, source, chosen)))
            timers[-1].start()
        else:
            echo_answer(echo, octets, source, chosen)
    for timer in timers:
        timer.join()
    echo["socket"].close()
    echo["stranger"].close()


def echo_answer(echo, octets, source, answers):
    at = 8 if octets[0] >> 5 else 4
    number = int.from_bytes(octets[at:at + 2], "big")
    for text in answers:
        octets = text.lstrip("!").replace("SSSS", f"{number:04x}").replace("OOOO", f"{number ^ 0x4000:04x}")
        handle = echo["stranger" if text.startswith("!") else "socket"]
        handle.sendto(bytes.fromhex(octets), (source[0], echo["to"] or source[1]))


def op_echo_requests(id):
    return HANDLES[id]["requests"]


def op_echo_end(id):
    echo = HANDLES.pop(id)
    echo["stop"].set()
    echo["thread"].join(10)
    return echo["requests"]


def op_tagger(ns, port, trunk, protocol, id):
    """A switch in user space: frames of `port` leave by `trunk` with a VLAN tag, and those that come with it leave by `port`."""
    sides = [in_netns(ns, lambda: tapped(dev)) for dev in (port, trunk)]
    switch = {"stop": threading.Event(), "switch": sides}
    switch["thread"] = threading.Thread(target=tagger_run, args=(switch, struct.pack("!HH", protocol, id)))
    switch["thread"].start()
    return keep(switch)


def tapped(dev):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    made.bind((dev, 3))
    return made


def tagger_run(switch, tag):
    port, trunk = switch["switch"]
    while not switch["stop"].is_set():
        for ready in select.select([port, trunk], [], [], 0.1)[0]:
            octets, outgoing = whole_frame(ready)
            try:
                if outgoing:
                    continue
                if ready is port:
                    trunk.send(octets[:12] + tag + octets[12:])
                elif octets[12:16] == tag:
                    port.send(octets[:12] + octets[16:])
            except OSError:
                pass  # a frame that is too long for the other side: a switch drops it
    port.close()
    trunk.close()


def whole_frame(handle):
    """A frame with the VLAN tag that the kernel keeps beside it put back in."""
    octets, aux, _, source = handle.recvmsg(1 << 17, 64)
    for level, kind, data in aux:
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
        if level == SOL_PACKET and kind == PACKET_AUXDATA and status & TP_STATUS_VLAN_VALID:
            octets = octets[:12] + struct.pack("!HH", tpid, tci) + octets[12:]
    return octets, source[2] == PACKET_OUTGOING


def op_tagger_end(id):
    switch = HANDLES.pop(id)
    switch["stop"].set()
    switch["thread"].join(10)


def op_close(id):
    HANDLES.pop(id).close()


def op_reset():
    """Closes everything; what still ran is told, for a test has to end what it starts."""
    for id in [i for i, h in HANDLES.items() if isinstance(h, dict) and "switch" in h]:
        op_tagger_end(id)
    running = [op_stream_end(i) if "seen" in h else op_echo_end(i) if "requests" in h else op_relay_end(i)
               for i, h in list(HANDLES.items()) if isinstance(h, dict)]
    for handle in list(HANDLES):
        op_close(handle)
    return len(running)


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": globals()["op_" + request.pop("op")](**request)}
        except OSError as failure:
            answer = {"error": errno.errorcode.get(failure.errno, str(failure)), "text": str(failure)}
        except Exception as failure:  # the test wants the text, whatever scapy raised
            answer = {"error": f"{type(failure).__name__}: {failure}", "text": str(failure)}
        print(json.dumps(answer), flush=True)
    os._exit(0)


main()
