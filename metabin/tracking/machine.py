"""The machine's own numbers (processor, memory, disk, GPU): the "System metrics" of the MLflow page."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from metabin.tracking.store import Opened

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

SAMPLE_SECONDS = 10  # MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL overrides it


def watch_machine(run: Opened) -> SystemMetricsMonitor | None:
    """Sample the machine in a thread until `last_look`. Returns None where that cannot be done."""
    with suppress(Exception):  # a luxury: not worth a warning
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run.run_id, SAMPLE_SECONDS, tracking_uri=run.uri)
        monitor.start()
        return monitor
    return None


def last_look(monitor: SystemMetricsMonitor) -> None:
    """Stop the monitor and take a last sample: by itself it records nothing before a full interval."""
    with suppress(Exception):
        monitor.finish()
        monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()
