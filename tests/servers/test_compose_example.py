"""examples/servers: what its files say about each other and about the versions of this project."""

import re

from loopback import EXAMPLE
from packaging.requirements import Requirement
from ruamel.yaml import YAML

TEXT = (EXAMPLE / "compose.yaml").read_text()
SERVICES = YAML(typ="safe").load(TEXT)["services"]
LOCKS = "".join((EXAMPLE.parents[1] / name).read_text() for name in ("requirements.lock", "requirements-dev.lock"))


def test_env_example_names_each_variable_once_and_has_no_value():
    names = re.findall(r"^(\w+)=$", (EXAMPLE / ".env.example").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(set(re.findall(r"\$\{(\w+)", TEXT)))
    assert "=" not in re.sub(r"^(#.*|\w+=)$", "", (EXAMPLE / ".env.example").read_text(), flags=re.MULTILINE)


def test_only_the_profile_tls_opens_ports_to_other_machines():
    open_to_all = {
        name for name, service in SERVICES.items() for port in service.get("ports", ()) if "127.0.0.1:" not in port
    }
    assert open_to_all == {"caddy"}
    assert SERVICES["caddy"]["profiles"] == ["tls"]


def test_the_image_of_mlflow_has_the_versions_that_the_tests_run():
    (command,) = re.findall(r"RUN pip install (.*)", SERVICES["mlflow"]["build"]["dockerfile_inline"])
    pins = [Requirement(text.strip('"')) for text in command.split() if "==" in text]
    assert {pin.name for pin in pins} == {"mlflow", "boto3", "psycopg"}
    for pin in pins:
        assert re.search(rf"^{pin.name}{re.escape(str(pin.specifier))} ", LOCKS, re.MULTILINE)
