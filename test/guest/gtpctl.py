#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the gtp driver of a kernel takes by netlink and iproute2 cannot say.

gtpctl.py link DEVICE ROLE LOCAL             a device whose sockets, made by the kernel, have the address LOCAL (6.10 and later)
gtpctl.py pdp DEVICE 1 TEID REMOTE-TEID UE PEER     a context of GTP version 1; an IPv6 UE is a /64 prefix, as XXXX::
gtpctl.py pdp DEVICE 0 TID FLOW UE PEER             a context of GTP version 0; FLOW is the label of what is sent
gtpctl.py list DEVICE                        its contexts, a line each in order: VERSION TEID REMOTE-TEID UE PEER, or 0 TID FLOW UE PEER
gtpctl.py echo DEVICE VERSION LOCAL PEER     sends an Echo Request and waits for the kernel to tell of the answer
"""
import os
import socket
import struct
import sys

NETLINK_GENERIC, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 16, 270, 1
REQUEST, ACK, EXCL, DUMP, CREATE = 1, 4, 0x200, 0x300, 0x400
NLMSG_ERROR, NLMSG_DONE, RTM_NEWLINK, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 2, 3, 16, 16, 3
NEWPDP, GETPDP, ECHOREQ = 0, 2, 3

# The attributes that headers older than the kernel do not have are among them.
LINK, VERSION, TID, PEER, UE, FLOW, TEID, REMOTE_TEID, PEER6, UE6, FAMILY = 1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13
INFO_ROLE, INFO_CREATE_SOCKETS, INFO_LOCAL, INFO_LOCAL6 = 4, 5, 7, 8
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA = 3, 18, 1, 2


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def u32(kind, value):
    return attribute(kind, struct.pack("=I", value))


def address(text, v4, v6):
    if ":" in text:
        return attribute(v6, socket.inet_pton(socket.AF_INET6, text))
    return attribute(v4, socket.inet_aton(text))


def attributes(octets):
    found = {}
    while len(octets) >= 4:
        length, kind = struct.unpack_from("=HH", octets)
        found[kind & 0x3FFF] = octets[4:length]
        octets = octets[(length + 3) & ~3:]
    return found


def ask(netlink, kind, flags, body):
    """Sends one message; gives the body of the answer that is no acknowledgement."""
    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, 1, 0) + body)
    answer = b""
    while True:
        octets = netlink.recv(65536)
        while octets:
            length, kind, _, sequence, _ = struct.unpack_from("=IHHII", octets)
            if kind == NLMSG_ERROR:
                error, = struct.unpack_from("=i", octets, 16)
                if error:
                    sys.exit(f"{' '.join(sys.argv[1:])}: {os.strerror(-error)}")
                return answer
            if sequence:
                answer = octets[16:length]
            octets = octets[(length + 3) & ~3:]


def link(device, role, local):
    data = [u32(INFO_ROLE, ["ggsn", "sgsn"].index(role)), attribute(INFO_CREATE_SOCKETS, b"\1"),
            address(local, INFO_LOCAL, INFO_LOCAL6)]
    info = attribute(IFLA_INFO_KIND, b"gtp\0") + attribute(IFLA_INFO_DATA, b"".join(data))
    body = bytes(16) + attribute(IFLA_IFNAME, device.encode() + b"\0") + attribute(IFLA_LINKINFO, info)
    ask(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), RTM_NEWLINK, CREATE | EXCL, body)


def driver():
    """A socket to the driver, its number, and its multicast group."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    netlink.bind((0, 0))
    answer = ask(netlink, GENL_ID_CTRL, 0, struct.pack("=BBH", CTRL_CMD_GETFAMILY, 1, 0) + attribute(2, b"gtp\0"))
    family = attributes(answer[4:])
    group = attributes(attributes(family[7])[1])
    return netlink, struct.unpack("=H", family[1])[0], struct.unpack("=I", group[2])[0]


def pdp(device, version, mine, theirs, ue, peer):
    netlink, family, _ = driver()
    body = [u32(LINK, socket.if_nametoindex(device)), u32(VERSION, int(version)), address(ue, UE, UE6),
            address(peer, PEER, PEER6)]
    if version == "0":
        body += [attribute(TID, struct.pack("=Q", int(mine, 0))), attribute(FLOW, struct.pack("=H", int(theirs, 0)))]
    else:
        body += [u32(TEID, int(mine, 0)), u32(REMOTE_TEID, int(theirs, 0))]
    if ":" in ue:
        body += [attribute(FAMILY, bytes([socket.AF_INET6]))]
    ask(netlink, family, EXCL, struct.pack("=BBH", NEWPDP, 0, 0) + b"".join(body))


def contexts(device):
    netlink, family, _ = driver()
    netlink.send(struct.pack("=IHHIIBBH", 20, family, REQUEST | DUMP, 1, 0, GETPDP, 0, 0))
    lines, kind = [], None
    while kind != NLMSG_DONE:
        octets = netlink.recv(65536)
        while octets:
            length, kind = struct.unpack_from("=IH", octets)
            if kind == family:
                lines += line_of(attributes(octets[20:length]), socket.if_nametoindex(device))
            octets = octets[(length + 3) & ~3:]
    print("\n".join(sorted(lines)))


def line_of(found, index):
    if struct.unpack("=I", found[LINK])[0] != index:
        return []
    version, = struct.unpack("=I", found[VERSION])
    ids = [found[TEID], found[REMOTE_TEID]] if version else [found[TID], found[FLOW]]
    hosts = [found.get(UE) or found.get(UE6), found.get(PEER) or found.get(PEER6)]
    texts = [hex(int.from_bytes(each, sys.byteorder)) for each in ids] + [text_of(host) for host in hosts]
    return [" ".join([str(version), *texts])]


def text_of(octets):
    return socket.inet_ntop(socket.AF_INET6 if len(octets) == 16 else socket.AF_INET, octets)


def echo(device, version, local, peer):
    netlink, family, group = driver()
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    events.bind((0, 0))
    events.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    events.settimeout(5)
    body = [u32(LINK, socket.if_nametoindex(device)), u32(VERSION, int(version)), address(local, UE, UE6),
            address(peer, PEER, PEER6)]
    ask(netlink, family, 0, struct.pack("=BBH", ECHOREQ, 0, 0) + b"".join(body))
    try:
        told = attributes(events.recv(65536)[20:])
    except TimeoutError:
        sys.exit(f"no Echo Response from {peer}")
    print(f"version {told[VERSION][0]} from {socket.inet_ntoa(told[PEER])}")


{"link": link, "pdp": pdp, "list": contexts, "echo": echo}[sys.argv[1]](*sys.argv[2:])
