"""Fields of a stage become options: their types, choices and help are declared once."""

from typing import Annotated, ClassVar, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import Field

from kbtools.cli.commands.chain import run_options, stage_command
from kbtools.cli.ui.describe import card
from kbtools.errors import UsageError
from kbtools.pipeline import make
from kbtools.plugins import registry
from kbtools.result import Result
from kbtools.stage import Stage
from kbtools.testing import OF_THE_RUN


class Everything(Stage):
    """Have a field of every kind.

    Text that is long enough to be wrapped when it is printed as a paragraph on a terminal of the usual width.

        kept   as it
        stands here
    """

    name: ClassVar[str] = "everything"
    scope: ClassVar = "row"

    text: str
    """A text."""
    number: int | None = None
    """A number."""
    counted: Annotated[int, Field(gt=0)] | None = None
    """A number with a limit."""
    share: float = 0.5
    """A share."""
    choice: Literal["a", "b"] = "a"
    """A choice."""
    several: tuple[str, ...] = ("x", "y")
    """Several texts."""
    weights: tuple[float, ...] = ()
    """Several numbers."""
    named: dict[str, str] = {}
    """Values by name."""
    switch: bool = False
    """A switch."""

    def transform(self, ds):
        """Leave the rows as they are: only the options count here."""
        return Result(ds)


def parsed(*words):
    """The fields that these words give, through the command's own callback."""
    found = {}
    command = stage_command("everything", Everything)
    make_stage = command.callback
    command.callback = lambda **values: found.update(make_stage(**values)[1])
    result = CliRunner().invoke(command, words, standalone_mode=False)
    if result.exception:
        raise result.exception
    return found


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("--text", "-x"), {"text": "-x"}),
        (("--number", "-3"), {"number": -3}),
        (("--counted", "3"), {"counted": 3}),
        (("--share", "0.25"), {"share": 0.25}),
        (("--choice", "b"), {"choice": "b"}),
        (("--several", "p,q", "--several", "r"), {"several": ("p", "q", "r")}),
        (("--weights", "1,2.5"), {"weights": (1.0, 2.5)}),
        (("--named", "a=1", "--named", "b=x=y"), {"named": {"a": "1", "b": "x=y"}}),
        (("--switch",), {"switch": True}),
        (("--no-switch",), {"switch": False}),
        ((), {}),
    ],
    ids=str,
)
def test_words_become_fields(words, fields):
    """Only what was written is passed on, so that defaults stay the stage's own."""
    assert parsed(*words) == fields


@pytest.mark.parametrize(
    "words",
    [("--number", "x"), ("--choice", "c"), ("--weights", "1,x"), ("--named", "a"), ("--share", "1", "--share", "2")],
    ids=str,
)
def test_values_that_do_not_fit(words):
    """Are usage errors."""
    with pytest.raises(click.UsageError):
        parsed(*words)


def test_fields_as_people_read_them():
    """Types without None and constraints, and defaults as a recipe writes them."""
    fields = {field.name: (field.type, field.default) for field in card("everything", Everything).fields}
    assert fields == {
        "text": ("str", ""),
        "number": ("int", "none"),
        "counted": ("int", "none"),
        "share": ("float", "0.5"),
        "choice": ("a | b", "a"),
        "several": ("list of str", "x, y"),
        "weights": ("list of float", "none"),
        "named": ("key=value", "none"),
        "switch": ("bool", "false"),
        "columns": ("key=value", "none"),
    }


def test_help_comes_from_docstrings(file_regression):
    """Paragraphs are wrapped, indented blocks are kept."""
    done = CliRunner().invoke(stage_command("everything", Everything), ["--help"], terminal_width=80)
    file_regression.check(done.output, extension=".txt")


def test_required_field_that_is_not_given():
    """Is found when the stage is built, with the stage's name and the field's."""
    with pytest.raises(UsageError, match=r"stage 1 \(filter\): 'where' is required and was not given"):
        make("filter", {}, where="stage 1 (filter)")


def test_no_stage_hides_an_option_of_the_run():
    """`--limit` behind any stage means the rows; only a seed is both, and means one thing."""
    hidden = OF_THE_RUN & {option.name for option in run_options()}
    assert hidden == OF_THE_RUN
    known = registry()
    for cls in (*known.stages().values(), *known.judges().values()):
        assert not OF_THE_RUN & set(cls.model_fields)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("apply", "judge", "--model", "http://x/v1#m", "--temperature", "nan"),
            "temperature: input should be a finite",
        ),
        (("apply", "dedup", "--key", ""), "it is empty"),
        (("apply", "dedup", "--columns", "reward=a", "--columns", "reward=b"), "reward=... is given 2 times"),
        (("apply", "sample", "--first", "1", "--random", "1"), "(sample): give exactly one of"),
        (("apply", "filter", "--where", "task == b'x'"), "text is written without the b"),
        (("store", "gc", "--older-than", "-1"), "-1.0 is not in the range"),
        (("store", "ls", "-n", "-1"), "-1 is not in the range"),
    ],
)
def test_values_that_mean_nothing_are_refused(cli, monkeypatch, words, says):
    """Before they are taken for something else, such as everything."""
    monkeypatch.setenv("DATASET_PATH", "sample")
    done = cli(*words)
    assert done.code == 2
    assert says in " ".join(done.err.split())


@pytest.mark.parametrize(("value", "rows"), [("true", 5), ("1", 5), ("YES", 5), ("false", 6), ("0", 6), ("", 6)])
def test_test_mode_means_a_few_rows(cli, file, monkeypatch, value, rows):
    """However yes and no are written."""
    monkeypatch.setenv("TEST_MODE", value)
    assert cli("apply", "sample", "--first", "6", "--dataset", file).out.count(f"wrote {rows} rows") == 1


def test_a_test_mode_that_may_mean_either_is_an_error(cli, file, monkeypatch):
    """Reading it as no would pay for all rows."""
    monkeypatch.setenv("TEST_MODE", "ture")
    done = cli("apply", "sample", "--first", "6", "--dataset", file)
    assert done.code == 3
    assert "TEST_MODE is 'ture'" in done.err
