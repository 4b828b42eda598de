"""Names that could be markup, a path or an option of a command are refused before anything uses them."""

from copy import deepcopy

import pytest

from metabin.config import parse_config
from metabin.errors import ConfigError

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a b", "a\n", "\na", "a|b", "a`b", "[a](javascript:alert(1))", "a/b", "../a", "..", ".hidden", "-rf", "$(id)", "",
    "ａ",  # a full-width letter
)  # fmt: skip


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_letters_digits_and_a_few_signs(params, name):
    protocol = {
        "domains": [name], "sources": [name], "groups": {name: ["grid"]}, "sources_of": {name: ["grid"]},
        "baselines": [name], "meta_learned": [name], "final": [name],
    }  # fmt: skip
    changes = [("protocol", key, value) for key, value in protocol.items()]
    changes += [("model", "backbone", name), ("data", "splits", {name: "0"}), ("data", "accept_unfit", [name])]
    for section, key, value in changes:
        values = deepcopy(params)
        values[section][key] = value
        with pytest.raises(ConfigError, match=rf"(?s){section}\.{key}.*should match pattern"):
            parse_config(values)
    with pytest.raises(ConfigError, match=r"(?s)variants.*should match pattern"):
        parse_config({**params, "variants": {name: {"method": "metabin"}}})
