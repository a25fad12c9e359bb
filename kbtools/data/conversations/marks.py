"""The table of marks between which models write reasoning, and the pattern that finds them in a text.

One row a family: what opens a block of it, closes it, and in which styles. What blocks mean for the answer is decided
in `tags`; fields of messages that hold reasoning are in `fields`. docs/reasoning.md shows the same table.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NAMES = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reflection", "scratchpad", "inner_monologue",
    "longcat_think", "think_fast", "think_faster", "cot", "chain_of_thought",
)  # fmt: skip
"""Names of tags, `<think>` to `</think>`, in any case, with attributes, and with a namespace: `<seed:think>`."""
COMPOUNDS = ("think", "thinking", "thought", "thoughts", "reasoning", "monologue")
"""What tags may be called within longer names: `<antThinking>`, `<thought_process>`, `<chain-of-thought>`."""
FOREIGN = (
    "思考", "思索", "推理", "思维", "réflexion", "pensée", "raisonnement", "razonamiento", "pensamiento", "denken",
    "nachdenken", "gedanken", "überlegung", "рассуждение", "размышление", "мысли", "생각", "추론",
)  # fmt: skip
"""The same in other languages, as models write when they think in them."""
WORDS = rf"[\w.-]*(?:{'|'.join(COMPOUNDS)})[\w.-]*|{'|'.join((*NAMES, *FOREIGN))}"
"""Pattern of all names of tags."""
BRACKETED = ("think", "thinking", "thought", "reasoning")
"""Names in square brackets and in triangles: `[THINK]` of Magistral, `◁think▷` of Kimi-VL."""
TOKENS = ("thought", "thinking", "think", "reasoning")
"""Names in special tokens: `<|begin_of_thought|>`, `<|START_THINKING|>`, `<|think:start|>`, `<|open|>think<|sep|>`."""
EXAMPLES = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<inner_monologue>", "</inner_monologue>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<cot>", "</cot>"),
    ("<chain_of_thought>", "</chain_of_thought>"),
    ("<think_fast>", "</think_fast>"),
    ("<think_faster>", "</think_faster>"),
    ("<seed:think>", "</seed:think>"),
    ("<antThinking>", "</antThinking>"),
    ("<思考>", "</思考>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|think|>", "<|/think|>"),
    ("<|think:start|>", "<|think:end|>"),
    ("<|thinking_start|>", "<|thinking_end|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|channel>thought", "<channel|>"),
)
"""The marks as models write them; the tests and the page of the docs go through this list."""


def _any(names: tuple[str, ...]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_ATTRIBUTES = r"""(?:\s++[\w.:-]++\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>=/]++))*+\s*+"""
_ANGLED = re.compile(
    rf"""
    <(?=[/|\w])(?:
        (?:(?P<answer>answer)|(?P<end_answer>/answer)|(?P<tag>/?+(?:[a-z]\w*+:)?+(?>{WORDS})))
            {_ATTRIBUTES}(?P<empty>/)?+>
        |\|(?P<token>
            (?:(?:begin|start|end)(?:_of)?_|/)?+(?:{_any(TOKENS)})(?:[:_](?:start|begin|end))?+
            |inner_(?:prefix|suffix)
            |(?:open|close)\|>\s*+(?:{_any(TOKENS)})\s*+<\|sep
        )\|>
        |(?P<channel>\|channel>thought|channel\|>)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SQUARE = re.compile(rf"\[(?=[/rt])(?P<bracket>/?+(?:{_any(BRACKETED)}))\]", re.IGNORECASE)
_TRIANGLE = re.compile(rf"◁(?P<triangle>/?+(?:{_any(BRACKETED)}))▷", re.IGNORECASE)
# One pattern for each first character: the search for a single character is many times faster than for a set.
_FINAL = re.compile(re.escape("<|channel|>final<|message|>"))
_PATTERNS = (_ANGLED, _SQUARE, _TRIANGLE)
_TOKEN_PART = re.compile(
    r"(?:(?:begin|start|open)(?:_of)?(?:_|\|>\s*)|(?P<close>(?:end|close)(?:_of)?(?:_|\|>\s*)|/))?"
    r"(?P<name>[a-z]+?)(?P<suffix>[:_]end|_suffix)?(?:[:_](?:start|begin)|_prefix|\s*<\|sep)?"
)


class Family(NamedTuple):
    """What a mark of reasoning belongs with: only marks of one family open and close one another."""

    style: str
    name: str


def marks_in(text: str) -> list[re.Match[str]]:
    """All marks of answers and of reasoning in a text, in order."""
    angled = list(_ANGLED.finditer(text))
    if "[" not in text and "◁" not in text:
        return angled
    square, triangle = list(_SQUARE.finditer(text)), list(_TRIANGLE.finditer(text))
    ends = {mark.end() for mark in square}
    others = [mark for mark in square if mark.start() in ends or not _is_index(text, mark)] + triangle
    return sorted(angled + others, key=re.Match.start) if others else angled


def ends_of_reasoning(text: str) -> list[int]:
    """The positions behind all that may end reasoning: closing marks, and the header of a final channel.

    For readers that have to try where the answer begins, as the text has no certain one.
    """
    closing = [mark.end() for mark in marks_in(text) if not is_answer(mark) and family_of(mark)[1]]
    return sorted(closing + [header.end() for header in _FINAL.finditer(text)])


def begins_with_mark(text: str) -> re.Match[str] | None:
    """The mark with which a text begins, if it begins with one."""
    return next((found for pattern in _PATTERNS if (found := pattern.match(text))), None)


def is_token(mark: re.Match[str]) -> bool:
    """Whether a mark is a special token, `<|begin_of_thought|>`."""
    return mark.re is _ANGLED and (mark["token"] is not None or mark["channel"] is not None)


def is_answer(mark: re.Match[str]) -> bool:
    """Whether a mark bounds an answer, and no reasoning."""
    return mark.re is _ANGLED and (mark["answer"] is not None or mark["end_answer"] is not None)


def is_empty(mark: re.Match[str]) -> bool:
    """Whether a tag closes itself: `<think/>`."""
    return mark.re is _ANGLED and mark["empty"] is not None


def _is_index(text: str, mark: re.Match[str]) -> bool:
    """Whether a name in brackets is code, `rows[thought]`, and no mark."""
    before = text[mark.start() - 1] if mark.start() else " "
    return not mark["bracket"].startswith("/") and (before.isalnum() or before in "_)]")


def family_of(found: re.Match[str]) -> tuple[Family, bool]:
    """The family of a mark of reasoning, and whether it closes."""
    style = str(found.lastgroup if found.lastgroup != "empty" else "tag")
    word = found[style].lower()
    if style == "token":
        part = _TOKEN_PART.fullmatch(word)
        assert part is not None, "a token has a name"
        return Family(style, part["name"]), part["close"] is not None or part["suffix"] is not None
    if style == "channel":
        return Family(style, "thought"), not word.startswith("|")
    return Family(style, word.removeprefix("/")), word.startswith("/")
