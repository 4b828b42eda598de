"""Take the screenshots of README and docs from the last run: `make screenshots`, after `make repro`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import browser
import mlflow_server

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "screenshots"
WIDTH = 1280
TRAINING = "MetaBIN, plaza held out"


def main():
    FOLDER.mkdir(exist_ok=True)
    port = mlflow_server.free_port()
    command = (sys.executable, "-m", "stages.tools.ui", "--port", str(port))
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with mlflow_server.started(command, port, log):
            address = log.read_text().partition("== MLflow: ")[2].split()[0]
            of_mlflow(address)
    with browser.opened(ROOT / "reports/index.html", width=WIDTH) as page:
        shoot(page, "report", 1000)
    with browser.opened(ROOT / "reports/rho.html", width=WIDTH) as page:
        shoot(page, "rho", 1080)


def of_mlflow(address):
    with browser.opened(address, width=WIDTH) as page:
        page.get_by_text("unseen_mAP/metabin").wait_for()
        shoot(page, "mlflow_list", 520)
        page.get_by_role("link", name="default", exact=True).last.click()
        page.get_by_role("cell", name="MetaBIN").first.wait_for()
        shoot(page, "mlflow_experiment", 760)
        link = page.get_by_role("link", name=TRAINING).first
        while not link.is_visible():  # the page lists the newest ten first
            page.get_by_role("button", name="Load more").click()
            page.wait_for_timeout(1000)
        training = link.get_attribute("href")
        page.goto(f"{address.partition('#')[0]}{training}/model-metrics?workflowType=machine_learning")
        page.set_viewport_size({"width": WIDTH, "height": 660})
        heading = page.get_by_text("Rho layers").first
        heading.scroll_into_view_if_needed()
        page.get_by_role("slider").first.wait_for()
        for step in page.locator("input[type=number], [role=spinbutton]").all():
            step.fill("179")
            step.press("Tab")
        heading.evaluate("element => element.scrollIntoView({block: 'start'})")
        shoot(page, "mlflow_rho", 660, seconds=5)


def shoot(page, name, height, *, seconds=2):
    """Write the top of a page, `height` pixels high, after the seconds that its charts take."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(1000 * seconds)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
