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
from PIL import Image
from tiny import refuse, run, succeed

import metabin
from metabin.commands import COMMANDS
from metabin.errors import DatasetError

ROOT = Path(__file__).parents[2]
LONG = "a" * 5000
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


USAGE = [
    ("--nope", "No such option '--nope'"),
    ("embed", "Missing argument 'MODEL'"),
    ("embed m", "Missing argument 'INPUT'"),
    ("embed m i", "Missing option '--output'"),
    ("embed m i more -o o", "unexpected extra argument (more)"),
    ("embed m i -o o --shard-size 0", "0 is not in the range 1<=x<=100000000"),
    ("embed m i -o o --shard-size 100000001", "100000001 is not in the range"),
    ("embed m i -o o --shard-size few", "'few' is not a valid integer"),
    ("embed m i -o o --batch-size 0", "0 is not in the range x>=1"),
    ("embed m i -o o --batch-size 1e3", "'1e3' is not a valid integer"),
    ("embed m i -o o --workers -1", "-1 is not in the range 0<=x<=1024"),
    ("embed m i -o o --workers 1000000", "1000000 is not in the range 0<=x<=1024"),  # it would start them
    ("embed m i -o o --overwrite=yes", "does not take a value"),
    ("search", "Missing argument 'MODEL'"),
    ("search m q", "Missing argument 'GALLERY'"),
    ("search m q g --top 0", "0 is not in the range x>=1"),
    ("search m q g --top -3", "-3 is not in the range x>=1"),
    ("search m q g --top 1.5", "'1.5' is not a valid integer"),
    ("search m q g --top", "requires an argument"),
    ("search m q g --format xml", "'xml' is not one of 'text', 'csv', 'json'"),
    ("search m q g --index hnsw", "'hnsw' is not one of 'exact', 'faiss', 'auto'"),
    ("search m q g --images nowhere", "Directory 'nowhere' does not exist"),
    ("search m q g --picture .", "File '.' is a directory"),
    ("search m q g --pictur p.png", "No such option '--pictur'"),
    ("evaluate", "Missing argument 'MODEL'"),
    ("evaluate m --format yaml", "'yaml' is not one of"),
    ("evaluate m --fold", "requires an argument"),
    ("compare m", "Missing argument 'MODEL_B'"),
    ("compare a b c", "unexpected extra argument (c)"),
    ("explain", "Missing argument 'MODEL'"),
    ("explain m --picture .", "File '.' is a directory"),
    ("export m", "Missing argument 'OUTPUT.onnx'"),
    ("export m .", "File '.' is a directory"),
    ("card", "Missing argument 'MODEL'"),
    ("card m n", "unexpected extra argument (n)"),
]  # fmt: skip


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[arguments for arguments, _ in USAGE])
def test_arguments_that_do_not_fit_are_a_usage_error_that_names_them(arguments, message):
    result = run(*arguments.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", LONG, "i", "-o", "o"], "File name too long"),
        (["embed", "m", LONG, "-o", "o"], "File name too long"),
        (["embed", "m", "", "-o", "o"], "the input is an empty text; expected is a folder of images"),  # an unset "$X"
        (["search", "absent", "q", "g"], "absent does not exist; expected is the folder of a training"),
        (["search", "http://host/model", "q", "g"], "http:/host/model does not exist; expected is the folder of"),
        (["explain", "m.onnx", "--rho"], "m.onnx does not exist; expected is a file that `metabin export` wrote"),
        (["evaluate", "absent"], "absent does not exist"),
        (["compare", "absent", "absent"], "absent does not exist"),
        (["card", "absent"], "absent does not exist"),
        (["export", "absent", "model.onnx"], "absent does not exist"),
        (["export", "absent", "model.pt"], "OUTPUT is model.pt; expected is a name that ends with .onnx"),
    ],
)
def test_a_name_of_nothing_is_one_line(arguments, message, tmp_path, monkeypatch):
    (tmp_path / "i").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "i/a.png")
    monkeypatch.chdir(tmp_path)
    assert message in refuse(*arguments)


@pytest.mark.bad_input("command line")
def test_an_unknown_command_is_a_usage_error():
    result = run("embd")
    assert result.exit_code == 2
    assert "No such command 'embd'" in result.stderr
