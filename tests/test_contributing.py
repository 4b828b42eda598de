"""The examples of CONTRIBUTING.md run."""

import re
import textwrap
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from metabin.engine.trainer import Trainer
from metabin.errors import DatasetError
from metabin.losses.inputs import LossInputs
from metabin.methods.metabin import MetaBIN
from metabin.model.swapping import NormStart
from metabin.types import Batch


@pytest.fixture
def example(root):
    """A function that runs the example of a file and returns its names."""
    blocks = re.findall(r" *```python\n(.*?)```", (root / "CONTRIBUTING.md").read_text(), re.DOTALL)
    sources = [textwrap.dedent(block) for block in blocks]

    def run(path):
        (source,) = (source for source in sources if source.startswith(f"# {path}\n"))
        names = {"__name__": path}
        exec(compile(source, path, "exec", dont_inherit=True), names)
        return names

    return run


def test_the_reader(example, tmp_path):
    reader = example("metabin/data/readers/my_set.py")
    folder = tmp_path / "my_set" / "images"
    folder.mkdir(parents=True)
    for name in ("0012_c2.jpg", "0012_c1.jpg", "readme.txt"):
        (folder / name).write_bytes(b"")
    records = reader["read"](folder.parent)
    assert [(record.path, record.pid, record.camid) for record in records] == [
        ("images/0012_c1.jpg", 12, 0),
        ("images/0012_c2.jpg", 12, 1),
    ]
    assert reader["find_root"](folder.parent) == (folder, "images")
    with pytest.raises(DatasetError, match="MySet"):
        reader["read"](tmp_path / "absent")


def test_the_loss(example):
    features = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    ids = torch.tensor([0, 1])
    batch = Batch(torch.zeros(2, 3, 4, 4), ids, ids, ids)
    inputs = LossInputs(features, batch, nn.Identity(), 0.3, 0.1)
    loss = example("metabin/episodes/losses/centre.py")["loss"]
    assert loss(inputs).item() == loss(inputs, power=1.0).item() == 1.0


def test_the_method(example, tiny_config, tiny_images):
    method = example("metabin/methods/slow_metabin.py")["SlowMetaBIN"]("slow_metabin")
    assert isinstance(method, MetaBIN)
    assert method.label != MetaBIN.label
    trainer = Trainer(tiny_config, tiny_images, method, 0)
    trainer.run()
    assert ["lr/inner" in row for row in trainer.history.losses] == 4 * [False, True]


def test_the_norm(example):
    make = example("metabin/model/group_norm.py")["make"]
    layer = make(nn.BatchNorm2d(16, eps=1e-4), NormStart(0.5, "channel", "identity"), early=False)
    assert (layer.num_channels, layer.eps) == (16, 1e-4)
    assert layer(torch.randn(2, 16, 4, 4)).shape == (2, 16, 4, 4)


def test_the_report_section(example):
    scores = pd.DataFrame({"test_domain": ["night", "night", "plaza"], "num_query": [1200, 1200, 9]})
    section = example("metabin/report/sections/query_counts.py")["section"]
    (part,) = section(SimpleNamespace(scores=scores)).parts
    assert list(part.items) == ["night: 1,200 queries", "plaza: 9 queries"]
    assert section(SimpleNamespace(scores=scores[:0])) is None
