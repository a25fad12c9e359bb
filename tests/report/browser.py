"""A real Chromium, without a screen: it opens reports from files, and tells of complaints and network requests."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
_INSTALL = "apt-get install chromium chromium-driver && pip install selenium"


class Browser:
    """What the tests ask of a page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, file: Path, address: str = "") -> None:
        """Load a report anew and wait until its rows are unpacked."""
        self.driver.get("about:blank")
        self.complaints()
        self.requests()
        self.driver.get(file.as_uri() + address)
        self.until(lambda: self.js("return document.documentElement.dataset.ready"))

    def go(self, address: str) -> None:
        """Follow an address within the page and wait until it is drawn."""
        self.js("location.hash = arguments[0]", address)
        self.drawn(address.lstrip("#"))

    def drawn(self, view: str) -> None:
        """Wait until the page shows what an address names."""
        self.until(lambda: self.js("return document.documentElement.dataset.view") == view)

    def js(self, script: str, *values: Any) -> Any:
        """The result of a script in the page."""
        return self.driver.execute_script(script, *values)

    def all(self, selector: str) -> list[Any]:
        """Elements by CSS selector."""
        return self.driver.find_elements("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of elements, as they are shown."""
        return self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector)

    def press(self, *keys: str) -> None:
        """Keys, one after the other, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for something to become true, and give it; TimeoutError if it does not."""
        last = time.monotonic() + 20
        while not (found := condition()):
            if time.monotonic() > last:
                raise TimeoutError("the page did not get there within 20 seconds")
            time.sleep(0.02)
        return found

    def complaints(self) -> list[str]:
        """What the console has shown since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("about:")]


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason=f"selenium is missing: {_INSTALL}")
    binary, service = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or service is None:
        pytest.skip(f"chromium or chromedriver is missing: {_INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
