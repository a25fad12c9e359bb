"""The rules by which an assistant's text is taken apart into reasoning and answer."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kbtools.data.conversations.marks import marks_in
from kbtools.data.conversations.markup import find_marks
from kbtools.data.conversations.reasoning import AnswerRule, ReasoningError, ReasoningParts, Rules, parse, strip
from kbtools.data.conversations.reasoning_error import EXPLANATIONS
from kbtools.data.conversations.tags import TagReader, usual_answer

OPTIONAL = Rules(tag="optional")
LAST = Rules(answer="last")
FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"

ANSWERED = {
    "think block": ("<think>r</think><answer>A</answer>", "A"),
    "opening tag pre-filled": ("r</think><answer>A</answer>", "A"),
    "inline reasoning": ("I fuse both loops.\n<answer>A</answer>", "A"),
    "text behind the answer": ("<think>r</think><answer>A</answer>\nThis fuses both loops.", "A"),
    "draft in the block": ("<think>r <answer>d</answer> s</think><answer>A</answer>", "A"),
    "cut draft in the block": ("<think>r <answer>d</think><answer>A</answer>", "A"),
    "draft, pre-filled": ("r <answer>d</answer> s</think><answer>A</answer>", "A"),
    "draft first, pre-filled": ("<answer>d</answer></think><answer>A</answer>", "A"),
    "cut draft, pre-filled": ("r <answer>d</think><answer>A</answer>", "A"),
    "cut draft on lines, pre-filled": ("r\n<answer>\nd\n</think>\n\n<answer>\nA\n</answer>", "\nA\n"),
    "mention, pre-filled": ("Put it in <answer> tags.</think>Code:\n<answer>A</answer>", "A"),
    "mention, pre-filled and ended twice": ("Put it in <answer> tags.</think></think><answer>A</answer>", "A"),
    "closing mention, pre-filled": ("End with </answer> there.</think><answer>A</answer>", "A"),
    "draft in marker lines": ("r\nBEGIN_PYTHON\nd\n</think>\nBEGIN_PYTHON\nA\nEND_PYTHON", "A\n"),
    "nested blocks": ("<think>a<think>b</think>c</think><answer>A</answer>", "A"),
    "nested block, pre-filled": ("a<think>b</think>c</think><answer>A</answer>", "A"),
    "repeated blocks": ("<think>a</think> so <think>b</think><answer>A</answer>", "A"),
    "repeated blocks, pre-filled": ("a</think>b</think><answer>A</answer>", "A"),
    "empty block": ("<think></think><answer>A</answer>", "A"),
    "empty blocks": ("<think>\n</think><think></think>\n<answer>A</answer>", "A"),
    "block behind the answer": ("<answer>A</answer><think>r</think>", "A"),
    "think tag in the code": ("<think>r</think><answer>s = '</think>'</answer>", "s = '</think>'"),
    "think tag in the code alone": ("<answer>s = '</think>'</answer>", "s = '</think>'"),
    "think tag opened in the code": ("<answer>s = '<think>'</answer>", "s = '<think>'"),
    "answer tag in the code": ("<think>r</think><answer>s = '<answer>'</answer>", "s = '<answer>'"),
    "answer tag in a comment": ("So:\n<answer># in <answer>\nA</answer>", "# in <answer>\nA"),
    "both in the code": ("r</think><answer>'</think><answer>'</answer>", "'</think><answer>'"),
    "both in the code behind prose": (
        "r</think>So:\n<answer>s = '</think><answer>'</answer>",
        "s = '</think><answer>'",
    ),
    "whole answer in the code": ("<answer>s = '<answer>x</answer>'</answer>", "s = '<answer>x</answer>'"),
    "whole answer on a line of the code": (
        "<answer>s = '''\n<answer>x</answer>\n'''</answer>",
        "s = '''\n<answer>x</answer>\n'''",
    ),
    "answer tags in a comment and in a fence": (
        "<answer># <answer>\n```\n<answer>\n```\n</answer>",
        "# <answer>\n```\n<answer>\n```\n",
    ),
    "closing tag in a fence": (
        "<answer>\n```python\n'</answer>'\n```\n</answer>",
        "\n```python\n'</answer>'\n```\n",
    ),
    "closing tag in a fence at the tags": (
        "<answer>```py\n'</answer>'\n```</answer>",
        "```py\n'</answer>'\n```",
    ),
    "closing tag in a tilde fence": ("<answer>\n~~~\n</answer>\n~~~\n</answer>", "\n~~~\n</answer>\n~~~\n"),
    "opening tag in a fence": ("<answer>\n```\n<answer>\n```\n</answer>", "\n```\n<answer>\n```\n"),
    "think tag in a fence": ("<answer>\n```\n</think>\n```\n</answer>", "\n```\n</think>\n```\n"),
    "long fence around a short one": (
        "<answer>\n````\n```\n</answer>\n````\n</answer>",
        "\n````\n```\n</answer>\n````\n",
    ),
    "fence never closed": ("<answer>\n```python\nA\n</answer>", "\n```python\nA\n"),
    "fence cut by the reasoning": (
        "r\n```python\nd\n</think>\n<answer>\n```python\nA\n```\n</answer>",
        "\n```python\nA\n```\n",
    ),
    "answer in a fence": ("<think>r</think>\n```\n<answer>A</answer>\n```", "A"),
    "two identical answers": ("<answer>A</answer> again <answer>A</answer>", "A"),
    "two identical, quoting a tag": (
        "<answer>s = '<answer>'</answer>\n<answer>s = '<answer>'</answer>",
        "s = '<answer>'",
    ),
    "marker lines": ("BEGIN_PYTHON\nA\nEND_PYTHON", "A\n"),
    "marker lines in prose": ("Here:\nBEGIN_PYTHON\n  A\n\nEND_PYTHON\nDone.", "  A\n\n"),
    "marker lines, indented": ("<think>r</think>\n  BEGIN_PYTHON \n  A\n  END_PYTHON\t\n", "  A\n"),
    "marker line behind the block": ("r</think>BEGIN_PYTHON\nA\nEND_PYTHON", "A\n"),
    "marker lines, CRLF": ("BEGIN_PYTHON\r\nA\r\nEND_PYTHON\r\n", "A\r\n"),
    "marker lines in a draft": (
        "<think>BEGIN_PYTHON\nd\nEND_PYTHON\n</think>BEGIN_PYTHON\nA\nEND_PYTHON",
        "A\n",
    ),
    "marker lines in the answer": (
        "<answer>BEGIN_PYTHON\nA\nEND_PYTHON</answer>",
        "BEGIN_PYTHON\nA\nEND_PYTHON",
    ),
    "identical marker lines": ("BEGIN_PYTHON\nA\nEND_PYTHON\nBEGIN_PYTHON\nA\nEND_PYTHON\n", "A\n"),
    "channels": (f"<|channel|>analysis<|message|>r{FINAL}A<|return|>", "A"),
    "channels with a tagged answer": (
        f"<|channel|>analysis<|message|><answer>d</answer>{FINAL}<answer>A</answer>",
        "A",
    ),
    "channels with think text in the final": (
        f"<|channel|>analysis<|message|>r{FINAL}<think>s</think>A",
        "A",
    ),
    "channels with commentary": (
        f"<|start|>assistant<|channel|>commentary to=f <|constrain|>json<|message|>{{}}<|call|>{FINAL}A",
        "A",
    ),
    "channels, header pre-filled": (f"r <answer>d</answer>{FINAL}A", "A"),
    "channels, final alone": ("<|channel|>final<|message|>A<|end|>\n", "A"),
    "channels named in the code": (
        "<answer>'<|channel|>final<|message|>'</answer>",
        "'<|channel|>final<|message|>'",
    ),
    "bytes of the answer": (
        "<answer>\r\n    a = 1  \r\n\té = '\u2028'  </answer>",
        "\r\n    a = 1  \r\n\té = '\u2028'  ",
    ),
}

PLAIN = {
    "marker words inside a line": "print('BEGIN_PYTHON')",
    "no marks": "def f(): return 1",
    "fences alone": "```python\nA\n```",
    "code that looks like marks": "rows[thought] = table[Reasoning](think)[think]; a <think b > c",
}

REFUSED = {
    "think never closed": ("<think>r", "unclosed-think"),
    "think never closed, with an answer": ("<think>r <answer>A</answer>", "unclosed-think"),
    "inner block never closed": ("<think>a<think>b</think><answer>A</answer>", "unclosed-think"),
    "think opened behind the answer": ("<answer>A</answer><think>r", "unclosed-think"),
    "two different answers": ("<answer>A</answer><answer>B</answer>", "answers-differ"),
    "different answers, block between": (
        "<think>r</think><answer>A</answer><think>s</think><answer>B</answer>",
        "answers-differ",
    ),
    "answer of doubtful place": (
        "<think>a</think><answer>A</answer>b</think><answer>B</answer>",
        "answers-differ",
    ),
    "different marker lines": ("BEGIN_PYTHON\nA\nEND_PYTHON\nBEGIN_PYTHON\nB\nEND_PYTHON", "answers-differ"),
    "tags and marker lines": ("BEGIN_PYTHON\nA\nEND_PYTHON\n<answer>B</answer>", "answers-differ"),
    "answer never closed": ("<think>r</think><answer>A", "unclosed-answer"),
    "marker line never closed": ("BEGIN_PYTHON\nA\n", "unclosed-answer"),
    "answer closed only in a fence": ("<answer>\n```\n</answer>\n```\n", "unclosed-answer"),
    "only a closing tag": ("A</answer>", "unopened-answer"),
    "closing tag too many": ("<answer>s = '</answer>'</answer>", "unopened-answer"),
    "only a closing marker line": ("A\nEND_PYTHON", "unopened-answer"),
    "restart on a new line": ("<answer>partial\n<answer>A</answer>", "nested-answer"),
    "restart of marker lines": ("BEGIN_PYTHON\npart\nBEGIN_PYTHON\nA\nEND_PYTHON", "nested-answer"),
    "mention in prose": ("I use <answer> tags: <answer>A</answer>", "nested-answer"),
    "doubtful end of reasoning": (
        "<think>a </think> b\n<answer> c </think>\n<answer>A</answer>",
        "nested-answer",
    ),
    "no answer behind the reasoning": ("<think>r</think>A", "no-answer-tag"),
    "no answer behind a draft": ("<answer>d</answer></think>A", "no-answer-tag"),
    "white space in the tags": ("<answer> \n\t</answer>", "empty-answer"),
    "nothing": ("", "empty-answer"),
    "white space": (" \n", "empty-answer"),
    "nothing between marker lines": ("BEGIN_PYTHON\nEND_PYTHON", "empty-answer"),
    "empty final channel": (f"<|channel|>analysis<|message|>r{FINAL} ", "empty-answer"),
    "no final channel": ("<|channel|>analysis<|message|>r<|end|>", "no-final-channel"),
    "no message in the final channel": ("<|channel|>final", "no-final-channel"),
    "no channels at all": ("<|start|>assistant<|message|>A<|end|>", "no-final-channel"),
    "final channel of another role": ("<|start|>user<|channel|>final<|message|>A", "no-final-channel"),
    "two final channels": (f"<|channel|>final<|message|>A{FINAL}B", "several-final-channels"),
    "text behind the final channel": ("<|channel|>final<|message|>A<|end|>B", "text-after-final"),
    "reasoning in the answer": ("<answer><think>r</think>A</answer>", "reasoning-in-answer"),
    "reasoning in the middle of the answer": ("<answer>A <think>r</think> B</answer>", "reasoning-in-answer"),
    "reasoning in the answer, never closed": ("<answer><thinking>r\nA</answer>", "reasoning-in-answer"),
    "reasoning between marker lines": ("BEGIN_PYTHON\n[THINK]r[/THINK]\nA\nEND_PYTHON", "reasoning-in-answer"),
    "response never closed": ("<|END_THINKING|><|START_RESPONSE|>A", "unclosed-answer"),
    "text behind the response": ("<|START_RESPONSE|>A<|END_RESPONSE|>B", "text-after-final"),
    "block closed by another family": ("<thinking>r <think>s</think> t<answer>A</answer>", "unclosed-think"),
    "marks in untagged code": ("BEGIN_PYTHON\ns = '</think>'\nEND_PYTHON", "marker-in-answer"),
}


@pytest.mark.parametrize(("text", "answer"), ANSWERED.values(), ids=ANSWERED)
def test_the_answer_is_found(text: str, answer: str):
    """Every form of a text with one certain answer gives exactly the bytes of that answer."""
    assert parse(text).answer == answer


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_text_without_marks_is_an_answer_only_where_tags_are_optional(text: str):
    """A refusal or a chatty text is not an answer by default; on demand it is taken as it stands."""
    assert strip(text, OPTIONAL) == text
    with pytest.raises(ReasoningError, match="^no-answer-tag: "):
        strip(text)


@pytest.mark.parametrize(("text", "kind"), REFUSED.values(), ids=REFUSED)
def test_doubt_is_an_error_of_its_kind(text: str, kind: str):
    """A text without a certain answer is refused, and the error names the kind."""
    with pytest.raises(ReasoningError) as caught:
        strip(text)
    assert caught.value.kind == kind
    assert str(caught.value).startswith(f"{kind}: {EXPLANATIONS[caught.value.kind]}")


@pytest.mark.parametrize(("text", "answer"), ANSWERED.values(), ids=ANSWERED)
def test_a_second_pass_changes_nothing(text: str, answer: str):
    """What stays as content is read as the same answer again."""
    content = strip(text)
    assert content in (answer, f"<answer>{answer}</answer>")
    assert strip(content, OPTIONAL) == content


def test_tags_stay_unless_unwrapped():
    """The tags around an answer are kept by default, and dropped on demand."""
    text = "<think>r</think>\n<answer>\n  A\n</answer>\n"
    assert strip(text) == "<answer>\n  A\n</answer>"
    assert strip(text, Rules(unwrap=True)) == "\n  A\n"


def test_untagged_code_with_marks_can_be_unwrapped():
    """Code that would be misread without its marker lines is still to be had, on demand."""
    assert strip("BEGIN_PYTHON\ns = '</think>'\nEND_PYTHON", Rules(unwrap=True)) == "s = '</think>'\n"


@pytest.mark.parametrize(
    ("text", "rest"),
    {
        "<think>r</think>A": "A",
        "r</think>\n\n  A\n": "\n\n  A\n",
        "<think>a</think> <think>b</think>A": "A",
        "a</think>b</think>A": "A",
        "<think>r</think><answer>A</answer>B": "<answer>A</answer>",
    }.items(),
)
def test_the_rest_is_the_answer_where_no_tag_is_asked_for(text: str, rest: str):
    """With optional tags the text behind the reasoning is the answer, to the byte, unless tags are there."""
    assert strip(text, OPTIONAL) == rest


@pytest.mark.parametrize(
    ("text", "kind"),
    {
        "So. <think>r</think>A": "split-answer",
        "x<think>r</think>A": "split-answer",
        "r</think>So <think>r</think>A": "split-answer",
        "<think>a</think>A<think>b</think>B": "split-answer",
        "<think>r</think> \n": "empty-answer",
        "<think>r</think><answer>A": "unclosed-answer",
        "<think>a</think><answer>A</answer> b</think> c": "no-answer",
        "<think>r</think><|channel|>final<|message|>A": "marker-in-answer",
    }.items(),
)
def test_optional_tags_do_not_hide_doubt(text: str, kind: str):
    """With optional tags, a text that can be read in two ways is still refused."""
    with pytest.raises(ReasoningError) as caught:
        strip(text, OPTIONAL)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("text", "answer"),
    {
        "<answer>A</answer><answer>B</answer>": "B",
        "<think>a</think><answer>A</answer>b</think><answer>B</answer>": "B",
        "BEGIN_PYTHON\nA\nEND_PYTHON\nBEGIN_PYTHON\nB\nEND_PYTHON": "B\n",
        f"<|channel|>final<|message|>A{FINAL}B": "B",
    }.items(),
)
def test_the_last_of_several_answers_can_be_taken(text: str, answer: str):
    """Several different answers are accepted on demand, and the last one counts."""
    assert parse(text, LAST).answer == answer


def test_the_last_of_several_rests_can_be_taken():
    """Untagged text before the reasoning is passed over on demand."""
    assert strip("So. <think>r</think>A", Rules(tag="optional", answer="last")) == "A"


@pytest.mark.parametrize(
    ("text", "reasoning"),
    {
        "<think>\nr\n</think><answer>A</answer>": "\nr\n",
        "r</think><answer>A</answer>": "r",
        "inline\n<answer>A</answer>": "inline\n",
        "<think>a<think>b</think> c</think><think> </think><answer>A</answer>": "a\n\nb\n\n c",
        "<think>r <answer>d</answer></think><answer>A</answer>": "r <answer>d</answer>",
        f"<|channel|>analysis<|message|>r{FINAL}<think>s</think>A": "r\n\ns",
        "<answer>A</answer>": None,
    }.items(),
)
def test_the_reasoning_is_what_stands_before_the_answer(text: str, reasoning: str | None):
    """Reasoning comes out in the order of the text, its think tags gone, and None where there was none."""
    assert parse(text).reasoning == reasoning


@pytest.mark.parametrize("text", ["So <think>a <think>b", "<think>r</think>So <think>a <think>b</think> c"])
def test_a_block_that_never_ends_is_shown_from_its_beginning(text: str):
    """Of blocks in each other it is the outer one that is open, as deep as the trouble is."""
    with pytest.raises(ReasoningError, match="^unclosed-think") as caught:
        strip(text)
    assert text[caught.value.at :].startswith("<think>a")


def test_an_error_survives_pickling():
    """An error that crosses a process boundary keeps its kind and place."""
    error = pickle.loads(pickle.dumps(ReasoningError("no-answer", 3, 1)))
    assert (error.kind, error.at, error.turn) == ("no-answer", 3, 1)
    assert str(error).endswith("(at message 1, character 3)")


MARKS = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "BEGIN_PYTHON\n",
        "END_PYTHON\n",
        "```\n",
        "```python\n",
        "~~~\n",
        "\n",
        "\r\n",
        " ",
        "'",
        "code",
        "é\u2028",
        "<|channel|>",
        "final<|message|>",
        "analysis<|message|>",
        "<|start|>assistant",
        "<|end|>",
        "<Thinking>",
        "</thinking>",
        "<think/>",
        "[THINK]",
        "[/THINK]",
        "<|END_THINKING|>",
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(MARKS, max_size=14).map("".join))
RULES = st.builds(Rules, tag=st.sampled_from(["required", "optional"]), answer=st.sampled_from(["only", "last"]))


def accepted(text: str, rules: Rules) -> str | None:
    """The stripped text, or None where it is refused; texts of few marks are, about half the time."""
    try:
        return strip(text, rules)
    except ReasoningError:
        return None


@given(TEXTS, RULES)
@settings(max_examples=300)
@example("r <answer>\n```\n</think><answer>\n```\n</answer>", Rules())
@example("<answer>\n<answer>x</answer>\n</answer>", Rules())
def test_stripping_is_idempotent(text: str, rules: Rules):
    """What was stripped once comes out of a second pass unchanged."""
    once = accepted(text, rules)
    assert once is None or strip(once, replace(rules, tag="optional")) == once


@given(st.text(min_size=1), st.sampled_from(["only", "last"]))
@settings(max_examples=200)
def test_text_without_reasoning_is_unchanged(text: str, answer: AnswerRule):
    """A text without any mark of reasoning or answers comes out as it went in, where tags are optional."""
    assume(not text.isspace() and "_PYTHON" not in text and not marks_in(text) and "<|" not in text)
    assert strip(text, Rules("optional", answer)) == text


@given(TEXTS, RULES)
@settings(max_examples=300)
def test_the_answer_is_a_piece_of_the_text(text: str, rules: Rules):
    """Nothing is added to an answer and nothing taken from its middle."""
    stripped = accepted(text, rules)
    assert stripped is None or (stripped in text and parse(text, rules).answer in text)


SENTINEL = "\N{SKULL}"
ASIDES = st.lists(
    st.sampled_from(["<answer>d</answer>", "<answer>", "</answer>", "```\n", "\n", "use ", "BEGIN_PYTHON\n", "'"]),
    max_size=6,
).map("".join)
INNER = st.sampled_from(["A", "\n  A = '</think>'\n", "'<answer>'", "\n```\n</answer>\n```\n", "<think>", "é\r\n"])


@given(st.lists(ASIDES, min_size=1, max_size=3), INNER, st.sampled_from(["", "\n", "\n\nSo:\n"]))
@settings(max_examples=200)
def test_nothing_inside_a_block_survives(asides: list[str], inner: str, between: str):
    """Whatever stands in think blocks, the answer behind them comes out and nothing else."""
    blocks = "".join(f"<think>{SENTINEL}{aside}{SENTINEL}</think>" for aside in asides)
    assert strip(f"{blocks}{between}<answer>{inner}</answer>") == f"<answer>{inner}</answer>"


@given(ASIDES, ASIDES, st.sampled_from(["", "\n", "\n\nSo:\n"]))
@settings(max_examples=200)
def test_nothing_of_prefilled_reasoning_survives(aside: str, other: str, between: str):
    """With the opening tag pre-filled no reasoning survives either, though a doubtful text may be refused."""
    text = f"{SENTINEL}{aside}{SENTINEL}{other}{SENTINEL}</think>{between}<answer>A</answer>"
    assert SENTINEL not in (accepted(text, Rules()) or "")


FILLERS = st.lists(st.sampled_from(["```\n", "```py\n", "~~~\n", "\n", " ", "'", "code"]), max_size=5).map("".join)
BOUNDS = st.sampled_from([("<answer>", "</answer>"), ("\nBEGIN_PYTHON\n", "\nEND_PYTHON\n")])


@given(st.sampled_from(["", "</think>", "<think>{}</think>"]), BOUNDS, FILLERS, FILLERS, FILLERS, FILLERS)
@settings(max_examples=200)
def test_the_usual_text_is_read_as_any_other(
    block: str, bounds: tuple[str, str], before: str, reasoning: str, answer: str, after: str
):
    """The short way for usual texts finds what the full reading finds, where it does not leave it to that."""
    opening, close = bounds
    marks = find_marks(f"{before}{block.format(reasoning)}{before}{opening}{answer}{close}{after}")
    found = usual_answer(marks)
    assert found is None or found == TagReader(marks).read(Rules())


@pytest.mark.parametrize("code", ["A", "```\nA\n```"])
def test_the_usual_text_is_read_the_short_way(code: str):
    """Also with a fence in the answer; one behind it may hold the tag that closes the answer."""
    assert usual_answer(find_marks(f"<think>r</think>\n<answer>{code}</answer> Done.")) is not None
    assert usual_answer(find_marks(f"<think>r</think>\n<answer>{code}</answer>\n```\nx\n```")) is None


def steps(run: Callable[[], object]) -> int:
    """The number of lines of Python that a call executes."""
    count = 0

    def trace(*_: object) -> object:
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return count


def outcome(text: str) -> ReasoningParts | str:
    try:
        return parse(text)
    except ReasoningError as error:
        return error.kind


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "</think>",
        "<think></think>",
        "<answer>",
        "</answer>",
        "<answer>A</answer>",
        "\n<answer>'<answer>'</answer>",
        "use <answer> </think>",
        "<answer></think><answer>",
        "<answer>```\n</answer>```\n",
        "<answer>```a\n",
        "\n~~~~\n```\n<answer>",
        "<answer></answer></think>```\n",
        "BEGIN_PYTHON\n",
        "BEGIN_PYTHON\n</think>",
        "BEGIN_PYTHON\nEND_PYTHON\n",
        "<|channel|>final<|message|>",
        "<|end|><|start|>assistant<|channel|>",
        "<thinking></think>",
        "<think/>[THINK]",
        "<|END_THINKING|><|START_RESPONSE|>",
        "<|START_RESPONSE|> ",
        "<answer><think>r</think>```\n</answer>",
        '<think a="b" ',
    ],
)
@pytest.mark.parametrize("end", ["", "<answer>A</answer>", "</answer>"])
def test_the_work_is_linear(piece: str, end: str):
    """Twice the text takes at most about twice the steps, whatever it is made of."""
    short, long = (steps(lambda n=n: outcome(f"r {piece * n}{end}")) for n in (200, 400))
    assert long <= 2.1 * short + 200


def test_reasoning_between_two_answers_of_the_same_words_is_kept():
    """What came before the second was read before it."""
    twice = parse("<think>a</think><answer>A</answer><think>b</think>so\n<answer>A</answer>behind")
    assert (twice.content, twice.reasoning) == ("<answer>A</answer>", "a\n\nb\n\nso\n")
