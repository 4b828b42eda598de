"""A real browser without a window, for tests that look at pages as people do."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
LOCAL = ("127.0.0.1", "localhost", "")
ASSISTANT = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"  # MLflow opens it at the first visit
# MLflow asks for a user of a server without users, and resizes its charts in a loop that the browser ends.
HARMLESS = ("the server responded with a status of 404", "ResizeObserver loop")


@contextmanager
def opened(address, *, width=1280, height=900):
    """Open a page; afterwards check that it logged no error and asked no other machine for anything."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)}")
    from playwright.sync_api import sync_playwright

    problems = []

    def on_request(request):
        if urlparse(request.url).scheme in ("http", "https", "ws") and urlparse(request.url).hostname not in LOCAL:
            problems.append(request.url)

    def note(text):
        if not any(harmless in text for harmless in HARMLESS):
            problems.append(text)

    def on_console(message):
        if message.type == "error":
            note(message.text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": height})
        # A file and a framed artifact have no storage.
        context.add_init_script(f"try {{ localStorage.setItem({ASSISTANT!r}, 'true') }} catch {{}}")
        context.on("request", on_request)
        context.on("console", on_console)
        context.on("weberror", lambda error: note(str(error.error)))
        page = context.new_page()
        page.goto(address if "://" in str(address) else Path(address).resolve().as_uri())
        yield page
        browser.close()
    assert not problems, problems


def overflow(page):
    """Return the pixels by which the content is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def broken_images(page):
    """Return the addresses of images that did not load."""
    return page.evaluate(
        "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src.slice(0, 80))"
    )
