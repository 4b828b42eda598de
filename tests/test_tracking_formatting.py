"""Texts in a form that MLflow accepts: limits, and what a text loses to stay within them."""

from metabin.tracking.formatting import (
    MAX_CARD_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_PARAM_LENGTH,
    NOTE,
    clean_key,
    describe,
    flatten,
    shorten,
    shorten_card,
)


def test_the_description_of_an_error_is_one_line_with_its_first_and_last_words():
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(TimeoutError()) == "TimeoutError"
    text = describe(ValueError("first " + 9000 * "x" + " last"))
    assert MAX_MESSAGE_LENGTH <= len(text) < MAX_MESSAGE_LENGTH + 10
    assert text.startswith("ValueError: first x")
    assert text.endswith("x last")
    exact = "x" * (MAX_MESSAGE_LENGTH - len("ValueError: "))
    assert describe(ValueError(exact)) == f"ValueError: {exact}"


def test_nested_parameters_have_dotted_keys_that_mlflow_accepts():
    nested = {"a": {"b": {"c!": 1}, "d": {}}, "e": 2}
    assert dict(flatten(nested)) == {"a.b.c_": 1, "a.d": {}, "e": 2}
    assert clean_key("a b-c.d:E/F9_é%") == "a b-c.d:E/F9___"
    assert clean_key("x/../y/./z") == "x/y/z"
    assert clean_key("X/a") == "X/a"
    assert clean_key("..") == "_"
    assert clean_key(300 * "k") == 250 * "k"


def test_a_parameter_is_cut_only_above_the_limit():
    exact = "x" * MAX_PARAM_LENGTH
    assert shorten(exact) == exact
    assert shorten(exact + "x") == exact[:-3] + "..."


def test_a_long_card_loses_the_least_needed_sections_and_stays_within_the_limit():
    sections = {name: f"## {name}\n\n{name[0] * 1500}\n\n" for name in ("Use", "Training", "rho", "Limits")}
    card = "# Title\n\n" + "".join(sections.values())
    short = shorten_card(card)
    assert short == (card.replace(sections["rho"], "").strip() + NOTE)
    longest = shorten_card(card.replace("LLL", "LLL\n" * 5))
    assert len(longest) <= MAX_CARD_LENGTH
    assert longest.startswith("# Title\n\n## Limits\n") and longest.endswith(NOTE)
    whole = "# Title\n\n".ljust(MAX_CARD_LENGTH, "x")
    assert shorten_card(whole) == whole


def test_a_card_loses_no_more_than_the_limit_asks_for():
    title, rho, training = "# Title\n\n", f"## rho\n\n{'r' * 900}\n\n", "## Training\n\n"
    rest = (title + training).ljust(MAX_CARD_LENGTH - len(NOTE), "t")
    assert shorten_card(rest.replace(training, rho + training)) == rest + NOTE


def test_the_yaml_of_a_card_goes_and_its_lines_stay():
    assert shorten_card("---\nlicense: mit\n---\n# Title\n\n---\ntext\n") == "# Title\n\n---\ntext"
