# SPDX-License-Identifier: MIT
# Types into an interactive shell in a terminal and tells what it shows: terminal.py SHELL FILE, with the set-up of the shell in FILE.
# Standard input is a JSON array of what to type, each into an empty line; the answer is one of {"screen", "line"}: what was shown after
# the typing, and what the line was in the end. A key that tells the line is pressed behind each, so nothing waits for time to pass.
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import fcntl
import time

PATIENCE = 60
TELL = b"\x14"  # Ctrl-T, bound in FILE to write the line between << and >>
CLEAR = b"\x15"  # Ctrl-U
SHELLS = {
    "bash": ["bash", "--noprofile", "--rcfile"],
    "zsh": ["zsh", "--no-globalrcs", "--no-rcs", "-i"],
    "fish": ["fish", "--no-config", "--interactive", "--init-command"],
}
ESCAPES = re.compile(r"\x1b\[[0-9;?>=]*[A-Za-z]|\x1b[=>()][A-B0-9]?|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|[\x07\x0e\x0f\r]")


def main(shell, setup):
    pid, fd = pty.fork()
    if pid == 0:
        command = SHELLS[shell] + ([] if shell == "zsh" else [setup if shell == "bash" else f"source {setup}"])
        os.execvpe(command[0], command, {**os.environ, "TERM": "xterm"})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 300, 240, 0, 0))
    try:
        if shell == "zsh":
            os.write(fd, f"source {setup}\n".encode())
        read_until(fd, r"READY> $")
        print(json.dumps([ask(fd, keys) for keys in json.load(sys.stdin)]))
    finally:
        os.close(fd)  # the shell gets SIGHUP
        os.waitpid(pid, 0)


def ask(fd, keys):
    os.write(fd, keys.encode() + TELL)
    shown = read_until(fd, r"<<(.*?)>>")
    os.write(fd, CLEAR + TELL)
    read_until(fd, r"<<>>")
    screen, line = re.search(r"(.*)<<(.*?)>>", shown, re.S).groups()
    return {"screen": screen, "line": line}


def read_until(fd, pattern):
    data, end = b"", time.monotonic() + PATIENCE
    while True:
        text = ESCAPES.sub("", data.decode(errors="replace"))
        if re.search(pattern, text, re.S):
            return text
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError(f"no {pattern} in {text!r}")
        data += os.read(fd, 65536)


main(*sys.argv[1:])
