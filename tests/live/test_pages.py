"""The pages in a real browser: Debian's Chromium, headless, on a running service, with nothing from elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import missing
from tests.live.service import running

FLAGS = (
    "--no-sandbox",  # it only ever sees our own pages, and in a container there is no sandbox to be had
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
RANGE_QUERY = "#operations-Events-list_events"
Scheme = Literal["light", "dark"]
SCHEMES = pytest.mark.parametrize("scheme", get_args(Scheme))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser with a fresh profile."""
    program = shutil.which("chromium")
    if program is None:
        missing("chromium, in which the pages are looked at")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Run the service on a seeded database of its own, and answer its address."""
    with tempfile.TemporaryDirectory(prefix="dateline-public-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder) as service:
            yield service.base


# Whatever the Content-Security-Policy forbids, whether or not the console tells of it.
VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  complain(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


class Visit:
    """A page in the browser, with what it asked for and what it complained about."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", self._hear)
        page.expose_function("complain", self._complain)
        page.add_init_script(VIOLATIONS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"{request.url}: {request.failure}"))

    def _complain(self, said: str) -> None:
        self.complaints.append(said)

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.base}{path}")
        self.page.wait_for_load_state("networkidle")
        return self.page

    def check(self) -> None:
        """See that all came from the service, and that nothing was complained about."""
        assert self.asked
        assert [url for url in self.asked if not url.startswith((f"{self.base}/", "data:"))] == []
        assert self.complaints == []


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Visit]:
    """Answer a visit that must end without a complaint."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    made = Visit(context.new_page(), base)
    yield made
    made.check()
    context.close()


def test_the_documentation_shows_every_operation(visit: Visit) -> None:
    page = visit.go("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    document = page.request.get(f"{visit.base}/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    shown = page.locator(".opblock-summary-description").all_inner_texts()
    assert sorted(shown) == sorted(one["summary"] for one in operations)
    tags = page.locator(".opblock-tag").evaluate_all("found => found.map(one => one.dataset.tag)")
    assert tags == [tag["name"] for tag in document["tags"]]


def test_the_range_query_is_tried_out(visit: Visit) -> None:
    page = visit.go("/docs")
    query = page.locator(RANGE_QUERY)
    query.locator(".opblock-summary-control").click()
    query.get_by_role("button", name="Try it out").click()
    query.locator('tr[data-param-name="datetime"] input').fill("2013-02-25")
    query.locator('tr[data-param-name="certainty"] select').select_option("certain")
    query.get_by_role("button", name="Execute").click()
    answer = query.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    body = answer.locator(".response-col_description .highlight-code").first
    expect(body).to_contain_text("First direct meeting of a Syrian minister and the National Coordination Committee")
    assert f"{visit.base}/v1/timelines/syria-2013/events?datetime=2013-02-25" in " ".join(visit.asked)


def test_a_form_is_filled_in_by_what_the_seeded_timeline_has(visit: Visit) -> None:
    """Whatever is needed to read an event stands there, so that trying it out is one click."""
    page = visit.go("/docs")
    for name in ("Events-get_event", "Dates-explain_date", "Directory-get_actor", "Claims-get_claim"):
        operation = page.locator(f"#operations-{name}")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table .response-col_status").last
        expect(status).to_contain_text("200")


@SCHEMES
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("path", ["/", "/?datetime=2013-02-20/2013-02-28", "/docs", "/problems"])
def test_a_page_is_readable(browser: Browser, base: str, path: str, width: int, scheme: Scheme) -> None:
    """It is as wide as the window, and its text stands out from what is behind it (WCAG 2.2, 1.4.3)."""
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        visit = Visit(context.new_page(), base)
        page = visit.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) >= 4.5
        visit.check()


# The least contrast of any text of ours with the page behind it; Swagger UI's own colours are its own affair.
CONTRAST = """
() => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = rgb(text).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (rgb(color).length < 4 || rgb(color)[3] === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const ours = [...document.body.querySelectorAll("*")].filter((one) =>
    !one.closest("#docs") && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return Math.min(...ours.map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
}
"""


def test_the_timeline_page_is_asked_by_keyboard(visit: Visit) -> None:
    page = visit.go("/")
    everything = page.locator(".event").count()
    field = page.get_by_label("When", exact=True)
    field.focus()
    page.keyboard.type("2013-02-25")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**certainty=certain*")
    assert 0 < page.locator(".event").count() < everything
    assert set(page.locator(".event .mark:not(.status)").all_inner_texts()) == {"certain"}
    expect(page.get_by_label("When", exact=True)).to_have_value("2013-02-25")


def test_the_timeline_page_needs_no_script(browser: Browser, base: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        visit = Visit(context.new_page(), base)
        page = visit.go("/")
        page.get_by_label("When", exact=True).fill("2013-02-25")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**datetime=2013-02-25*")
        expect(page.get_by_role("heading", name="First direct meeting")).to_be_visible()
        visit.go("/docs")
        expect(page.get_by_role("link", name="the OpenAPI document")).to_be_visible()
        visit.check()


def test_what_the_policy_forbids_would_be_seen(browser: Browser, base: str) -> None:
    with browser.new_context() as context:
        visit = Visit(context.new_page(), base)
        page = visit.go("/problems")
        assert visit.complaints == []
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'stolen = 1'}))")
        page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
        page.wait_for_timeout(200)
        said = " ".join(visit.complaints)
        assert all(directive in said for directive in ("style-src-attr", "script-src-elem", "img-src")), said
        assert page.evaluate("typeof stolen") == "undefined"
