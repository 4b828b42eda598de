"""What several tests need: the reference's numbers, and tiny data to train on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow_client import client_of
from ruamel.yaml import YAML

from metabin.config import Config, parse_config
from metabin.data.batches.loading import ImageSet

ROOT = Path(__file__).parents[1]

if not torch.cuda.is_available():
    # Triton interprets its programs on CPU tensors. It reads this when it is imported.
    os.environ["TRITON_INTERPRET"] = "1"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Accept pyproject.toml's `timeout` without pytest-timeout, which `make gpu` does without."""
    if not pluginmanager.hasplugin("timeout"):
        parser.addini("timeout", "seconds for a test; no limit without pytest-timeout")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests of whole pipelines: they are the longest, and other workers take the short ones."""
    items.sort(key=lambda item: "stages" not in item.path.parts)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """Numbers that the authors' code gives."""
    return json.loads((Path(__file__).parent / "reference.json").read_text())


@pytest.fixture(scope="session")
def params() -> dict[str, Any]:
    """params.yaml as it is read from disk, but with the CPU as device.

    There the device is `auto`. On a machine with a GPU, tests would compare its results with those of the CPU, bit by
    bit. Tests of a CUDA device have the marker `cuda` and set `compute.device` themselves.
    """
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    values["compute"]["device"] = "cpu"
    return values


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with empty tables: to make one takes seconds, to copy it less."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    client_of(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def make_config(params: Mapping[str, Any]):
    """A function that gives params.yaml with some keys changed: `optim__lr=0.1` is `-S optim.lr=0.1`."""

    def make(**changes: Any) -> Config:
        values = deepcopy(dict(params))
        for key, value in changes.items():
            *sections, name = key.split("__")
            section = values
            for part in sections:
                section = section[part]
            section[name] = value
        return parse_config(values)

    return make


@pytest.fixture
def make_tiny(make_config):
    """`make_config` for a few quick steps."""

    def make(**changes: Any) -> Config:
        tiny = {
            "optim__duration": 8,
            "optim__ids_per_batch": 4,
            "optim__images_per_id": 2,
            "meta__ids_per_domain": 2,
            "meta__inner_period": 4,
            "record__loss_every": 1,
            "record__rho_every": 2,
            "record__checkpoint_every": 3,
        }
        return make_config(**{**tiny, **changes})

    return make


@pytest.fixture
def tiny_config(make_tiny) -> Config:
    """A few quick steps."""
    return make_tiny()


@pytest.fixture
def tiny_images() -> ImageSet:
    """Three domains of 4 identities with 3 images each."""
    return draw_images(num_domains=3, num_ids=4, num_images=3)


@pytest.fixture
def make_images():
    """A function that gives images of which colour tells the identity, and a gain the domain."""
    return draw_images


def draw_images(*, num_domains: int, num_ids: int, num_images: int, height: int = 32, width: int = 16) -> ImageSet:
    random = np.random.default_rng(0)
    per_domain = num_ids * num_images
    colour = random.uniform(40, 200, (num_domains, num_ids, 1, 1, 1, 3))
    noise = random.normal(0, 12, (num_domains, num_ids, num_images, height, width, 3))
    gain = np.linspace(0.7, 1.2, num_domains).reshape(-1, 1, 1, 1, 1, 1)
    pixels = np.clip(gain * colour + noise, 0, 255).astype(np.uint8).reshape(num_domains, per_domain, height, width, 3)
    pid = np.tile(np.arange(num_ids).repeat(num_images), num_domains)
    domain = np.arange(num_domains).repeat(per_domain)
    return ImageSet(
        pixels=tuple(pixels),
        dataset=domain,
        row=np.tile(np.arange(per_domain), num_domains),
        domain=domain,
        pid=pid,
        camid=np.tile(np.arange(num_images), num_domains * num_ids),
        label=domain * num_ids + pid,
        names=tuple(f"site{index}" for index in range(num_domains)),
    )
