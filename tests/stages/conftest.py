"""Stages in this process, where no test needs DVC: importing PyTorch takes longer than a tiny stage."""

import sys
from importlib import import_module

import pytest
from stages_in_clone import ROOT


@pytest.fixture
def call(tmp_path, monkeypatch):
    """A function that runs a stage in a folder of its own, on the params.yaml there."""
    for name in ("protocols", "dvc.yaml", "metabin"):  # a resume state depends on the code that dvc.yaml lists
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METABIN_TRACKING", "off")
    # `compute.device: auto` of params.yaml is the CPU here, also on a machine with a GPU
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    def run(stage, *arguments):
        monkeypatch.setattr(sys, "argv", [stage, *arguments])
        import_module(f"stages.{stage}").main()

    return run
