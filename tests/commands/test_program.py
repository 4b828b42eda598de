"""The program `metabin`: its commands, and its messages for errors that a user can mend."""

import errno
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from tiny import refuse, run, succeed

import metabin
from metabin.commands import COMMANDS
from metabin.errors import DatasetError

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "PIL", "pyarrow", "pandas", "scipy", "numba", "pydantic", "faiss", "onnx", "mlflow", "tqdm")


def test_the_version_is_that_of_the_package():
    assert succeed("--version").stdout == f"metabin {metabin.__version__}\n"


def test_the_help_lists_every_command_with_one_line():
    lines = succeed("--help").stdout.splitlines()
    for name, text in COMMANDS.items():
        assert any(re.fullmatch(rf"  {name} +{re.escape(text)}", line) for line in lines), name


def test_no_help_imports_a_heavy_library():
    code = f"""
import sys
from importlib import import_module
from metabin.commands import COMMANDS, main
for arguments in [["--help"], *([name, "--help"] for name in COMMANDS)]:
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code
    print("LOADED", *arguments, *[name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = [line for line in done.stdout.splitlines() if line.startswith("LOADED")]
    assert loaded == ["LOADED --help", *(f"LOADED {name} --help" for name in COMMANDS)]


def test_the_entry_point_prints_one_line_for_an_error():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"metabin": "metabin.commands:main"}
    code = "import sys; from metabin.commands import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "embed", "model", "absent", "--output", "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: absent does not exist; expected is a folder of images, .*\n", done.stderr)


@pytest.fixture
def failing(monkeypatch):
    """A function that makes the command `card` raise an error."""

    def make(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setitem(sys.modules, "metabin.commands.card", SimpleNamespace(command=command))

    return make


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DatasetError("no images; add some"), "no images; add some"),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_an_error_that_a_user_can_mend_is_one_line(error, message, failing):
    failing(error)
    assert refuse("card") == message


@pytest.mark.parametrize("error", [ValueError("defect"), OSError(errno.EIO, "Input/output error")])
def test_a_defect_keeps_its_traceback(error, failing):
    failing(error)
    with pytest.raises(type(error)):
        run("card")


def test_a_closed_pipe_ends_without_a_message(failing):
    failing(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    result = run("card")
    assert (result.exit_code, result.output) == (1, "")


def test_an_unknown_command_is_a_usage_error():
    result = run("embd")
    assert result.exit_code == 2
    assert "No such command 'embd'" in result.stderr
