"""A real MLflow server on the loopback interface, as a team would run one."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
START_SECONDS = 120  # on a busy machine


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(command, port, log, **environment):
    """Start a server and wait until it answers; its whole process group ends with the block."""
    environment = {**os.environ, **QUIET, **environment}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(process, port, log)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def serve(folder):
    """Start `mlflow server` with its database and its artifacts in a folder, and yield its address."""
    port = free_port()
    store = ("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}")
    store += ("--artifacts-destination", str(folder / "artifacts"))
    address = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    with started((sys.executable, "-m", "mlflow", "server", *address, *store), port, folder / "log.txt"):
        yield f"http://127.0.0.1:{port}"


def wait_for(process, port, log):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            if reply.status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server on port {port} does not answer: {log.read_text()}")
