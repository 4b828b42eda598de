"""Run a command in a process that the fork server forks, with all libraries imported."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

ADDRESS = "METABIN_FORK_SERVER"  # the environment variable with the path of the server's socket


def run_on_server() -> int | None:
    """Run the command of this process in one that the server forks, and return its exit code.

    Returns:
        None if there is no server; 128 + n if signal n ended the command, as a shell reports it.
    """
    spec = sys.modules["__main__"].__spec__  # None if the program is no module
    if not os.environ.get(ADDRESS) or not spec:
        return None
    request = {
        "module": spec.name,
        "arguments": sys.argv[1:],
        "environment": {name: text for name, text in os.environ.items() if name != ADDRESS},
        "folder": str(Path.cwd()),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        try:
            server.connect(os.environ[ADDRESS])
            socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        except OSError:  # the server has ended
            return None
        pass_signals_on(server)
        select.select([server], [], [])
        answer = b""
        with suppress(ConnectionError):
            answer = server.recv(16)
        signal.set_wakeup_fd(-1)
    if not answer:
        print("error: the fork server was killed; run the command again", file=sys.stderr)
        return 1
    code = int(answer)
    return code if code >= 0 else 128 - code


def pass_signals_on(server: socket.socket) -> None:
    """Let the interpreter send the number of each signal to the server, as the signal arrives.

    A handler in Python runs between two calls. A signal just before the call that waits for the
    answer would therefore go unnoticed until the command ends.
    """
    server.setblocking(False)
    signal.set_wakeup_fd(server.fileno())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
