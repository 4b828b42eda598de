"""Exported models in ONNX Runtime. Uses neither torch nor the weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metabin.errors import CheckpointError
from metabin.export.packages import import_package
from metabin.model.description import parse_description

INPUT = "images"
OUTPUT = "embeddings"
METADATA = "metabin"  # key of the description
ADVICE = "expected is a file that `metabin export` wrote"


class OnnxBackend:
    """A model in an ONNX file, run on the CPU.

    Args:
        path: The file.
        num_threads: Threads of one batch; 0 is one per core.
        content: Bytes to use instead of the file's; `path` is then a name for messages.

    Attributes:
        description: Of the model, from the file's metadata.

    Raises:
        ConfigError: ONNX Runtime is missing.
        CheckpointError: The file is missing or damaged, has no description or that of a newer
            version, or its input or output differs from the description.
    """

    def __init__(self, path: Path, *, num_threads: int = 0, content: bytes | None = None) -> None:
        self.path = path
        self._session = _open_session(path, num_threads, content)
        self.description = parse_description(_description_text(self._session, path), str(path))
        self._require_shapes()
        self._mean = np.array(self.description.pixel_mean, np.float32)
        self._std = np.array(self.description.pixel_std, np.float32)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Compute embeddings of pixels (B, height, width, 3) uint8: (B, D) of unit length."""
        images = (pixels.astype(np.float32) - self._mean) / self._std
        return self.run(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))

    def run(self, images: np.ndarray) -> np.ndarray:
        """Compute embeddings of normalised images (B, 3, height, width) float32."""
        return self._session.run([OUTPUT], {INPUT: images})[0]

    def _require_shapes(self) -> None:
        description = self.description
        shapes = {
            value.name: value.shape[1:]
            for value in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        expected = {
            INPUT: [3, description.height, description.width],
            OUTPUT: [description.embedding_size],
        }
        if shapes != expected:
            raise CheckpointError(
                f"{self.path} has inputs and outputs of the shapes {shapes}, and its description "
                f"says {expected}; {ADVICE}"
            )


def _open_session(path: Path, num_threads: int, content: bytes | None) -> Any:
    runtime = import_package("onnxruntime")
    if content is None and not path.is_file():
        raise CheckpointError(f"{path} does not exist; {ADVICE}")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3  # errors
    try:
        return runtime.InferenceSession(
            content or str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime raises its own kinds
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path} is not a readable ONNX file: {reason}; export the model again"
        ) from None


def _description_text(session: Any, path: Path) -> str:
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA not in metadata:
        keys = ", ".join(sorted(metadata)) or "none"
        raise CheckpointError(
            f"{path} has no description of a model under the key {METADATA} in its metadata "
            f"(keys: {keys}); {ADVICE}"
        )
    return metadata[METADATA]
