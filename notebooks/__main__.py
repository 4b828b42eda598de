"""Run the notebooks and keep their outputs: `make notebooks`, after `make repro`."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def main() -> None:
    names = sys.argv[1:] or [path.name for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in names:
        path = FOLDER / name
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=600,
            record_timing=False,  # so that the same outputs give the same file
            resources={"metadata": {"path": str(FOLDER)}},
        )
        client.execute()
        notebook.metadata.pop("language_info", None)  # the version of Python
        nbformat.write(notebook, path)
        print(f"{path}: done")


if __name__ == "__main__":
    main()
