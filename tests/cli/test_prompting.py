"""`kbtools prompts`: prompts are listed, shown, compared, rendered on a row, and kept from changing."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMPT = """---
description: Greet.
columns: [module_name]
---
{# role: user #}
Hello {{ module_name }}!
"""


def write(folder, name, text, version=1):
    """A prompt file."""
    file = folder / name / f"v{version}.j2"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_list_has_every_prompt(cli):
    """With what it is for and what it needs."""
    listed = {f"{prompt['name']}@v{prompt['version']}": prompt for prompt in json.loads(cli("prompts", "--json").out)}
    assert listed["difficulty@v1"]["columns"] == ["reference_code", "completion"]
    assert "difficulty@v1" in cli("prompts").out


def test_show_prints_the_file(cli):
    """The highest version unless told."""
    assert cli("prompts", "show", "difficulty@v1").out == (ROOT / "prompts/difficulty/v1.j2").read_text()
    assert cli("prompts", "show", "difficulty").out != cli("prompts", "show", "difficulty@v1").out


def test_diff_is_unified(cli):
    """Both names stand in its head."""
    lines = cli("prompts", "diff", "difficulty@v1", "difficulty@v2").out.splitlines()
    assert lines[:2] == ["--- difficulty@v1", "+++ difficulty@v2"]
    assert any(line.startswith("-columns: [reference_code, completion]") for line in lines)


def test_render_fills_meanings_from_the_row(cli, file):
    """The layout says which column holds a role."""
    messages = json.loads(cli("prompts", "render", "difficulty@v1", "--dataset", file, "--row", 2, "--json").out)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "class C(torch.nn.Module)" in messages[1]["content"]


def test_render_of_a_file_and_of_a_named_column(cli, file):
    """Any file is a prompt, and --columns says which column holds a role."""
    path = write(Path(), "greet", PROMPT)
    assert "Hello A!" in cli("prompts", "render", path, "--dataset", file).out
    assert "Hello kernelbook!" in cli("prompts", "render", path, "--dataset", file, "--columns", "module_name=task").out


@pytest.mark.parametrize(
    ("needs", "message"),
    [("[first]", "there is no column 'first'"), ("[reasoning]", "the reasoning of this dataset is in none")],
)
def test_what_a_prompt_needs_and_the_row_lacks_is_named(cli, file, needs, message):
    """Neither a column nor a role is guessed."""
    path = write(Path(), "greet", PROMPT.replace("[module_name]", needs))
    done = cli("prompts", "render", path, "--dataset", file)
    assert (done.code, message in done.err) == (2, True)


def test_row_out_of_range(cli, file):
    """The error says how many there are."""
    assert "has 6 rows" in cli("prompts", "render", "difficulty", "--dataset", file, "--row", 6).err


def test_released_prompts_are_as_locked(cli):
    """A released version never changes: new wording is a new version."""
    done = cli("prompts", "check", ROOT / "prompts")
    assert done.code == 0, done.err


def test_lock_takes_new_versions_and_refuses_changed_ones(cli, tmp_path):
    """Lock, change, and be told; put the change into a new version, and go on."""
    folder = tmp_path / "mine"
    file = write(folder, "greet", PROMPT)
    assert "new: greet@v1" in cli("prompts", "check", folder).err
    assert cli("prompts", "lock", folder).code == 0
    file.write_text(PROMPT.replace("Hello", "Hi"))
    for command in ("check", "lock"):
        done = cli("prompts", command, folder)
        assert (done.code, "changed: greet@v1" in done.err) == (2, True)
    file.write_text(PROMPT)
    write(folder, "greet", PROMPT.replace("Hello", "Hi"), version=2)
    assert cli("prompts", "lock", folder).code == 0
    assert cli("prompts", "check", folder).out == "2 prompts as locked\n"


def test_lost_version_is_named(cli, tmp_path):
    """Lineages refer to it."""
    file = write(tmp_path / "mine", "greet", PROMPT)
    cli("prompts", "lock", tmp_path / "mine")
    file.unlink()
    assert "gone: greet@v1" in cli("prompts", "check", tmp_path / "mine").err


def test_unknown_subcommand(cli):
    """With the nearest name."""
    assert "Did you mean 'show'?" in cli("prompts", "shwo").err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"---\ndescription: x\n---\n{# role: user #}\n{% for %}", "prompt greet@v1 is not a template"),
        (b"---\ndescription: x\n---\nHello", "must begin with a line such as"),
    ],
)
def test_check_finds_prompts_that_could_not_be_rendered(cli, tmp_path, text, says):
    """Before they are locked for good."""
    write(tmp_path, "greet", "").write_bytes(text)
    for command in ("check", "lock"):
        done = cli("prompts", command, tmp_path)
        assert done.code == 2
        assert says in done.err


@pytest.mark.parametrize("text", ["{", "[]", "5"])
def test_a_lock_that_was_edited_is_an_error(cli, tmp_path, text):
    """It is not taken for a folder without locked prompts."""
    (tmp_path / "lock.json").write_text(text)
    for command in ("check", "lock"):
        done = cli("prompts", command, tmp_path)
        assert done.code == 2
        assert "lock.json" in done.err
