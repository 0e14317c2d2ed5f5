"""The explorer's pictures in the README: `make screenshots`."""

import pathlib
import sys

from playwright.sync_api import sync_playwright

from browser import CHROMIUM, encode
from server import Server

FOLDER = pathlib.Path(sys.argv[1])


def main():
    with Server() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, options in {
            "explorer": {"viewport": {"width": 900, "height": 1740}, "locale": "en-GB"},
            "explorer-dark-zh": {
                "viewport": {"width": 390, "height": 1600}, "locale": "zh-CN", "color_scheme": "dark",
            },
        }.items():  # fmt: skip
            page = browser.new_page(**options)
            page.goto(server.url)
            encode(page)
            page.locator("#tokens li", has_text="gold").click()
            if "dark" in name:
                page.locator("#heat-title").evaluate("it => it.scrollIntoView()")
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
