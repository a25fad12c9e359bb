"""`1 row`, not `1 rows`: every message that says a number with its noun goes through one helper."""

import ast
import re
from collections.abc import Iterator

import pytest

from kbtools.wording import counted
from tests.sources import trees

NOUNS = (
    "rows|columns|files|pairs|calls|shards|splits|modules|prompts|requests|labels|judges|stages|values|kernels|"
    "problems|characters|tokens|lines|keys|workers|nodes|turns|messages|clusters|groups|candidates|rollouts|"
    "attempts|points|cores|bytes|parts|times|words|verdicts|records|tasks|commits|errors|warnings|plugins|texts|"
    "images|steps|samples|duplicates|recipes|minutes|hours|days|targets|sets|classes|functions|places|"
    "configurations|features|fields|ratings|definitions|arguments|inputs|outputs|cases|kinds|changes|runs|"
    "digits|conversations|machines|codes|replies|retries|entries|repositories|copies|processes"
)
ADJECTIVES = "different|more|further|prompt|reply|other|equal|failed|longer|open|assistant|bootstrap"
PLURAL = re.compile(rf"^ (?:(?:{ADJECTIVES}) )?(?:{NOUNS})\b")
MACHINES = ("plugins/kbtools_plugins/ptx/", "plugins/kbtools_plugins/verify/")
"""Bytes, elements and steps of machines that run kernels, some in processes without the core."""


def unguarded(tree: ast.Module) -> Iterator[str]:
    """Values of f-strings that a plural follows; shares and measures, and constants of the code, are no counts."""
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        for value, behind in zip(text.values, text.values[1:], strict=False):
            if not (isinstance(value, ast.FormattedValue) and isinstance(behind, ast.Constant)):
                continue
            if not PLURAL.match(behind.value):
                continue
            shape = ast.unparse(value.format_spec) if value.format_spec else ""
            said = ast.unparse(value.value)
            if not re.search("[%fg]'$", shape) and not said.isupper():
                yield f"{{{said}}}{behind.value:.16}"


@pytest.mark.parametrize("folder", ["kbtools", "plugins/kbtools_plugins"])
def test_no_number_is_followed_by_a_plural_of_its_own(folder):
    """Use `kbtools.wording.counted`, or `rows_text` for rows."""
    found = [
        f"{path}: {said}"
        for path, tree in trees(folder).items()
        if not path.startswith((*MACHINES, "kbtools/data/sample/"))
        for said in unguarded(tree)
    ]
    assert not found


def test_the_scan_sees_what_it_is_for():
    """A count and a length, with an adjective too; not a share, nor what is counted."""
    code = (
        """f"{n} rows, {len(x):,} different files and {n:,} calls; {s:.1%} tokens, {counted(n, 'row')} of {N} parts" """
    )
    assert list(unguarded(ast.parse(code))) == ["{n} rows, ", "{len(x)} different files", "{n} calls; "]


def test_one_is_one():
    """Also where the plural is not the noun and an s."""
    assert [counted(n, "row") for n in (0, 1, 2, 1_234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]
    assert [counted(n, "reply", "replies") for n in (1, 3)] == ["1 reply", "3 replies"]
