"""The notebooks run, and those that read reports/ keep the tables of the present results."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from stages_in_clone import make_clone, run

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OF_RESULTS = ("01_results", "02_rho")  # the numbers of the others differ between processors
ON_A_BATCH = "04_method"  # reads data/partition, which a fresh clone does not have
SMALL = {
    "protocol": {"domains": ["campus", "night"], "sources": ["plaza", "mall"]},
    "benchmark": {"num_ids": 12},
    "partition": {"num_train_ids": 10},
}


@pytest.fixture
def folder(path, tmp_path):
    """The folder in which a notebook runs."""
    if path.stem != ON_A_BATCH:
        return NOTEBOOKS
    clone = make_clone(tmp_path, SMALL)
    run(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "partition")
    return clone


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_has_its_outputs(path, folder):
    notebook = nbformat.read(path, as_version=4)
    stored = [texts(cell) for cell in notebook.cells]
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute()
    fresh = [texts(cell) for cell in notebook.cells]
    assert any(stored), f"{path.name} has no outputs; run `make notebooks`"
    if path.stem in OF_RESULTS:
        assert stored == fresh, f"{path.name} shows other results than reports/; run `make notebooks`"


def texts(cell):
    """Return the texts of the outputs of a cell; pictures differ with fonts."""
    return [output.get("data", {}).get("text/plain", output.get("text")) for output in cell.get("outputs", [])]
