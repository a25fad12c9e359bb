"""Prompts are found by name and version, render strictly, and keep untrusted text inside its fence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbtools.errors import DataError, UsageError
from kbtools.prompts import Prompt, fence, read_folder, resolve

_TEXT = """---
description: Say hello.
columns: [name]
---
{# role: system #}
You greet.
{# role: user #}
Hello {{ name }}!
{{ name | fence }}
"""


def _prompt(text: str = _TEXT, name: str = "hello", version: int = 1, origin: str = "kbtools") -> Prompt:
    return Prompt(name, version, text, origin)


def test_messages_are_separated_by_role_marks():
    """Each mark begins a message; the front matter is not part of any."""
    system, user = _prompt().render({"name": "Ann"})
    assert system == {"role": "system", "content": "You greet."}
    assert user["content"].startswith("Hello Ann!\n<code id=")


def test_missing_value_is_an_error():
    """Nothing renders as an empty string unseen."""
    with pytest.raises(UsageError, match=r"hello@v1 could not be rendered: 'name' is undefined"):
        _prompt().render({})


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "name.__class__",
        "[].append(1) or ([] | map('upper')).__globals__",
        "cycler.__init__.__globals__",
    ],
)
def test_template_cannot_reach_into_python(expression):
    """A prompt from a plugin runs in a sandbox."""
    with pytest.raises(UsageError, match="could not be rendered"):
        _prompt("---\ndescription: x\n---\n{# role: user #}\n{{ " + expression + ".x }}\n").render({"name": "a"})


def test_values_are_not_templates():
    """Braces in a row's code stay braces."""
    assert "{{ 7 * 7 }}" in _prompt().render({"name": "{{ 7 * 7 }}"})[1]["content"]


@given(st.text())
def test_fence_cannot_be_closed_from_inside(text):
    """The closing mark occurs once, at the end, and the text stands unchanged between the marks."""
    fenced = fence(text)
    closing = fenced.rsplit("\n", 1)[1]
    assert fenced.count(closing) == 1
    assert fenced.split("\n", 1)[1].rsplit("\n", 1)[0] == text


def test_fence_of_text_that_holds_its_own_mark():
    """Text made from the fence of another text does not close this one."""
    inner = fence("x")
    assert fence(inner).splitlines()[-1] not in inner


def test_names_versions_and_distributions_resolve():
    """`name` is the highest version, `name@vN` that one, `distribution/name` where two claim a name."""
    known = [_prompt(version=1), _prompt(version=10), _prompt(version=9)]
    assert resolve("hello", known).version == 10
    assert resolve("hello@v9", known).version == 9
    both = [*known, _prompt(origin="acme")]
    with pytest.raises(UsageError, match="acme/hello, kbtools/hello"):
        resolve("hello", both)
    assert resolve("acme/hello@v1", both).origin == "acme"


@pytest.mark.parametrize(
    ("spec", "message"),
    [("helo", "Did you mean 'hello'"), ("hello@v3", "has no 'v3'; it has v1"), ("gone.j2", "no prompt file 'gone.j2'")],
)
def test_unknown_prompts_are_errors(spec, message):
    """The error names what there is."""
    with pytest.raises(UsageError, match=message):
        resolve(spec, [_prompt()])


def test_prompt_of_a_path(tmp_path):
    """Any file is a prompt; its folder is its name."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "v3.j2").write_text(_TEXT)
    found = resolve(str(tmp_path / "mine" / "v3.j2"), [])
    assert (found.spec, found.front.description) == ("mine@v3", "Say hello.")


def test_folder_is_read_by_versions(tmp_path):
    """Files that are not versions are left alone."""
    for name in ("v1.j2", "v2.j2", "notes.txt", "v0.j2", "vx.j2"):
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / name).write_text(_TEXT)
    assert [prompt.spec for prompt in read_folder(tmp_path, "me")] == ["p@v1", "p@v2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", "has no front matter"),
        ("---\ndescription: [\n---\n{# role: user #}\n", "front matter of prompt hello@v1 is wrong"),
        ("---\ndescription: x\ncolour: red\n---\n{# role: user #}\n", "colour"),
    ],
)
def test_wrong_front_matter_is_named(text, message):
    """A key that means nothing is an error."""
    with pytest.raises(DataError, match=message):
        _ = _prompt(text).front


def test_text_before_the_first_role_is_an_error():
    """No part of a prompt is dropped."""
    with pytest.raises(DataError, match="must begin with a line such as"):
        _prompt("---\ndescription: x\n---\nHello\n{# role: user #}\nx\n").render({})


def test_a_turn_without_values_is_rendered_as_a_template_all_the_same():
    """What is rendered once for all rows has lost its comments and escapes like any other turn."""
    same = "{# role: system #}\n\na{# note #}b{% raw %}{{c}}{% endraw %}\n\n"
    found = _prompt("---\ndescription: d\n---\n" + same + "{# role: user #}\n{{ x }}\n")
    for x in ("1", "2"):
        assert [turn["content"] for turn in found.render({"x": x})] == ["ab{{c}}", x]
