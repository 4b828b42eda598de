"""The tests that need a CUDA device, and those of the kernels that a CUDA device compiles.

All have "cuda" in their name, or in that of their file or folder. Only files are listed that import
no package beyond those of `benchmarks.gpu.packages`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Setting

PATHS = (
    "tests/cuda",
    "tests/test_compute.py",
    "tests/model/test_fused_cuda.py",
    "tests/engine/test_no_waits.py",
    "tests/engine/test_prepared_ahead.py",
    "tests/engine/test_steps.py",
    "tests/engine/test_training_variants.py",
)


class Outcomes:
    """A plugin of pytest that counts the outcomes of tests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # a skip in a fixture or an error there is an outcome of "setup"
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1


def rows(setting: Setting) -> Iterator[Row]:
    outcomes = Outcomes()
    start = time.perf_counter()
    paths = PATHS[:1] if setting.small else PATHS
    code = pytest.main(["-k", "cuda", "-p", "no:cacheprovider", *paths], plugins=[outcomes])
    seconds = time.perf_counter() - start
    counts = outcomes.counts
    yield Row("CUDA tests that pass", counts["passed"], "tests", f"{seconds:.0f} s")
    yield Row("CUDA tests that fail", counts["failed"], "tests", at_most=0, is_check=True)
    yield Row("CUDA tests that are skipped", counts["skipped"], "tests")
    yield Row("exit code of pytest", int(code), at_most=0, is_check=True)
