import errno
import os

import pytest

from stages import cli
from stages.partition import require_space


def fail_with(monkeypatch, code):
    def fail(descriptor, offset, length):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_an_error_with_the_bytes_that_the_images_need(code, tmp_path, monkeypatch, capsys):
    fail_with(monkeypatch, code)
    message = r"the disk is full: 61,000,000,000 bytes are needed, and [\d,]+ are free; free some, or set"
    with pytest.raises(OSError, match=message) as error:
        require_space(tmp_path / "partition", 61_000_000_000)
    assert error.value.errno == errno.ENOSPC
    with pytest.raises(SystemExit):  # without a traceback
        cli.run(lambda: require_space(tmp_path, 61_000_000_000))
    assert "set partition.height and partition.width lower" in capsys.readouterr().err


def test_a_file_system_that_cannot_reserve_space_is_no_problem(tmp_path, monkeypatch):
    fail_with(monkeypatch, errno.EOPNOTSUPP)
    require_space(tmp_path, 61_000_000_000)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no space")
def test_space_is_released_and_more_than_the_disk_has_is_refused(tmp_path):
    require_space(tmp_path, 1 << 20)
    with pytest.raises(OSError, match="free some, or set partition"):
        require_space(tmp_path, 1 << 60)
    assert list(tmp_path.iterdir()) == []
