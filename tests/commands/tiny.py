"""A tiny model, small images, and the program `metabin` in this process."""

import numpy as np
import torch
from click.testing import CliRunner
from descriptions import describe_network
from PIL import Image

from metabin.commands import main
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model

SIZE = (32, 16)  # height, width
ENTRIES = "cam1/a.jpg", "cam1/b.png", "cam2/deep/c.jpg", "d.JPG"  # as they are sorted


def write_model(folder, *, seed=0):
    """The folder of a model with random weights."""
    torch.manual_seed(seed)
    network = build_embedder("resnet_small", 5, norm="bin", rho=0.5)
    save_model(folder, network, describe_network(network, "resnet_small", "bin", *SIZE))
    return folder


def write_images(folder, names, *, seed=0):
    """Smooth random pictures of different sizes."""
    random = np.random.default_rng(seed)
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (6, 3, 3), np.uint8))
        coarse.resize((20 + number % 5, 40 + number % 7)).save(path)
    return folder


def numbered(count):
    return [f"{number:03d}.png" for number in range(count)]


def run(*arguments, stdin=None):
    """The result of a command; an error that is not for the user is raised."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeed(*arguments, stdin=None):
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result


def refuse(*arguments, stdin=None):
    """The message of a command that fails: the only line of its kind, with exit code 1."""
    result = run(*arguments, stdin=stdin)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1, result.output
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    return lines[-1].removeprefix("error: ")
