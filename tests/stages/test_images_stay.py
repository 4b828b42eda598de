"""Images of the user's own data sets reach an MLflow server only if tracking.upload_images asks for it."""

import base64
import io
import re
import sys
from pathlib import Path

import mlflow_server
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from stages_in_clone import make_clone, run

from stages.gather import is_synthetic

GREEN = (0, 230, 0)  # of every image of the data, and of no chart
SETTINGS = {
    "protocol": {"domains": ["yard"], "sources": ["shop", "office"], "baselines": [], "final": []},
    "data": {"local": ["shop", "office", "yard"]},
    "partition": {"num_train_ids": "all"},
    "optim": {"duration": 2, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "candidates": 1},
}
# One process, since every further one spends seconds on imports. The server's folder is copied before the last report.
SCRIPT = """
import runpy, shutil, sys
from pathlib import Path

def run(line):
    sys.argv = line.split()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

store, by_default, *lines = sys.argv[1:]
for line in lines:
    run(line)
shutil.copytree(store, by_default)
params = Path("params.yaml")
params.write_text(params.read_text().replace("upload_images: false", "upload_images: true"))
run("stages.report")
"""
STAGES = (
    *(f"stages.check --name {name}" for name in ("shop", "office", "yard")),
    "stages.partition",
    *(f"stages.{name} --fold yard" for name in ("train --seed 0", "evaluate", "rho_probe")),
    "stages.report",
)
URI = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")


def write_domain(folder, name):
    lines = ["path,pid,camid,domain"]
    for pid in range(4):
        for camid in range(2):
            path = f"{name}/{name}_person_{pid}_{camid}.png"
            (folder / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("RGB", (24, 48), (60 * pid, 40 * camid, 90 * len(name) % 256))
            image.paste(GREEN, (0, 0, 24, 24))
            image.save(folder / path)
            lines.append(f"{path},{pid},{camid},{name}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def shows_data(content):
    """Return whether a file, or a picture inside of it, is a picture with a green part."""
    pictures = [content, *(base64.b64decode(text) for text in URI.findall(content))]
    return any(is_green(picture) for picture in pictures)


def is_green(content):
    try:
        with Image.open(io.BytesIO(content)) as image:
            red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(int), -1, 0)
    except UnidentifiedImageError:
        return False
    return ((green > 180) & (red < 80) & (blue < 80)).mean() > 0.02


def uploaded(store):
    """Every file of the server, its database included: {path: content}."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "log.txt"]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def in_run(path):
    return path.rpartition("/artifacts/")[2]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The server's files after all stages with the default parameters, and after a report with upload_images."""
    folder, store = make_clone(tmp_path_factory.mktemp("own"), SETTINGS), tmp_path_factory.mktemp("server")
    for name in ("shop", "office", "yard"):
        write_domain(folder / "datasets", name)
    by_default = folder / "by_default"
    with mlflow_server.serve(store) as address:
        done = run(folder, sys.executable, "-c", SCRIPT, str(store), str(by_default), *STAGES, server=address)
    assert "MLflow" not in done.stderr
    return uploaded(by_default), uploaded(store)


def test_no_image_of_own_data_and_no_name_of_one_reaches_a_server_by_default(servers):
    files, _ = servers
    names = {in_run(path) for path in files}
    assert {"report.md", "figures/unseen_and_seen.png", "rho/histograms.json", "data/model.safetensors"} <= names
    assert [name for name, content in files.items() if shows_data(content)] == []
    assert [name for name, content in files.items() if b"_person_" in content] == []


def test_the_page_and_the_samples_reach_a_server_when_a_parameter_asks_for_it(servers):
    _, files = servers
    shown = {in_run(path) for path, content in files.items() if shows_data(content)}
    assert shown == {"index.html", *(f"figures/samples_{name}.png" for name in ("shop", "office", "yard"))}


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        ({"night": "data/raw/night", "place-3": "data/raw/place-3"}, True),
        ({"night": "data/raw/night", "yard": "datasets"}, False),
        ({"yard": "data/raw/datasets"}, False),  # own data may lie anywhere
        ({"night": "datasets/night"}, False),
    ],
)
def test_only_a_run_on_sites_of_the_benchmark_alone_is_synthetic(roots, expected):
    assert is_synthetic({name: Path(root) for name, root in roots.items()}) is expected
