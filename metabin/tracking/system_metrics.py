"""Processor, memory and GPU use of the machine: the "System metrics" of the MLflow UI."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from metabin.tracking.store import OpenedRun

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

SAMPLE_SECONDS = 10  # MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL overrides it


def start_monitor(run: OpenedRun) -> SystemMetricsMonitor | None:
    """Sample the machine in a thread until `stop_monitor`; return None if that is not possible."""
    with suppress(Exception):  # system metrics are optional: no warning
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run.run_id, SAMPLE_SECONDS, tracking_uri=run.uri)
        # A training reads little: the disk and the network of the machine would tell of others.
        left_out = (DiskMonitor, NetworkMonitor)
        monitor.monitors = [item for item in monitor.monitors if not isinstance(item, left_out)]
        monitor.start()
        return monitor
    return None


def stop_monitor(monitor: SystemMetricsMonitor) -> None:
    """Stop the monitor and record a last sample.

    MLflow's monitor records nothing of a run that is shorter than its interval.
    """
    with suppress(Exception):
        monitor.finish()
        monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()
