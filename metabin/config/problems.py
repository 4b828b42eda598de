"""The problems that pydantic finds in parameters, as text for users."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

# pydantic adds these to the path of an error in a union of types; they are no keys of params.yaml
UNION_PARTS = (
    *("literal['auto']", "literal['all','official']", "literal['all']"),
    *("constrained-int", "constrained-float", "dict[str,any]"),
)
EXPECTED = "Input should be "
TO_DO = {"greater": "raise it", "less": "lower it"}  # by the first word of the type of an error
LONGEST = 200  # characters of a value in a message


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one text for each key with a problem: its value, what is expected and what to do.

    Args:
        error: what pydantic raised.
        model: the model of all sections.
    """
    by_key: dict[str, list[Any]] = {}
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"] if part not in UNION_PARTS)
        by_key.setdefault(key, []).append(problem)
    texts = []
    for key, problems in by_key.items():
        # The alternatives of a union have one problem each.
        if len(problems) > 1 and all(entry["msg"].startswith(EXPECTED) for entry in problems):
            expected = " or ".join(entry["msg"].removeprefix(EXPECTED) for entry in problems)
            texts.append(f"{key} is {_short(problems[0]['input'])}; {EXPECTED}{expected}")
        else:
            texts.extend(_explain(key, entry, model) for entry in problems)
    return texts


def _explain(key: str, problem: Any, model: Any) -> str:
    """Return one problem as text."""
    if problem["type"] == "extra_forbidden":
        section = model
        for part in problem["loc"][:-1]:
            section = section.model_fields[part].annotation
        return f"unknown key {key}; known there are {', '.join(section.model_fields)}"
    if problem["type"] == "missing":
        return f"missing key {key}; see params.yaml in the repository for its meaning and default"
    if problem["type"] == "value_error":
        return f"{key + ': ' if key else ''}{problem['ctx']['error']}"
    to_do = TO_DO.get(problem["type"].partition("_")[0])
    text = f"{key + ' is' if key else 'found'} {_short(problem['input'])}; {problem['msg']}"
    return f"{text}; {to_do}" if to_do else text


def _short(value: Any) -> str:
    """Return the value as Python writes it, cut to `LONGEST` characters."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
