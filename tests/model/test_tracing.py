"""Programs traced from an embedder in evaluation mode give its features."""

import io

import pytest
import torch

from metabin.model.embedder import build_embedder

NORMS = ["bin", "in", "bn"]
BATCH = {0: torch.export.Dim("batch", min=1, max=1024)}


def images(size=3):
    return torch.randn(size, 3, 32, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=NORMS)
def model(request):
    """The small network with running statistics of two batches and a rho inside its range."""
    torch.manual_seed(0)
    model = build_embedder("resnet_small", 4, norm=request.param, rho=0.4)
    for _ in range(2):
        model(images(8))
    return model.eval()


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 5])
def test_an_exported_program_takes_batches_of_any_size(model, size):
    program = torch.export.export(model, (images(),), dynamic_shapes=(BATCH,))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    assert_close(torch.export.load(file).module()(images(size)), model(images(size)))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("grad", [False, True])
def test_a_compiled_model_is_one_graph(model, backend, grad):
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch.set_grad_enabled(grad):
        assert_close(compiled(images()), model(images()))
