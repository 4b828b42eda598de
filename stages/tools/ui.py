"""Serve the MLflow page of all runs until Ctrl-C, to this machine only."""

from __future__ import annotations

import argparse
import os
import socket

from stages import cli

HOST = "127.0.0.1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port", type=port_number, default=5000, help="port of the page (default: 5000)"
    )
    port = parser.parse_args().port
    check_port(port)

    from metabin.tracking.ui import find_ui

    ui = find_ui(port)
    if not ui.command:
        print(f"MLFLOW_TRACKING_URI names a server, which has the runs: {ui.address}")
        return
    print(f"== MLflow: {ui.address}", flush=True)
    # MLflow would start eight job runners, processes that nothing here uses.
    off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, **ui.variables, **off}
    os.execve(ui.command[0], ui.command, environment)


def port_number(text: str) -> int:
    """Return a port as a number from 1 to 65535."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port; expected a number from 1 to 65535"
        )
    return int(text)


def check_port(port: int) -> None:
    """Check that a server can listen on a port.

    Raises:
        ConfigError: another program listens on it, or the user has no right to it.
    """
    from metabin.errors import ConfigError

    if is_listening(port):
        free = next((other for other in range(port + 1, 65536) if not is_listening(other)), 5000)
        raise ConfigError(
            f"port {port} is in use by another program (AirPlay Receiver on macOS, an earlier "
            f"`make ui`); choose another one: make ui PORT={free}"
        )
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((HOST, port))
    except OSError as error:
        advice = "choose another one: make ui PORT=5001"
        raise ConfigError(f"port {port} cannot be opened: {error}; {advice}") from None


def is_listening(port: int) -> bool:
    """Return whether a program accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


if __name__ == "__main__":
    cli.run(main)
