"""`kbtools stages`, `judges` and `plugins` say what is installed, from the classes themselves."""

import json

import pytest

from kbtools.plugins import registry

OWN = '''
from typing import ClassVar, Literal
import kbtools as kb

class Look(kb.Verdict):
    """What was seen."""
    colour: str
    """Its colour."""

class Glance(kb.Judge):
    """Look at the answer, [bold]briefly[/bold].

    Longer text.
    """
    scope: ClassVar = "row"
    reads: ClassVar = ("answer",)
    verdict: ClassVar = Look
    judge: str = "glance"
    """Name of this judge."""
    mode: Literal["fast", "slow"] = "fast"
    """How to look."""
    limits: tuple[int, ...] = (1, 2)
    """What to look at."""

@kb.hookimpl
def register_judges():
    return [Glance]
'''

BROKEN = """
from typing import ClassVar
import kbtools as kb
class Polish(kb.Stage):
    name: ClassVar[str] = "polish"
    scope: ClassVar = "row"
class Oracle(kb.Judge):
    judge: str = "oracle"
raise RuntimeError("no licence\\x1b[31m")
"""

MISSPELT = """
import kbtools as kb
@kb.hookimpl
def register_stage():
    return []
"""


def test_every_stage_is_listed_with_its_first_line(cli):
    """Names, scopes and distributions of all stages."""
    done = cli("stages")
    for name, cls in registry().stages().items():
        assert any(
            name in line and getattr(cls, "scope", "that of the judge") in line for line in done.out.splitlines()
        )


def test_stage_is_explained(cli, file_regression):
    """Docstring, Python name, scope, suffix, and a table of the fields."""
    file_regression.check(cli("stages", "filter").out, extension=".txt")


def test_judge_is_explained(cli, install, file_regression):
    """What it reads and adds; nothing in a docstring is markup."""
    install("kb-glance", OWN)
    file_regression.check(cli("judges", "glance").out, extension=".txt")


def test_stages_as_json(cli):
    """Fields with option, type, default and help."""
    found = {stage["name"]: stage for stage in json.loads(cli("stages", "--json").out)}
    fields = {field["name"]: field for field in found["filter"]["fields"]}
    assert fields["where"]["required"] is True
    assert (fields["nulls"]["option"], fields["nulls"]["default"]) == ("--nulls", "error")
    assert json.loads(cli("stages", "filter", "--json").out) == found["filter"]


def test_judges_as_json(cli, install):
    """The columns that a judge adds are known without a dataset."""
    install("kb-glance", OWN)
    found = {judge["name"]: judge for judge in json.loads(cli("judges", "--json").out)}
    assert found["glance"]["adds"] == ["evaluation_raw", "colour"]
    assert found["glance"]["distribution"] == "kb-glance"


@pytest.mark.parametrize(
    ("words", "message"),
    [(("stages", "fliter"), "Did you mean 'filter'?"), (("judges", "nobody"), "there is no judge 'nobody'")],
)
def test_unknown_name_is_an_error(cli, words, message):
    """With the nearest name."""
    done = cli(*words)
    assert (done.code, message in done.err) == (2, True)


def test_broken_plugin_is_listed_and_takes_nothing_down(cli, install):
    """Its error, and what its source would have offered; control characters in the error are spelled out."""
    install("kb-broken", BROKEN)
    done = cli("plugins")
    assert done.code == 0
    assert "failed to load: RuntimeError: no licence\\x1b[31m" in done.out
    assert "would have offered: polish, oracle" in done.out
    assert "1 of 2 plugins failed to load; the others work." in done.err
    assert cli("stages", "filter").code == 0


def test_asking_for_what_a_broken_plugin_would_offer_names_it(cli, install):
    """Rather than only saying that there is no such stage."""
    install("kb-broken", BROKEN)
    assert "kb-broken would offer it, but failed to load: RuntimeError" in cli("apply", "polish").err
    assert "These plugins failed to load (see `kbtools plugins`): kb-broken." in cli("apply", "nothing").err


def test_misspelt_hook_is_a_failure(cli, install):
    """A hook that nothing calls would otherwise be offered to nobody, silently."""
    install("kb-misspelt", MISSPELT)
    failed = {plugin["distribution"]: plugin["error"] for plugin in json.loads(cli("plugins", "--json").out)}
    assert "unknown hook 'register_stage'" in failed["kb-misspelt"]
    assert failed["kbtools"] is None


def test_plugins_offer_what_the_registry_knows(cli):
    """Stages, judges and prompts of the built-in plugin."""
    (builtin,) = json.loads(cli("plugins", "--json").out)
    assert "filter" in builtin["stages"]
    assert "difficulty@v1" in builtin["prompts"]


def test_stage_without_a_scope_is_a_failure_of_its_plugin(cli, install):
    """It says what to write in the class, and nobody else's stages suffer."""
    source = "import kbtools as kb\nfrom typing import ClassVar\nclass S(kb.Stage):\n    name: ClassVar[str] = 's'\n"
    install("kb-scopeless", source + "@kb.hookimpl\ndef register_stages():\n    return [S]\n")
    failed = {plugin["distribution"]: plugin["error"] for plugin in json.loads(cli("plugins", "--json").out)}
    assert "S does not state its scope. Write `scope: ClassVar[kb.stage.Scope] = ...`" in failed["kb-scopeless"]
    assert failed["kbtools"] is None
