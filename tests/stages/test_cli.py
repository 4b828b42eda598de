import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metabin.errors import ConfigError
from metabin.progress import progress
from stages import cli


def fail_with(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError("params.yaml: unknown key"), "error: params.yaml: unknown key\n"),
        (
            FileNotFoundError(2, "No such file", "results/night/scores.csv"),
            "error: results/night/scores.csv is missing;",
        ),
        (FileNotFoundError("no device cuda:1"), "error: no device cuda:1\n"),
        (OSError(28, "No space left on device", "models/a"), "error: [Errno 28] No space left on device: 'models/a'"),
        (PermissionError(13, "Permission denied", "reports"), "error: [Errno 13] Permission denied: 'reports'\n"),
        (FloatingPointError("at step 3: base/ce = nan"), "error: at step 3: base/ce = nan\n"),
    ],
)
def test_an_error_that_a_user_can_repair_is_one_line_and_exit_code_1(error, expected, capsys):
    with pytest.raises(SystemExit) as exit_code:
        cli.run(fail_with(error))
    assert exit_code.value.code == 1
    assert capsys.readouterr().err.startswith(expected)


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(fail_with(ZeroDivisionError()))


def test_progress_without_a_terminal_is_a_line_at_every_quarter(capsys):
    with cli.progress("render night", 8, "image") as advance:
        for _ in range(8):
            advance(1)
    assert capsys.readouterr().out.splitlines() == [f"render night: {done} of 8 images" for done in (2, 4, 6, 8)]


def test_progress_of_a_command_leaves_standard_output_to_its_result(capsys):
    with progress("embed", 8, "image", lines=sys.stderr) as advance:
        advance(8)
    assert capsys.readouterr() == ("", "embed: 8 of 8 images\n")


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with cli.progress("embed", 20, "image") as advance:
        advance(20)
    assert "20/20" in terminal.getvalue()


def test_progress_towards_an_unknown_total_writes_no_lines(capsys):
    with cli.progress("fetch set.zip", 0, "byte") as advance:
        for _ in range(8):
            advance(1 << 20)
    assert capsys.readouterr().out == ""


ROOT = Path(__file__).parents[2]
PRINT = "import sys; from stages import cli; cli.run(lambda: [print(line) for line in range({})] and sys.exit({}))"


def with_closed_output(*command):
    """Run a command whose reader has closed its output, as `| head` does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    message = process.stderr.read()
    process.stderr.close()
    return process.wait(), message


@pytest.mark.parametrize(("lines", "code", "expected"), [(3, 0, 141), (100_000, 0, 141), (100_000, 1, 141), (3, 1, 1)])
@pytest.mark.parametrize("options", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_reader_that_closes_the_output_ends_a_command_without_a_message(options, lines, code, expected):
    exit_code, message = with_closed_output(sys.executable, *options, "-c", PRINT.format(lines, code))
    assert message == ""
    assert exit_code == (141 if options else expected)  # unbuffered, the first line fails already


def test_another_broken_pipe_keeps_its_traceback():
    code = "import os; from stages import cli; r, w = os.pipe(); os.close(r); cli.run(lambda: os.write(w, b'x'))"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "BrokenPipeError" in process.stderr


def test_a_command_of_the_project_ends_without_a_message_when_its_output_is_closed():
    assert with_closed_output(sys.executable, "-m", "stages.tools.params") == (141, "")


def commands():
    """Yield the files of stages and benchmarks that can be run, with their last statement."""
    for path in sorted((*(ROOT / "stages").glob("*.py"), *(ROOT / "benchmarks").glob("*.py"))):
        last = ast.parse(path.read_text()).body[-1]
        if isinstance(last, ast.If) and "__name__" in ast.unparse(last.test):
            yield pytest.param(path, ast.unparse(last.body[-1]), id=path.stem)


@pytest.mark.parametrize(("path", "call"), list(commands()))
def test_every_command_runs_through_cli(path, call):
    if path in (ROOT / "benchmarks/pairs.py", ROOT / "stages/fork_server.py"):
        return  # one side of a comparison, and the server: other commands start these processes
    assert call in ("cli.run(main)", "pairs.main(rows)")
