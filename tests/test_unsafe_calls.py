"""No code runs what a file or a string says: pickles, YAML with objects, shells, eval."""

import ast
import re
import subprocess
import sys

import pytest
from test_structure import MODULES, ROOT

SAMPLES = {
    "import pickle; pickle.load(open('a', 'rb'))": "S301",
    "import pandas; pandas.read_pickle('a')": "S301",
    "import shelve; shelve.open('a')": "S301",
    "import marshal; marshal.loads(b'')": "S302",
    "import yaml; yaml.load('a', yaml.UnsafeLoader)": "S506",
    "import subprocess; subprocess.run('ls', shell=True)": "S602",
    "import os; os.system('ls')": "S605",
    "eval('1')": "S307",
    "exec('1')": "S102",
    "import tempfile; tempfile.mktemp()": "S306",
    "open('/tmp/metabin.txt')": "S108",
    "import os; os.chmod('a', 0o777)": "S103",
    "import requests; requests.get('https://a', verify=False, timeout=1)": "S501",
    "import requests; requests.get('https://a')": "S113",
    "import tarfile; tarfile.open('a').extractall()": "S202",
    "import jinja2; jinja2.Environment()": "S701",
}


@pytest.mark.parametrize("folder", ["metabin", "stages"])
def test_the_linter_refuses_unsafe_calls(folder):
    """`make lint` and the hook before a commit run it on all code."""
    command = (sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--stdin-filename")
    code = "\n".join(SAMPLES)
    done = subprocess.run([*command, f"{folder}/a.py", "-"], cwd=ROOT, input=code, capture_output=True, text=True)
    for line, rule in enumerate(SAMPLES.values(), start=1):
        assert re.search(rf":{line}:\d+: {rule} ", done.stdout), f"line {line} passes: {done.stdout}{done.stderr}"


def unsafe_loads(source):
    """The calls of `torch.load`, `numpy.load` and ruamel's `YAML` that could make objects of any class."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = []
    for call in calls:
        name = ast.unparse(call.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        is_unsafe = (
            (name == "torch.load" and options.get("weights_only") != "True")
            or options.get("allow_pickle", "False") != "False"
            or (name.endswith("YAML") and options.get("typ", "'rt'") not in ("'rt'", "'safe'"))
            or name.startswith(("joblib.", "dill.", "cloudpickle."))
        )
        if is_unsafe:
            found.append(ast.unparse(call))
    return found


@pytest.mark.parametrize(
    "call",
    [
        "torch.load(a)", "torch.load(a, weights_only=False)", "torch.load(a, weights_only=not_strict)",
        "np.load(a, allow_pickle=True)", "YAML(typ='unsafe')", "YAML(typ=kind)", "joblib.load(a)",
    ],
)  # fmt: skip
def test_the_search_finds_unsafe_loads(call):
    assert unsafe_loads(f"x = {call}")


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_files_are_read_without_pickle(path):
    assert unsafe_loads((ROOT / path).read_text()) == []
