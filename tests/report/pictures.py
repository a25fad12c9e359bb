"""Pictures of the pages, to be looked at: `python -m tests.report.pictures OUT REPORT.html [http://127.0.0.1:80/ ...]`.

Each page is taken whole: 1,440 pixels wide in light and in dark, and as a telephone of 390 pixels shows it.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from pathlib import Path

from tests.report.browser import Browser, chromium

VIEWS = {"light": (1440, "light"), "dark": (1440, "dark"), "phone": (390, "light"), "phone-dark": (390, "dark")}
_HIGHEST = 6_000


def take(browser: Browser, address: str, width: int, scheme: str) -> bytes:
    """The whole page at an address as a PNG."""
    command = browser.driver.execute_cdp_cmd
    command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    command("Emulation.setDeviceMetricsOverride", size)
    browser.driver.get("about:blank")
    browser.driver.get(address)
    time.sleep(1.5)  # pages say in different ways that they are drawn
    height = min(browser.js("return document.documentElement.scrollHeight"), _HIGHEST)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = command("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return base64.b64decode(shot["data"])


def main(out: Path, pages: list[str]) -> None:
    """Write `NUMBER-VIEW.png` for each page and view."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        for number, page in enumerate(pages, start=1):
            address = (
                page
                if "://" in page
                else Path(page.partition("#")[0]).resolve().as_uri() + "#" + page.partition("#")[2]
            )
            for view, (width, scheme) in VIEWS.items():
                target = out / f"{number}-{view}.png"
                target.write_bytes(take(browser, address, width, scheme))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
