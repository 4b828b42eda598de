"""Commands in processes that the fork server forks: as without it, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stages.fork_client import ADDRESS, fork_server

ROOT = Path(__file__).parents[2]
COMMAND = """
import os, subprocess, sys, time
from metabin.errors import ConfigError
from stages import cli
from stages.fork_client import fork_server

def main():
    name, *arguments = sys.argv[1:]
    if name == "print":
        print(os.getcwd(), os.environ["COLOUR"], arguments, sys.stdin.read(), __name__)
        print("torch" in sys.modules, file=sys.stderr)
    if name == "modules":
        print(*sorted(name for name in sys.modules if name.startswith("metabin")))
    if name == "fail":
        raise ConfigError("no such colour")
    if name == "run":
        with fork_server():
            print(os.environ["METABIN_FORK_SERVER"], flush=True)
            subprocess.run([sys.executable, "-m", "command", *arguments], check=True)
        print("METABIN_FORK_SERVER" in os.environ)
    if name == "exit":
        sys.exit(int(arguments[0]))
    if name == "sleep":
        try:
            print(os.getpid(), flush=True)
            while True:
                time.sleep(0.1)  # a signal just before a long sleep would wait for its end
        except KeyboardInterrupt:
            time.sleep(0.5)  # a second signal would end it here
            print("closed", flush=True)
            raise

cli.run(main)
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module `command`."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "command.py").write_text(COMMAND)
    return folder


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    """The address of a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # the commands are in another folder than the project
        with fork_server():
            yield os.environ[ADDRESS]


@pytest.fixture(scope="module", autouse=True)
def _interrupts() -> Iterator[None]:
    """Let programs receive SIGINT, which a shell without job control ignores in what it starts with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(folder: Path, *arguments: str, **changes: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "COLOUR": "green", **changes}
    return subprocess.Popen(
        [sys.executable, "-m", "command", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return code, output and errors of a process, which must end in two minutes."""
    with process:
        try:
            output, errors = process.communicate("yes", timeout=120)
        except subprocess.TimeoutExpired:
            children = psutil.Process().children(recursive=True)
            process.kill()
            pytest.fail(f"{process.pid} does not end; running: {children}")
    return process.returncode, output, errors


def wait_until(condition: Callable[[], bool]) -> bool:
    """Return whether a condition holds within a minute."""
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.1)
    return False


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("arguments", [("print", "a b", "c"), ("modules",), ("fail",), ("exit", "7")])
def test_a_command_does_the_same_with_and_without_the_server(folder: Path, arguments: tuple[str, ...]) -> None:
    code, output, errors = outcome(start(folder, *arguments))
    alone = outcome(start(folder, *arguments, **{ADDRESS: ""}))
    assert (code, output, errors.replace("True", "False")) == alone
    if arguments[0] == "print":
        assert output == f"{folder} green ['a b', 'c'] yes __main__\n"
        assert errors == "True\n"  # with torch imported already


def test_a_command_runs_by_itself_where_the_server_has_ended(folder: Path, tmp_path: Path) -> None:
    code, _, errors = outcome(start(folder, "print", **{ADDRESS: str(tmp_path / "absent")}))
    assert (code, errors) == (0, "False\n")


def test_a_command_of_the_server_runs_others_on_the_same_server(folder: Path, server: str) -> None:
    code, output, errors = outcome(start(folder, "run", "print"))
    address, _, is_announced = output.splitlines()
    assert (code, address, errors, is_announced) == (0, server, "True\n", "False")


def test_an_interrupt_of_the_client_reaches_the_command_once(folder: Path) -> None:
    client = start(folder, "sleep")
    assert client.stdout is not None
    pid = int(client.stdout.readline())
    client.send_signal(signal.SIGINT)
    assert outcome(client)[:2] == (130, "closed\n")
    assert not is_running(pid)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + 15), (signal.SIGKILL, -9)])
def test_a_command_ends_with_its_client(folder: Path, number: int, code: int) -> None:
    client = start(folder, "sleep")
    assert client.stdout is not None
    pid = int(client.stdout.readline())
    client.send_signal(number)
    assert outcome(client)[0] == code
    assert wait_until(lambda: not is_running(pid))


def test_a_command_ends_with_the_starter_of_the_server(folder: Path) -> None:
    with fork_server():
        client = start(folder, "sleep")
        assert client.stdout is not None
        pid = int(client.stdout.readline())
    assert outcome(client)[0] == 128 + 15
    assert not is_running(pid)
