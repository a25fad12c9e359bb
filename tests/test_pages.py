"""README and docs as a whole: they stay short, say nothing twice, and their links lead somewhere."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MOST_WORDS = 18_000
SENTENCE = 8
"""Words from which on a sentence is one that nobody writes twice by chance."""


def prose(page: Path) -> str:
    """A page without its programs, commands and tables."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return "\n".join(line for line in text.splitlines() if not line.startswith(("|", "<!--")))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page ends in."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pages_are_short_enough_to_be_read():
    """A new paragraph means that an old one goes."""
    assert sum(len(page.read_text(encoding="utf-8").split()) for page in PAGES) <= MOST_WORDS


def test_no_sentence_is_on_the_pages_twice():
    """What one page says another one links to."""
    sentences = [
        " ".join(sentence.split())
        for page in PAGES
        for paragraph in prose(page).split("\n\n")
        for sentence in re.split(r"(?<=[.:?])\s+", paragraph)
    ]
    counts = Counter(sentence for sentence in sentences if len(sentence.split()) >= SENTENCE)
    assert [sentence for sentence, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    """Every relative link is a file of the repository, and what follows `#` one of its headings."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"
