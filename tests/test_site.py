"""The site that is made of README.md and docs/: all links lead somewhere, and it needs no network."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.report.browser import chromium
from tests.report.test_browser import PHONE

pytestmark = [pytest.mark.slow, pytest.mark.process]
ROOT = Path(__file__).parents[1]
SOURCES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "docs",
    "benchmarks",
    "recipes",
    "tests",
    "kbtools",
)


class Links(HTMLParser):
    """What a page loads, where it leads, and the places on it."""

    def __init__(self, page):
        super().__init__()
        self.loaded, self.links, self.places = [], [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.loaded.append(found["src"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "preload", "icon", "preconnect"):
            self.loaded.append(found["href"])


def build(source, target):
    """Sphinx as CONTRIBUTING.md calls it."""
    words = [sys.executable, "-m", "sphinx", "-q", "-c", "docs", "-W", "--keep-going", ".", str(target)]
    return subprocess.run(words, cwd=source, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly."""
    target = tmp_path_factory.mktemp("site")
    done = build(ROOT, target)
    assert done.returncode == 0, done.stderr
    return target


def test_every_page_has_a_place_in_the_contents(site):
    """The start page leads to all of them, by the side bar."""
    start = Links(site / "index.html")
    pages = [f"docs/{page.stem}.html" for page in (ROOT / "docs").glob("*.md")]
    assert set(pages) <= {urlsplit(link).path for link in start.links}


def test_links_between_the_pages_lead_somewhere(site):
    """To a file, and to a heading where they name one."""
    for page in site.rglob("*.html"):
        for link in Links(page).links:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert file.is_file(), f"{page.name}: {link}"
            if parts.fragment and file.suffix == ".html":
                assert unquote(parts.fragment) in Links(file).places, f"{page.name}: {link}"


def test_nothing_is_fetched_from_elsewhere(site):
    """Fonts, scripts and styles are in the folder."""
    for page in site.rglob("*.html"):
        for address in Links(page).loaded:
            parts = urlsplit(address)
            assert not parts.scheme, f"{page.name}: {address}"
            assert not parts.netloc, f"{page.name}: {address}"
            assert (page.parent / parts.path).is_file(), f"{page.name}: {address}"
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8").replace('"', "").replace("'", ""), style


def test_a_dead_link_ends_the_build(tmp_path):
    """The page and the link are named."""
    source = tmp_path / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            (source / name).symlink_to(ROOT / name) if name != "docs" else shutil.copytree(ROOT / name, source / name)
        else:
            shutil.copyfile(ROOT / name, source / name)
    page = source / "docs" / "files.md"
    page.write_text(page.read_text() + "\n[gone](nowhere.md), [also](models.md#no-such-heading)\n")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "no-such-heading" in done.stderr


def test_a_browser_shows_it_from_the_disk(site, tmp_path):
    """Start page and pages with tables: nothing is asked of the network, and a telephone's screen is wide enough."""
    with chromium(tmp_path / "profile") as browser:
        browser.driver.get("about:blank")
        browser.requests()
        for size in ({**PHONE, "width": 1440, "mobile": False}, PHONE):
            browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for page in ("index.html", "docs/models.html", "docs/stages.html"):
                browser.driver.get((site / page).as_uri())
                assert browser.texts("h1")
                assert browser.js("return document.documentElement.scrollWidth <= innerWidth"), (page, size)
        assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []
