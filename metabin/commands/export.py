"""`metabin export`: a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from metabin.errors import ConfigError


@click.command()
@click.argument("model")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False), metavar="OUTPUT.onnx")
def command(model: str, output: Path) -> None:
    """Write a model as an ONNX file.

    The file has the input `images`, float32 (N, 3, H, W), normalised as in its metadata, and the
    output `embeddings`, float32 (N, D) of unit length. metabin.load and all commands read it.

    \b
    metabin export models/final/metabin/seed-0 model.onnx
    """
    if output.suffix != ".onnx":
        raise ConfigError(f"OUTPUT is {output}; expected is a name that ends with .onnx")

    from metabin.export.onnx_file import export_onnx
    from metabin.inference.load import load
    from metabin.inference.model import TorchBackend

    loaded = load(model, device="cpu")
    if not isinstance(loaded.backend, TorchBackend):
        raise ConfigError(f"{model} is an ONNX file already; pass the folder of a training")
    export_onnx(loaded.backend.network, loaded.description, output)
    size = output.stat().st_size / 1e6
    click.echo(f"{output}: {size:,.1f} MB")
