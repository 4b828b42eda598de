"""A trained model as an ONNX file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from metabin.errors import CheckpointError
from metabin.export.folding import fold_norms, norm_terms
from metabin.export.onnx_backend import INPUT, METADATA, OUTPUT, OnnxBackend
from metabin.export.packages import import_package
from metabin.files import write_bytes
from metabin.model.description import ModelDescription
from metabin.model.embedder import Embedder

# Lower than torch's default, for older runtimes. Tried: ONNX Runtime 1.20 and 1.32, and OpenVINO
# 2026.4.
OPSET = 18
MIN_COSINE = 0.9999  # between the embeddings of PyTorch and of ONNX Runtime
NUM_IMAGES = 3  # of the check; the file is made with another number, so the check varies the batch


class EmbeddingNetwork(nn.Module):
    """The network from normalised images to embeddings of unit length, with plain norms."""

    def __init__(self, network: Embedder) -> None:
        super().__init__()
        self.backbone = fold_norms(network.backbone)
        neck = norm_terms(network.neck)
        assert neck, "the neck is a BatchNorm"
        self.register_buffer("scale", neck.scale.detach())
        self.register_buffer("shift", neck.shift.detach())

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(images).mean(dim=(2, 3))
        embeddings = features * self.get_buffer("scale") + self.get_buffer("shift")
        return embeddings / embeddings.norm(dim=1, keepdim=True).clamp_min(1e-12)


def export_onnx(network: Embedder, description: ModelDescription, path: Path) -> None:
    """Write a model as an ONNX file.

    The file has the input `images`, float32 (N, 3, height, width), normalised with pixel_mean and
    pixel_std; the output `embeddings`, float32 (N, embedding_size) of unit length; and the text of
    the description in its metadata, under the key `metabin`. N is free. The same model gives the
    same bytes with the same versions of torch and onnx.

    The file gets its name after a check: on random images, ONNX Runtime must compute the embeddings
    of PyTorch.

    Args:
        network: In evaluation mode.

    Raises:
        ConfigError: A package of the extra `export` is missing.
        CheckpointError: The file does not pass the check.
        ValueError: The network is in training mode.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        import_package(package)
    content = onnx_bytes(network, description)
    check_parity(network, OnnxBackend(path, content=content))
    write_bytes(path, content)


def onnx_bytes(network: Embedder, description: ModelDescription) -> bytes:
    """Return the content of the ONNX file of a model."""
    onnx = import_package("onnx")
    exported = EmbeddingNetwork(network).float().cpu().eval()
    images = torch.zeros(NUM_IMAGES + 1, 3, description.height, description.width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own code
        program = torch.onnx.export(
            exported,
            (images,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program
    model = program.model_proto
    _remove_traces(model)
    model.doc_string = f"Embeddings of person images by MetaBIN ({description.method})"
    model.metadata_props.add(key=METADATA, value=description.text())
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def check_parity(network: Embedder, backend: OnnxBackend) -> None:
    """Check on random images that an ONNX file computes the embeddings of the network.

    Raises:
        CheckpointError: The cosine of the embeddings of an image is below MIN_COSINE.
    """
    description = backend.description
    shape = (NUM_IMAGES, 3, description.height, description.width)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    device = next(network.parameters()).device
    expected = nn.functional.normalize(network.embed(images.to(device)).float()).cpu().numpy()
    cosine = np.einsum("nd,nd->n", expected, backend.run(images.numpy())).min()
    if not cosine >= MIN_COSINE:  # also for NaN
        raise CheckpointError(
            f"{backend.path} was not written: its embeddings of random images have a cosine of "
            f"{cosine:.6f} with those of PyTorch, expected is at least {MIN_COSINE}; "
            "check that the model's weights are finite and report this with its config.json"
        )


def _remove_traces(model: Any) -> None:
    """Remove what torch records of its calls: it names folders of this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    del model.metadata_props[:]
