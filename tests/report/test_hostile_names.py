"""Names, paths and values from data are text wherever they are shown: no script runs, no element is added.

Configuration refuses such names, see tests/test_hostile_parameters.py; here they come to the pages all the same.
"""

from collections.abc import Callable
from pathlib import Path

import browser
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from test_rho_page import made_up

from metabin.card import markdown
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from stages.run_description import describe

Make = Callable[..., ReportInputs]
ATTACK = "window.attacked=1"
HOSTILE = f"</script><script>{ATTACK}</script><img src=x onerror={ATTACK}>\"' onload='{ATTACK}"
INJECTED = "script:not([type]), img[src='x'], [onerror], [onload]"


def attacked(page) -> tuple[bool, int]:
    """Whether a script of a name has run, and the number of elements that names have added."""
    has_run = page.evaluate("window.attacked !== undefined")
    return has_run, page.locator(INJECTED).count()


@pytest.fixture
def hostile_inputs(make_inputs: Make, tmp_path: Path) -> ReportInputs:
    """A run of which every name, the note, a parameter and the path of an image are hostile."""
    domains = (HOSTILE, "b")
    folder = tmp_path / "images" / f"<img src=x onerror={ATTACK}>"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 4, 3), np.uint8)).save(folder / "a.jpg")
    return make_inputs(
        domains=domains, methods=("bn", "metabin"), title=HOSTILE, note=HOSTILE, losses=pd.DataFrame(),
        provenance={HOSTILE: {HOSTILE: HOSTILE}},
        samples={HOSTILE: [f"{folder.name}/a.jpg"]},
        **made_up([(HOSTILE, "metabin", 0)], [2, 3], [0, 5]),
    )  # fmt: skip


def test_a_browser_shows_hostile_names_in_the_pages_as_text(hostile_inputs: ReportInputs, tmp_path: Path) -> None:
    write_report(hostile_inputs, tmp_path / "out")
    with browser.opened(tmp_path / "out/index.html") as page:
        assert attacked(page) == (False, 0)
        assert page.title() == HOSTILE
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.locator("dd", has_text=ATTACK).count() > 0
    with browser.opened(tmp_path / "out/rho.html") as page:
        assert page.locator("#fold option").all_inner_texts() == [HOSTILE]
        page.locator("#layer").select_option(index=1)
        page.locator("#heat").hover()
        scripts = page.locator("script:not([type])").count()
        assert (attacked(page)[0], scripts) == (False, 1)  # its own
        assert page.locator("img, [onerror], [onload]").count() == 0


def test_the_report_allows_no_script_even_if_one_came_into_it(hostile_inputs: ReportInputs, tmp_path: Path) -> None:
    write_report(hostile_inputs, tmp_path / "out")
    path = tmp_path / "out/index.html"
    path.write_text(path.read_text().replace("</main>", f"<b onclick={ATTACK}>b</b><script>{ATTACK}</script></main>"))
    with pytest.raises(AssertionError, match="Content Security Policy"), browser.opened(path) as page:
        page.locator("main b", has_text="b").last.click()
        assert not attacked(page)[0]


class Recorder:
    """A run that keeps its notes."""

    name = f"pretrained={HOSTILE}](javascript:{ATTACK})[`"

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.note = self.note_experiment = self.notes.append

    def link(self, path: str = "") -> str:
        return f"#/runs/{path}"


def test_markdown_of_hostile_names_is_text_where_html_is_allowed(
    hostile_inputs: ReportInputs, text_of: Callable[[ReportInputs], str], tmp_path: Path
) -> None:
    """MLflow and GitHub remove scripts as well. This page removes nothing."""
    labels = dict.fromkeys(hostile_inputs.rows, HOSTILE)
    run = Recorder()
    trainings = pd.DataFrame({"is_below": [True]})
    describe(run, hostile_inputs, labels, trainings, has_page=True)  # type: ignore[arg-type]
    texts = [text_of(hostile_inputs), *run.notes]
    texts.append(markdown.table([HOSTILE], [[HOSTILE]]))
    texts.append(markdown.code(f"` {HOSTILE} `\n\n{HOSTILE}"))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render("\n\n".join(texts))
    (tmp_path / "page.html").write_text(f"<!doctype html><title>notes</title>{html}")
    with browser.opened(tmp_path / "page.html") as page:
        assert attacked(page) == (False, 0)
        assert page.locator("[href^=javascript]").count() == 0
        assert page.locator("td", has_text=ATTACK).count() > 1
