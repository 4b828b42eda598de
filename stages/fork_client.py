"""Start the fork server, and run commands in processes that it forks, with libraries imported."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ADDRESS = "METABIN_FORK_SERVER"  # the environment variable with the path of the server's socket
# Its name in a command that the server has forked, which so does not hand itself over again.
FORKED_BY = "METABIN_FORKED_BY"


@contextmanager
def fork_server() -> Iterator[None]:
    """Run a server for all commands that start within the `with` block.

    In a command that a server has forked, that server is used. Where the system lacks pidfd_open,
    which Linux has, every command runs by itself.
    """
    if not hasattr(os, "pidfd_open"):
        yield
    elif FORKED_BY in os.environ:
        yield from _announced(os.environ[FORKED_BY])
    else:
        with _started() as address:
            yield from _announced(address)


@contextmanager
def _started() -> Iterator[str]:
    # In a folder of this user alone, since the server runs whatever it is sent.
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen()
            number = listener.fileno()
            # In a session of its own: a Ctrl-C reaches a command once, through its client.
            server = subprocess.Popen(
                [sys.executable, "-m", "stages.fork_server", str(number)],
                stdin=subprocess.PIPE,
                pass_fds=[number],
                start_new_session=True,
            )
        try:
            yield address
        finally:
            server.communicate()  # closes its standard input, which ends it


def _announced(address: str) -> Iterator[None]:
    os.environ[ADDRESS] = address
    try:
        yield
    finally:
        os.environ.pop(ADDRESS, None)


def run_on_server() -> int | None:
    """Run the command of this process in one that the server forks, and return its exit code.

    Returns:
        None if there is no server; 128 + n if signal n ended the command, as a shell reports it.
    """
    spec = sys.modules["__main__"].__spec__  # None if the program is no module
    if not os.environ.get(ADDRESS) or not spec:
        return None
    environment = dict(os.environ)
    environment[FORKED_BY] = environment.pop(ADDRESS)
    request = {
        "module": spec.name,
        "arguments": sys.argv[1:],
        "environment": environment,
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
