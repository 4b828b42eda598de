import pytest

from metabin.errors import ConfigError
from stages import cli


def fail_with(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (ConfigError("params.yaml: unknown key"), "error: params.yaml: unknown key\n"),
        (
            FileNotFoundError(2, "No such file", "results/night/scores.csv"),
            "error: results/night/scores.csv is missing;",
        ),
        (FloatingPointError("at step 3: base/ce = nan"), "error: at step 3: base/ce = nan\n"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_1(error, wanted, capsys):
    with pytest.raises(SystemExit) as exit_code:
        cli.run(fail_with(error))
    assert exit_code.value.code == 1
    assert capsys.readouterr().err.startswith(wanted)


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(fail_with(ZeroDivisionError()))


def test_progress_without_a_terminal_is_a_line_at_every_quarter(capsys):
    with cli.progress("draw night", 8, "image") as advance:
        for _ in range(8):
            advance(1)
    assert capsys.readouterr().out.splitlines() == [f"draw night: {done} of 8 images" for done in (2, 4, 6, 8)]


def test_progress_towards_an_unknown_total_writes_no_lines(capsys):
    with cli.progress("fetch set.zip", 0, "byte") as advance:
        for _ in range(8):
            advance(1 << 20)
    assert capsys.readouterr().out == ""
