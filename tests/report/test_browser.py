"""The report in a real Chromium, opened from a file: what a reader does, and what a hostile dataset tries."""

from __future__ import annotations

import json
from urllib.parse import quote

import datasets
import pytest

from tests.report.browser import chromium
from tests.report.material import ATTACKS, analysed, hostile, hostile_lineage, judged, report_file

pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The report of 120 judged rows."""
    return report_file(judged(), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory):
    """The report of a dataset that attacks the page."""
    return report_file(hostile(), tmp_path_factory.mktemp("hostile"), hostile_lineage(), title=ATTACKS[0])


@pytest.fixture(autouse=True)
def _no_complaint(browser):
    """Whatever a test does, the console stays empty and nothing but the file is asked for."""
    yield
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("file:")] == []


def ids(browser):
    return browser.texts("#table tbody a")


def type_into(browser, selector, text):
    element = browser.all(selector)[0]
    element.clear()
    element.send_keys(text)


def test_opens_on_the_overview(browser, file):
    """The figures are there, and nothing else was loaded."""
    browser.open(file)
    assert browser.texts("#distributions h3")[:3] == ["reward", "difficulty", "style"]
    assert browser.requests() == [file.as_uri()]
    assert not browser.js("return document.getElementById('overview-view').hidden")


def test_every_section_is_drawn_without_breaking_the_page(browser, tmp_path):
    """Lengths, agreement and failures too; nothing is wider than a telephone's screen."""
    ds, lineage = analysed(tmp_path)
    browser.open(report_file(ds, tmp_path, lineage))
    stages = ["stage-correlate", "stage-agreement", "stage-lengths"]
    wanted = ["headline", "pipeline", "distributions", *stages, "duplicates", "failures"]
    assert browser.js("return [...document.querySelectorAll('section[id]')].map((e) => e.id)") == wanted
    assert browser.texts("#stage-lengths tr.chosen th") == ["1,024"]
    browser.driver.set_window_size(420, 900)
    assert browser.js("return document.documentElement.scrollWidth <= innerWidth")
    browser.driver.set_window_size(1400, 1000)


def test_every_problem_of_the_headline_leads_to_its_place(browser, tmp_path):
    """A section that is there, or rows that fit."""
    rows = judged().add_column("score", [float(n) for n in range(119)] + [1e9]).add_column("error", [None, "E: x"] * 60)
    browser.open(report_file(datasets.concatenate_datasets([rows, rows.select(range(5))]), tmp_path))
    addresses = browser.js("return [...document.querySelectorAll('.wrong a')].map((a) => a.getAttribute('href'))")
    assert len(addresses) >= 4
    for address in addresses:
        browser.go(address)
        if address.startswith("#rows"):
            assert browser.texts("#count")[0].split()[0] not in ("0", "125"), address
        else:
            assert browser.js("return document.getElementById(arguments[0]) !== null", address[1:]), address


def test_a_telephone_breaks_no_word_of_the_page_itself(browser, file):
    """Headings and buttons keep their words whole, in all three views."""
    broken = """return [...document.querySelectorAll("h2, h3, button, th")].filter((e) => e.offsetParent !== null
      && e.children.length === 0 && !/\\s/.test(e.textContent.trim()) && e.textContent
      && e.getClientRects().length === 1 && e.clientHeight > 2.2 * parseFloat(getComputedStyle(e).lineHeight || 20)
      ).map((e) => e.textContent)"""
    browser.driver.set_window_size(500, 900)
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for address in ("", "#rows", "#index=3"):
            browser.open(file, address)
            assert browser.js(broken) == []
            assert browser.js("return document.documentElement.scrollWidth") == 390
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.driver.set_window_size(1400, 1000)


def test_figures_of_a_stage_fill_a_wide_page(browser, file):
    """Charts and tables stand beside each other: no half of the page is empty."""
    browser.driver.set_window_size(1440, 1000)
    browser.open(file)
    places = (
        "const r = [...document.querySelectorAll('#stage-correlate .beside > *')].map((e) => e.getBoundingClientRect())"
    )
    assert browser.js(f"{places}; return r[0].top === r[1].top && r[1].right > 0.9 * innerWidth")
    browser.driver.set_window_size(1400, 1000)


def test_marked_rows_are_exported_as_they_are(browser, file, tmp_path):
    """Marked in the table, by the key, and on a row's page; kept over a reload; the file holds the dataset's rows."""
    browser.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.open(file, "#rows?q=softmax")
    assert not browser.all("#export-marked")[0].is_enabled()
    browser.all("#table tbody input")[1].click()
    browser.press("j", "m")
    browser.go("#index=40")
    browser.press("m")
    browser.open(file, "#index=40")
    assert browser.js("return document.querySelector('#row-view [data-mark]').checked")
    browser.go("#rows")
    assert browser.texts("#export-marked") == ["Export 3 marked rows"]
    browser.js("window.scrollTo(0, 0)")
    browser.all("#export-marked")[0].click()
    found = browser.until(lambda: [*tmp_path.glob("*.jsonl")])[0]
    browser.requests()  # the file that the page made itself
    assert [json.loads(line) for line in found.read_text().splitlines()] == [judged()[n] for n in (2, 7, 40)]
    browser.all("#unmark")[0].click()
    assert browser.texts("#export-marked") == ["Export marked rows"]


def test_marked_rows_keep_texts_and_nothing(browser, tmp_path):
    """A prompt that is a plain text stays one, and one that is missing stays missing."""
    rows = {"prompt": ["p", None, "q"], "completion": ["a", "b", None], "module_name": ["x", "y", "z"]}
    browser.open(report_file(datasets.Dataset.from_dict(rows), tmp_path), "#rows")
    got = """const done = arguments[0]; (async () => { const rows = new Rows(await unpack("index"));
      done(await Promise.all([0, 1, 2].map(async (n) => original(await rows.at(n), rows.places)))) })()"""
    assert browser.driver.execute_async_script(got) == datasets.Dataset.from_dict(rows).to_list()


def test_search_narrows_the_table(browser, file):
    """Words are looked for in all small columns, and the address keeps them."""
    browser.open(file, "#rows")
    type_into(browser, "#search", "softmax high")
    assert browser.until(lambda: "8 of 120" in browser.texts("#count")[0])
    assert set(browser.texts("#table tbody td:nth-child(2)")) == {"Softmax"}
    assert browser.js("return location.hash") == "#rows?q=softmax+high"


def test_search_in_texts_reads_the_packed_rows(browser, file):
    """What stands only in a completion is found when texts are searched too."""
    browser.open(file, "#rows?q=%22%23+row+57%22".replace("%22", ""))
    assert browser.texts("#count") == ["0 of 120 rows"]
    browser.all("#deep")[0].click()
    assert browser.until(lambda: ids(browser) == ["157"])


def test_filters_by_column_combine(browser, file):
    """A number's range, a part of a text, and a label."""
    good = [row for row in judged() if (row["reward"] or 0) > 0.85]
    named = [row for row in good if "reasons 1" in row["evaluation_raw"]]
    hard = [row for row in named if row["difficulty"] == "high"]
    browser.open(file, "#rows")
    type_into(browser, '[data-filter="reward"]', ">0.85")
    assert browser.until(lambda: browser.texts("#count") == [f"{len(good)} of 120 rows"])
    type_into(browser, '[data-filter="evaluation_raw"]', "Reasons 1")
    assert browser.until(lambda: browser.texts("#count") == [f"{len(named)} of 120 rows"])
    browser.js("""const s = document.querySelector('[data-filter="difficulty"]'); s.value = "=high";
                  s.dispatchEvent(new Event("change"))""")
    assert browser.until(lambda: browser.texts("#count") == [f"{len(hard)} of 120 rows"])
    assert ids(browser) == [str(row["example_id"]) for row in hard]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("none", lambda reward: reward is None),
        ("0.5", lambda reward: reward == 0.5),
        ("0.5..1", lambda reward: reward is not None and 0.5 <= reward <= 1),
        ("<=0", lambda reward: reward is not None and reward <= 0),
        ("> 1.25", lambda reward: reward is not None and reward > 1.25),
    ],
)
def test_filters_of_numbers(browser, file, text, fits):
    """Comparisons, ranges, single values, and rows without a value."""
    browser.open(file, f"#rows?f.reward={quote(text)}")
    assert browser.texts("#count") == [f"{sum(map(fits, judged()['reward']))} of 120 rows"]


def test_filter_that_cannot_be_read_is_said(browser, file):
    """Nothing is silently left out: the field is marked and the count says so."""
    browser.open(file, "#rows?f.reward=>>much&f.nothing=1")
    assert "120 of 120 rows; filter reward: >>much is not understood" in browser.texts("#count")[0]
    assert "filter nothing: 1 is not understood" in browser.texts("#count")[0]
    assert browser.all('[data-filter="reward"][aria-invalid="true"]')


def test_headers_sort_and_restore(browser, file):
    """Largest first, smallest first, as it came; rows without a value last."""
    browser.open(file, "#rows")
    button = '#table th[data-path="reward"]'
    orders = []
    for order in ("descending", "ascending", "none"):
        browser.all(f"{button} button")[0].click()
        assert browser.until(lambda order=order: browser.all(f'{button}[aria-sort="{order}"]'))
        orders.append((browser.texts("#table tbody td:nth-child(3)")[0], ids(browser)[0]))
    assert orders == [("2", "104"), ("0", "100"), ("0", "100")]
    browser.go("#rows?sort=-reward&page=3")
    assert browser.texts("#table tbody td:nth-child(3)")[-1] == "\u2013"


def test_labels_sort_by_their_scale(browser, file):
    """low, medium, high: not by the alphabet."""
    browser.open(file, "#rows?sort=difficulty")
    assert browser.texts("#table tbody td:nth-child(4)")[0] == "low"
    browser.go("#rows?sort=-difficulty")
    assert browser.texts("#table tbody td:nth-child(4)")[0] == "high"


def test_pages(browser, file):
    """Fifty rows a page; keys turn them."""
    browser.open(file, "#rows")
    browser.press("]", "]", "]")
    assert browser.until(lambda: browser.texts("#page-text") == ["101 to 120"])
    assert len(ids(browser)) == 20
    browser.press("[")
    assert browser.until(lambda: browser.texts("#page-text") == ["51 to 100"])


def test_row_opens_by_its_link(browser, file):
    """The id in the address; codes side by side in colours, reasons, reasoning folded."""
    browser.open(file, "#row=103")
    assert browser.texts("#row-title") == ["Conv"]
    assert "example_id 103" in browser.texts(".row-header p")[0]
    assert browser.texts(".pane h3") == ["PyTorch", "Triton"]
    panes = browser.texts(".pane code")
    assert panes[0].startswith("import torch\n\nclass Conv(torch.nn.Module):")
    assert panes[1] == "import triton  # row 3"
    assert browser.texts(".pane .py-keyword")[:2] == ["import", "class"]
    assert browser.texts(".reasons .prose") == ["reasons 3"]
    folded = browser.js("return [...document.querySelectorAll('.folded')].map((e) => [e.open, e.textContent])")
    assert [is_open for is_open, _ in folded] == [False, False]
    assert "long thoughts" in folded[1][1]


def test_row_that_is_not_there_is_said(browser, file):
    """A link from another report."""
    browser.open(file, "#row=999")
    assert "No row has example_id 999." in browser.texts("#row-view")[0]


def test_bars_lead_to_their_rows(browser, file):
    """A label of a chart is a link to a filter."""
    browser.open(file)
    bars = "[...document.querySelectorAll('#distributions a')]"
    browser.js(f"{bars}.find((a) => a.textContent.includes('medium')).dispatchEvent(new MouseEvent('click'))")
    assert browser.until(lambda: browser.texts("#count") == ["40 of 120 rows"])


def test_keyboard_alone_is_enough(browser, file):
    """Overview, rows, search, down, open, next, back, help."""
    from selenium.webdriver.common.keys import Keys

    browser.open(file)
    browser.press("r")
    browser.drawn("rows")
    browser.press("/")
    assert browser.js("return document.activeElement.id") == "search"
    browser.press("gelu")
    assert browser.until(lambda: "24 of 120" in browser.texts("#count")[0])
    browser.press(Keys.ESCAPE, "j", "j", Keys.ENTER)
    browser.drawn("row=105")
    browser.press("j")
    browser.drawn("row=110")
    browser.press(Keys.ESCAPE)
    browser.drawn("rows?q=gelu")
    assert browser.js("return document.activeElement.dataset.index") == "10"
    browser.press("?")
    assert browser.js("return document.getElementById('help').open")
    browser.press(Keys.ESCAPE, "o")
    browser.drawn("overview")


def test_dark_mode(browser, file):
    """The theme is chosen with a key, seen, and kept."""
    browser.open(file)
    ground = "return getComputedStyle(document.body).backgroundColor"
    seen = {}
    for _ in range(3):
        browser.press("t")
        seen[browser.texts("#theme")[0]] = browser.js(ground)
    assert seen["Theme: light"] != seen["Theme: dark"]
    browser.js("setTheme('dark')")
    browser.open(file)
    assert browser.js(ground) == seen["Theme: dark"]
    browser.js("setTheme('system')")


FOREIGN = "img, iframe, object, embed, b"
HANDLERS = """return [...document.querySelectorAll("*")].flatMap((element) => element.getAttributeNames())
              .filter((name) => name.startsWith("on"))"""


def count(browser, selector):
    return browser.js("return document.querySelectorAll(arguments[0]).length", selector)


def test_hostile_dataset_is_text(browser, hostile_file):
    """Nothing in names, values, titles or the lineage runs, loads, or leaves its place."""
    browser.open(hostile_file)
    assert browser.texts("h1") == [ATTACKS[0]]
    assert count(browser, FOREIGN) == 0
    assert browser.js(HANDLERS) == []
    browser.go("#rows")
    assert len(ids(browser)) == len(ATTACKS)
    for index in range(len(ATTACKS)):
        browser.go(f"#index={index}")
        assert browser.js("return document.title") != "owned"
        assert count(browser, FOREIGN) == 0
        assert browser.js(HANDLERS) == []
    assert browser.js("return document.scripts.length") == 3  # index, script, one chunk


def test_hostile_texts_are_shown_as_they_are(browser, hostile_file):
    """Markup as markup, hidden characters by their code points, a huge line whole."""
    browser.open(hostile_file, "#index=0")
    code = browser.js("return document.querySelector('.pane code').textContent")
    assert code.startswith(f"# {ATTACKS[0]}\nx = 'AAA")
    assert code.count("A") == 300_000 + 1
    browser.go("#index=5")
    shown = browser.texts("#row-title")[0]
    assert shown.startswith("[U+202E]gnp.exe[U+2066] [U+200B][U+FEFF] right")
    address = browser.js("return document.querySelector('#table a[data-index=\"2\"]')?.getAttribute('href')")
    browser.go("#rows")
    address = browser.js("return document.querySelector('#table a[data-index=\"2\"]').getAttribute('href')")
    browser.js("location.hash = arguments[0]", address)
    assert browser.until(lambda: browser.texts("#row-title") == [ATTACKS[2]])


def test_page_cannot_be_made_to_run_text(browser, file):
    """Even a defect of the page's own script could turn no text into markup: the browser refuses."""
    browser.open(file)
    refused = browser.js("try { document.body.innerHTML = '<b>x</b>'; return 'done' } catch (e) { return e.name }")
    assert refused == "TypeError"
    assert any("TrustedHTML" in message for message in browser.complaints())
