"""Chromium at the explorer page, for its tests and its pictures."""

import re

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        # Without a sandbox of its own: containers give it none.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page that must not complain, nor ask anyone but the service."""

    def __init__(self, browser, server, expects_errors=False, fragment="", script=None, **options):
        self.context = browser.new_context(accept_downloads=True, **{"locale": "en-GB", **options})
        self.page = self.context.new_page()
        self.complaints, self.strangers, self.expects_errors = [], [], expects_errors
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url, server))
        if script:
            self.page.add_init_script(script)
        self.page.goto(server.url + "/" + fragment)

    def note(self, url, server):
        if not url.startswith((server.url + "/", "data:", "blob:")):
            self.strangers.append(url)

    def __enter__(self):
        return self.page

    def __exit__(self, *failure):
        self.context.close()
        if failure[0] is None:
            assert self.strangers == []
            # A refused request is in the browser's own log.
            assert self.expects_errors or self.complaints == []


def fill(page, text=None, kind="one", max_tokens=None):
    page.locator(f"[name=kind][value={kind}]").check()
    if text is not None:
        page.locator("#text").fill(text)
    if max_tokens is not None:
        page.locator("details").evaluate("it => { it.open = true }")
        page.locator("#max-tokens").fill(str(max_tokens))


def encode(page, text=None, kind="one", max_tokens=None):
    fill(page, text, kind, max_tokens)
    page.locator("#ask [type=submit]").click()
    wait_for_answer(page)


def wait_for_answer(page):
    expect(page.locator("#state, #error").filter(visible=True)).to_contain_text(re.compile(r"\d (ms|毫秒)|^\d\d\d: "), timeout=60_000)
    assert page.locator("#error").inner_text() == ""


def words_of(page):
    """The tokens that the page shows."""
    return page.locator("#tokens li").evaluate_all("all => all.map(it => it.firstChild.textContent)")


def size_of(page, chart):
    """A chart's rows and columns, once it is drawn."""
    page.wait_for_function("id => document.getElementById(id).width > 0", arg=chart)
    return page.locator(f"#{chart}").evaluate("it => [it.height, it.width]")
