"""The stages `to-messages` and `to-prompt-completion`: forms of conversations, and chat templates that lose parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.testing import check_stage
from tests.rows import evals, made_of

TEXT = datasets.Value("string")
USER = {"role": "user", "content": "Write MNew."}
ANSWER = "<answer>\n  A\n</answer>"
THOUGHTFUL = {"role": "assistant", "content": f"<think>\nr\n</think>\n{ANSWER}"}
BARE = {"role": "assistant", "content": ANSWER}


def conversation(*messages: dict[str, Any]) -> datasets.Dataset:
    """One row of the messages layout."""
    return made_of([{"messages": list(messages), "n": 1}])


def pair(completion: Any, prompt: Any = (USER,), **columns: Any) -> datasets.Dataset:
    """One row with a prompt and a completion."""
    prompt = list(prompt) if isinstance(prompt, tuple) else prompt
    return made_of([{"prompt": prompt, "completion": completion, **columns}])


def messages(ds: datasets.Dataset, **options: Any) -> list[dict[str, Any]]:
    """The only row's conversation after `to-messages`."""
    found: list[dict[str, Any]] = kb.ToMessages(**options)(ds)[0]["messages"]
    return found


# ---- columns --------------------------------------------------------------------------------------------------------


def test_evals_rows_become_messages() -> None:
    """Prompt and completion become one column, put first; all other columns stay."""
    ds = evals([0.9])
    out = check_stage(kb.ToMessages(reasoning="drop"), ds)
    assert out.column_names == ["messages", *(name for name in ds.column_names if name not in ("prompt", "completion"))]
    assert out[0]["messages"] == [*ds[0]["prompt"], {"role": "assistant", "content": "<answer>\nx = 0\n</answer>"}]


def test_plain_texts_become_messages() -> None:
    """A text prompt is the user's, a text completion the assistant's, a reasoning column its reasoning."""
    ds = pair("A", prompt="Q", reasoning="r", n=1)
    out = check_stage(kb.ToMessages(reasoning="reasoning_content"), ds)
    user = {"role": "user", "content": "Q", "reasoning_content": None}
    assert out.to_list() == [
        {"messages": [user, {"role": "assistant", "content": "A", "reasoning_content": "r"}], "n": 1}
    ]


def test_encoded_messages_become_lists() -> None:
    """JSON text is read; a field for which the result has no place is an error."""
    assert messages(pair(json.dumps([BARE]), prompt=json.dumps([USER]))) == [USER, BARE]
    with pytest.raises(kb.errors.RowError, match="1 x other-fields"):
        kb.ToMessages()(pair(json.dumps([{**BARE, "name": "m"}])))


def test_roles_become_the_usual_ones() -> None:
    """A chat template knows no `human` and no `model`."""
    turns = [{**USER, "role": "human"}, {**BARE, "role": "Model"}]
    assert messages(conversation(*turns)) == [USER, BARE]


def test_other_fields_of_messages_stay() -> None:
    """Tool calls and names go along; a call needs no content."""
    call = {"role": "assistant", "content": None, "tool_calls": ["{}"], "reasoning": "r"}
    tool = {"role": "tool", "content": "ok", "tool_calls": None, "reasoning": None}
    last = {**BARE, "tool_calls": None, "reasoning": None}
    kept = messages(conversation({**USER, "tool_calls": None, "reasoning": None}, call, tool, last), reasoning="drop")
    assert [turn["tool_calls"] for turn in kept] == [None, ["{}"], None, None]
    assert [turn["content"] for turn in kept] == [USER["content"], None, "ok", ANSWER]


def test_prompt_and_completion_of_a_conversation() -> None:
    """The last turn is the completion, all before it the prompt."""
    out = check_stage(kb.ToPromptCompletion(), conversation(USER, BARE, USER, BARE))
    assert out.to_list() == [{"prompt": [USER, BARE, USER], "completion": [BARE], "n": 1}]
    with pytest.raises(kb.errors.RowError, match="1 x no-assistant-turn"):
        kb.ToPromptCompletion()(conversation(USER, BARE, USER))


def test_prompt_and_completion_stay_apart() -> None:
    """Where both are there, they are written anew in their places."""
    out = check_stage(kb.ToPromptCompletion(reasoning="drop"), pair([THOUGHTFUL], prompt="Q"))
    assert out.to_list() == [{"prompt": [{"role": "user", "content": "Q"}], "completion": [BARE]}]


def test_a_column_of_other_content_is_not_overwritten() -> None:
    """The stage does not replace a column that it did not read."""
    with pytest.raises(kb.errors.SchemaError, match="'conversations' is there already"):
        kb.ToMessages(format="sharegpt")(pair([BARE], conversations="x"))


def test_sharegpt() -> None:
    """Roles and fields have other names there, and reasoning can only be text."""
    out = check_stage(
        kb.ToMessages(format="sharegpt"), pair([THOUGHTFUL], prompt=({"role": "system", "content": "s"}, USER))
    )
    assert out[0]["conversations"] == [
        {"from": "system", "value": "s"},
        {"from": "human", "value": USER["content"]},
        {"from": "gpt", "value": f"<think>\nr\n</think>\n\n{ANSWER}"},
    ]
    with pytest.raises(kb.errors.UsageError, match="no field for reasoning"):
        kb.ToMessages(format="sharegpt", reasoning="thinking")(pair([BARE]))


# ---- reasoning ------------------------------------------------------------------------------------------------------

SAID = [
    pytest.param(THOUGHTFUL, id="think block"),
    pytest.param({"role": "assistant", "content": f"r</think>{ANSWER}"}, id="pre-filled"),
    pytest.param({**BARE, "reasoning": "r"}, id="reasoning"),
    pytest.param({**BARE, "reasoning_content": "r"}, id="reasoning_content"),
    pytest.param({**BARE, "provider_specific_fields": {"reasoning_content": "r"}}, id="in-a-wrapper"),
    pytest.param({**BARE, "thinking": "r"}, id="thinking"),
    pytest.param({**THOUGHTFUL, "reasoning": "r"}, id="twice the same"),
]


@pytest.mark.parametrize("turn", SAID)
def test_reasoning_in_whatever_form_becomes_think_text(turn: dict[str, Any]) -> None:
    """By default reasoning stands in front of the answer, once."""
    assert messages(pair([turn]))[1] == {"role": "assistant", "content": f"<think>\nr\n</think>\n\n{ANSWER}"}


@pytest.mark.parametrize("turn", SAID)
@pytest.mark.parametrize("form", ["reasoning_content", "thinking"])
def test_reasoning_in_whatever_form_becomes_a_field(turn: dict[str, Any], form: str) -> None:
    """As a field it leaves the content alone."""
    (kept,) = messages(pair([turn]), reasoning=form)[1:]
    assert kept["content"] == ANSWER
    assert kept[form].strip() == "r"


@pytest.mark.parametrize("turn", SAID)
def test_reasoning_can_be_dropped(turn: dict[str, Any]) -> None:
    """Nothing of it stays."""
    assert messages(pair([turn]), reasoning="drop")[1] == BARE


def test_answers_without_tags_and_without_theirs() -> None:
    """Tags are not needed here by default, may be demanded, and may be dropped."""
    untagged = {"role": "assistant", "content": "<think>r</think>A"}
    assert messages(pair([untagged]), reasoning="drop")[1]["content"] == "A"
    assert messages(pair([THOUGHTFUL]), reasoning="drop", unwrap=True)[1]["content"] == "\n  A\n"
    with pytest.raises(kb.errors.RowError, match="1 x no-answer"):
        kb.ToMessages(tag="required")(pair([untagged]))


@pytest.mark.parametrize(
    ("turns", "kind"),
    {
        "truncated": ([{**BARE, "content": "<think>r"}], "unclosed-think"),
        "null": ([{**BARE, "content": None}], "null-content"),
        "blank": ([{**BARE, "content": " "}], "empty-answer"),
        "nobody": ([USER], "no-assistant-turn"),
        "picture": ([{**BARE, "content": [{"type": "image", "text": None}]}], "not-text"),
    }.values(),
)
def test_rows_in_trouble(turns: list[dict[str, Any]], kind: str) -> None:
    """They are errors that name the row, or are dropped for their kind."""
    with pytest.raises(kb.errors.RowError, match=f"1 of 1 row cannot be made a conversation: 1 x {kind}. row 0"):
        kb.ToMessages()(pair(turns))
    assert kb.ToMessages(on_error="drop").run(pair(turns)).dropped_counts() == {kind: 1}


# ---- system prompt --------------------------------------------------------------------------------------------------


def prompt_file(text: str, columns: str = "") -> str:
    path = Path("greeting") / "v2.j2"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\ndescription: x\ncolumns: [{columns}]\n---\n{text}\n")
    return str(path)


def test_a_versioned_prompt_can_be_the_system_message() -> None:
    """It begins the conversation, takes the place of an earlier one, and is part of the lineage."""
    spec = prompt_file("{# role: system #}\nYou write {{ module_name }}New.", "module_name")
    stage = kb.ToMessages(system_prompt=spec)
    ds = pair([BARE], prompt=({"role": "system", "content": "old"}, USER), module_name="M")
    assert check_stage(stage, ds)[0]["messages"] == [{"role": "system", "content": "You write MNew."}, USER, BARE]
    assert list(stage.prompts()) == ["greeting@v2"]
    assert check_stage(stage, conversation(USER, BARE).add_column("module_name", ["N"]))[0]["messages"][0] == {
        "role": "system",
        "content": "You write NNew.",
    }


def test_a_prompt_of_other_messages_is_no_system_prompt() -> None:
    """A prompt that speaks as the user is refused."""
    with pytest.raises(kb.errors.UsageError, match="must be one system message"):
        kb.ToMessages(system_prompt=prompt_file("{# role: user #}\nHello."))(pair([BARE]))


# ---- chat templates -------------------------------------------------------------------------------------------------

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CUTS_THINK = (  # as Qwen3 and R1-distills: content is what follows the last closing tag
    "{% for m in messages %}<|{{ m.role }}|>\n{% set r = m.reasoning_content or '' %}{% set c = m.content %}"
    "{% if '</think>' in c %}{% set r = c.split('</think>')[0].split('<think>')[-1] %}"
    "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{% if m.role == 'assistant' %}<think>\n{{ r.strip('\n') }}\n</think>\n\n{% endif %}{{ c }}\n{% endfor %}"
)
FINAL_CHANNEL = (  # as gpt-oss: `thinking` is the analysis, and all content is final
    "{% for m in messages %}{% if m.role != 'assistant' %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>"
    "{% else %}{% if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>{% endif %}{% endfor %}"
)
LAST_ONLY = "{% for m in messages %}{% if m.role == 'user' or loop.last %}[{{ m.content }}]{% endif %}{% endfor %}"
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)
TRUNCATES = "{% for m in messages %}{{ m.content[:12] }}{% endfor %}"


def tokenizer(chat_template: str | None) -> str:
    """Folder of a tiny tokenizer with this chat template."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"x": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tiny = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    tiny.chat_template = chat_template
    folder = Path(f"tokenizer-{abs(hash(chat_template))}")
    tiny.save_pretrained(folder)
    return str(folder)


LITERAL = {"role": "assistant", "content": "<answer>s = '</think>'\nA</answer>"}


@pytest.mark.parametrize(
    ("template", "turns", "form"),
    {
        "plain": (CHATML, [THOUGHTFUL], "think"),
        "plain, with a literal tag": (CHATML, [LITERAL], "drop"),
        "cuts and writes again": (CUTS_THINK, [THOUGHTFUL], "think"),
        "takes the field": (CUTS_THINK, [THOUGHTFUL], "reasoning_content"),
        "channel": (FINAL_CHANNEL, [THOUGHTFUL], "thinking"),
        "channel, no reasoning": (FINAL_CHANNEL, [THOUGHTFUL], "drop"),
        "several turns": (CHATML, [THOUGHTFUL, USER, THOUGHTFUL], "think"),
    }.values(),
)
def test_templates_that_leave_the_answer_whole(template: str, turns: list[dict[str, Any]], form: str) -> None:
    """Nothing is reported where everything is rendered."""
    stage = kb.ToMessages(reasoning=form, check_template=tokenizer(template))
    result = stage.run(pair(turns))
    assert result.failed == ()
    assert result.notes == ()
    assert result.dataset.features == stage.output_features(pair(turns).features)


@pytest.mark.parametrize(
    ("template", "turns", "form", "kind"),
    {
        "text before a literal tag": (CUTS_THINK, [LITERAL], "drop", "answer-gone"),
        "the same behind reasoning": (CUTS_THINK, [{**LITERAL, "reasoning": "r"}], "think", "answer-gone"),
        "a field not looked for": (CHATML, [THOUGHTFUL], "reasoning_content", "reasoning-gone"),
        "another field not looked for": (CHATML, [THOUGHTFUL], "thinking", "reasoning-gone"),
        "think text in the final channel": (FINAL_CHANNEL, [THOUGHTFUL], "think", "reasoning-in-answer"),
        "earlier turns": (LAST_ONLY, [BARE, USER, BARE], "drop", "answer-gone"),
        "long answers": (TRUNCATES, [BARE], "drop", "answer-gone"),
        "system messages": (NO_SYSTEM, [{"role": "system", "content": "s"}, BARE], "drop", "template-error"),
    }.values(),
)
def test_templates_that_lose_a_part(template: str, turns: list[dict[str, Any]], form: str, kind: str) -> None:
    """A row that the template does not leave whole fails with the kind of loss."""
    for stage in (kb.ToMessages, kb.ToPromptCompletion):
        with pytest.raises(kb.errors.RowError, match=f"1 x {kind}. row 0: {kind}: "):
            stage(reasoning=form, check_template=tokenizer(template))(pair(turns))


def test_an_empty_think_block_is_a_warning() -> None:
    """Templates that think even where nobody did are reported, since training would learn it."""
    result = kb.ToMessages(reasoning="drop", check_template=tokenizer(CUTS_THINK)).run(pair([BARE]))
    assert result.failed == ()
    assert "puts an empty think block into 1 row without reasoning" in result.notes[0]


def test_an_answer_that_stands_elsewhere_too_is_missed_all_the_same() -> None:
    """It does not help that the prompt quotes the answer."""
    only_user = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    quoted = ({"role": "user", "content": f"Say {ANSWER}"},)
    with pytest.raises(kb.errors.RowError, match="answer-gone"):
        kb.ToMessages(check_template=tokenizer(only_user))(pair([BARE], prompt=quoted))


def test_an_edited_template_is_tried_again() -> None:
    """The template's text is part of the cache key and of the lineage."""
    good, bad = tokenizer(CHATML), tokenizer(TRUNCATES)
    stages = [kb.ToMessages(check_template=folder) for folder in (good, bad)]
    assert stages[0].fingerprint(pair([BARE])) != stages[1].fingerprint(pair([BARE]))
    assert list(stages[0].prompts().values()) == [CHATML]


def test_tokenizers_that_cannot_be_used() -> None:
    """No such tokenizer, or one without a template, is an error of configuration."""
    with pytest.raises(kb.errors.ConfigError, match="has no chat template"):
        kb.ToMessages(check_template=tokenizer(None))(pair([BARE]))
    Path("empty").mkdir()
    with pytest.raises(kb.errors.ConfigError, match="there is no such tokenizer"):
        kb.ToMessages(check_template="empty")(pair([BARE]))
