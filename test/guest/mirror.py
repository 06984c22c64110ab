#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A TCP server on port 5003 that sends back whatever it receives. The command ends when the server can be connected to."""
import os
import socket
import threading


def serve(connection):
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


listener = socket.create_server(("::", 5003), family=socket.AF_INET6, dualstack_ipv6=True)
if os.fork() == 0:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],)).start()
