"""A pipeline that has run once on a tiny benchmark, for commands that use its data and its models."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stages_in_clone import ROOT

SETTINGS = {
    "protocol": {"domains": ["campus", "night"], "sources": ["plaza"], "baselines": ["bn"]},
    "benchmark": {"num_ids": 8},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "optim": {"duration": 8, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"candidates": 1},
}


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """The folder of a pipeline with the models of the fold `night` and its scores."""
    folder = tmp_path_factory.mktemp("pipeline")
    for name in ("protocols", "dvc.yaml", "metabin"):
        (folder / name).symlink_to(ROOT / name)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    for section, values in SETTINGS.items():
        params[section] |= values
    YAML().dump(params, folder / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("METABIN_TRACKING", "off")
        patch.setattr("torch.cuda.is_available", lambda: False)
        patch.setattr("os.cpu_count", lambda: 1)  # so few images are rendered sooner in this process

        def run(stage, *arguments):
            patch.setattr(sys, "argv", [stage, *arguments])
            import_module(f"stages.{stage}").main()

        for domain in ("campus", "night", "plaza"):
            run("download", "--domain", domain)
        run("partition")
        for method in ("bn", "metabin"):
            run("train", "--fold", "night", "--method", method, "--seed", "0")
        run("evaluate", "--fold", "night")
    return folder


@pytest.fixture
def in_pipeline(pipeline, monkeypatch) -> Path:
    """The folder of the pipeline, as working folder."""
    monkeypatch.chdir(pipeline)
    return pipeline
