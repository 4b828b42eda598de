"""A server that forks commands from a process in which all libraries are imported.

The imports of a training take 8 s of processor time. `stages.tools.repro` starts the server once
(`stages.fork_client`). The commands that DVC then runs hand themselves over to it and wait. Each
gets two processes: one becomes the command, with the arguments, the environment, the working
directory and the standard streams of the client, and one attends it. The latter passes on the
client's signals and returns the exit code. It terminates the command if the client or the process
that started the server disappears.

The server imports libraries alone. A command imports the project's code itself, as it is then.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

# torch imports its compiler with the first optimiser, and MLflow its store with the first run.
LIBRARIES = (
    *("pydantic", "ruamel.yaml", "torch._dynamo", "safetensors.torch", "pandas", "scipy.stats"),
    *("sklearn.manifold", "matplotlib.figure", "mlflow.store.tracking.sqlalchemy_store"),
)
MAX_REQUEST = 1 << 20  # bytes; an environment has some thousand


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    import_libraries()
    # The wait adds the processor time of a child that has ended to that of the server.
    signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        client, _ = listener.accept()
        if os.fork() == 0:
            break
        client.close()
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request = receive(client)
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def import_libraries() -> None:
    """Import the libraries of the stages. None of them starts CUDA or threads that compute."""
    from numba import njit

    from metabin.tracking.store import import_mlflow

    import_mlflow()
    for name in LIBRARIES:
        importlib.import_module(name)
    njit(lambda: 0)()  # numba imports the most with the first function that it compiles
    # The project's modules are forgotten, so that a command imports them as they are then.
    for name in [name for name in sys.modules if name.partition(".")[0] in ("metabin", "stages")]:
        del sys.modules[name]
    gc.freeze()  # else a collection in a child writes to, and so copies, the memory of all objects


def receive(client: socket.socket) -> dict[str, Any]:
    """Take over the place of a client, and return its request, in a process of its own."""
    message, streams, *_ = socket.recv_fds(client, MAX_REQUEST, 3)
    if not message:  # the client has disappeared
        os._exit(0)
    if pid := os.fork():
        attend(client, pid)
    client.close()
    request = json.loads(message)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv[1:] = request["arguments"]
    return request


def attend(client: socket.socket, pid: int) -> NoReturn:
    """Pass on signals until the command ends, send its exit code to the client, and exit."""
    end = os.pidfd_open(pid)
    sources = [end, client, sys.stdin]
    while end not in (ready := select.select(sources, [], [])[0]):
        number = client.recv(1) if client in ready else b""
        os.kill(pid, number[0] if number else signal.SIGTERM)
        if not number:  # the client or the starter of the server has disappeared
            sources = [end]
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        client.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
