"""Processor, memory and GPU use of the machine: the "System metrics" of the MLflow UI."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

SAMPLE_SECONDS = 10  # MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL overrides it


class SystemMonitor:
    """Sample the machine in a thread, until `stop`.

    MLflow's own monitor writes to the store, and waits for it. A training reads little, so that the
    use of the disk and of the network would tell of other programs: it is left out.
    """

    def __init__(self, write: Callable[[Mapping[str, float], int], None]) -> None:
        """Start the thread.

        Args:
            write: receives the metrics and the number of the sample.
        """
        from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL

        self._write = write
        self._seconds = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or SAMPLE_SECONDS
        self._monitors = _monitors()
        self._step = 0
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and record a last sample, which a short run has too."""
        self._is_ending.set()
        self._thread.join()
        self._sample()

    def _work(self) -> None:
        while not self._is_ending.wait(self._seconds):
            self._sample()

    def _sample(self) -> None:
        with suppress(Exception):  # system metrics are optional: no warning
            values: dict[str, float] = {}
            for monitor in self._monitors:
                monitor.collect_metrics()
                values |= monitor.aggregate_metrics() or {}
                monitor.clear_metrics()
            self._write({f"system/{name}": value for name, value in values.items()}, self._step)
            self._step += 1


def _monitors() -> list[BaseMetricsMonitor]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

    monitors: list[BaseMetricsMonitor] = [CPUMonitor()]
    for kind in (GPUMonitor, ROCMMonitor):
        with suppress(Exception):  # the machine has none of that kind
            monitors.append(kind())
            break
    return monitors
