"""Stage lengths: what it counts, what it refuses, and figures equal to slow reference implementations."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import quantile_test
from tokenizers import Tokenizer

import kbtools as kb
from kbtools.errors import ConfigError, DataError, RowError, SchemaError, UsageError
from kbtools.pipeline import run
from kbtools.testing import check_stage
from kbtools_plugins.lengths.counters import Exact, choose
from kbtools_plugins.lengths.distribution import LIMITS, budget, covering, distribution, limit
from kbtools_plugins.lengths.packing import pack
from kbtools_plugins.lengths.tokenizer import load, locate
from tests import chat
from tests.rows import EVALS, evals, evals_row


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return str(chat.folder(tmp_path_factory.mktemp("tokenizer")))


def conversations(*rows: tuple[str, str]) -> datasets.Dataset:
    """Rows of the evals layout with these reasonings and contents."""
    made = [evals_row(index, "A", 1.0, content) for index, (_, content) in enumerate(rows)]
    for row, (reasoning, _) in zip(made, rows, strict=True):
        row["completion"][0]["reasoning"] = reasoning
    return datasets.Dataset.from_list(made, features=EVALS)


def figures(result: kb.Result) -> dict:
    return dict(result.facts)


# counting


def test_counts_equal_those_of_transformers(tokenizer):
    """Every count is that of the tokenizer over what transformers renders."""
    transformers = pytest.importorskip("transformers")
    ds = conversations(("first x + 1", "<answer>\ndef f(): ...\n</answer>"), ("", "plain"))
    reference = transformers.PreTrainedTokenizerFast(
        tokenizer_file=f"{tokenizer}/tokenizer.json", chat_template=chat.TEMPLATE
    )
    out = kb.Lengths(tokenizer=tokenizer)(ds)
    for row in out:
        everything = [*row["prompt"], *row["completion"]]
        whole = reference.apply_chat_template(everything, tokenize=True, return_dict=True)["input_ids"]
        prompt = reference.apply_chat_template(
            row["prompt"], tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        assert (row["num_tokens"], row["num_tokens_prompt"]) == (len(whole), len(prompt))


def test_parts_are_counted_alone(tokenizer):
    """Reasoning and answer are counted as texts, the completion is what the conversation has beyond the prompt."""
    plain = Tokenizer.from_file(f"{tokenizer}/tokenizer.json")
    row = kb.Lengths(tokenizer=tokenizer)(conversations(("because x", "<answer>\nx + 1\n</answer>")))[0]
    assert row["num_tokens_reasoning"] == len(plain.encode("because x"))
    assert row["num_tokens_answer"] == len(plain.encode("<answer>\nx + 1\n</answer>"))
    assert row["num_tokens_completion"] == row["num_tokens"] - row["num_tokens_prompt"]


def test_inline_reasoning_is_told_from_the_answer(tokenizer):
    """Think tags in the content are read as they are everywhere in kbtools."""
    plain = Tokenizer.from_file(f"{tokenizer}/tokenizer.json")
    row = kb.Lengths(tokenizer=tokenizer)(conversations((None, "<think>so x</think><answer>\nx\n</answer>")))[0]
    assert row["num_tokens_reasoning"] == len(plain.encode("so x"))
    assert row["num_tokens_answer"] == len(plain.encode("<answer>\nx\n</answer>"))


def test_rows_whose_answer_is_uncertain_are_null_and_named(tokenizer):
    """What cannot be told apart is not a number, and the run says so."""
    result = kb.Lengths(tokenizer=tokenizer).run(conversations(("", "fine"), (None, "<think>never closed")))
    assert result.dataset["num_tokens_answer"][1] is None
    assert result.dataset["num_tokens"][1] > 0
    assert "unclosed-think 1; first row 1 (example_id 101)" in result.notes[0]
    assert figures(result)["parts"]["answer"]["missing"] == 1


def test_remarks_survive_the_cache(tokenizer, tmp_path):
    """Notes are the same when the counts come from an earlier run."""
    conversations((None, "<think>never closed")).to_parquet(tmp_path / "rows.parquet")
    notes = [kb.Lengths(tokenizer=tokenizer).run(kb.load(str(tmp_path / "rows.parquet"))).notes for _ in range(2)]
    assert notes[0] == notes[1] != ()


def test_template_that_drops_reasoning_is_noticed(tmp_path):
    """Reasoning that the template does not render is not trained on, and the run says for how many rows."""
    silent = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    path = chat.folder(tmp_path / "t", template=silent)
    result = kb.Lengths(tokenizer=str(path)).run(conversations(("thoughts", "x"), ("", "y")))
    assert "does not render the whole reasoning of 1 row" in result.notes[0]


def test_prompt_that_is_no_prefix_leaves_the_completion_open(tmp_path):
    """Where the template renders the prompt differently, no difference is called the completion."""
    odd = "{% if add_generation_prompt %}?{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}"
    result = kb.Lengths(tokenizer=str(chat.folder(tmp_path / "t", template=odd))).run(conversations(("", "x")))
    assert result.dataset["num_tokens_completion"] == [None]
    assert "num_tokens_completion is null" in result.notes[-1]


def test_messages_in_one_column(tokenizer):
    """A conversation in `messages` is split before the first turn of the assistant, JSON text or not."""
    turns = [{"role": "user", "content": "Write."}, {"role": "assistant", "content": "x = 1"}]
    lists = datasets.Dataset.from_list([{"messages": turns}])
    texts = datasets.Dataset.from_list([{"messages": json.dumps(turns)}])
    evals_like = datasets.Dataset.from_list([{"prompt": turns[:1], "completion": turns[1:]}])
    stage = kb.Lengths(tokenizer=tokenizer)
    expected = stage(evals_like).select_columns(["num_tokens", "num_tokens_prompt"]).to_list()
    for ds in (lists, texts):
        placed = stage.model_copy(update={"columns": {"prompt": "messages", "completion": "messages"}})
        assert placed(ds).select_columns(["num_tokens", "num_tokens_prompt"]).to_list() == expected


def test_prompts_alone(tokenizer):
    """Prompts without completions have a length too."""
    out = kb.Lengths(tokenizer=tokenizer)(datasets.Dataset.from_dict({"prompt": ["Write.", "Write more."]}))
    assert [name for name in out.column_names if name.startswith("num_")] == ["num_tokens", "num_tokens_prompt"]


def test_tools_are_rendered(tmp_path):
    """Tools stand in the prompt that the model sees, so they count."""
    template = "{{ tools | tojson if tools else '' }}<|im_end|>{% for m in messages %}{{ m.content }}{% endfor %}"
    path = str(chat.folder(tmp_path / "t", template=template))
    ds = conversations(("", "x"), ("", "x")).add_column("oai_tools", ['[{"name": "run"}]', None])
    lengths = kb.Lengths(tokenizer=path)(ds)["num_tokens"]
    assert lengths[0] - lengths[1] == len(Tokenizer.from_file(f"{path}/tokenizer.json").encode('[{"name": "run"}]'))


def test_splits_keep_their_rows_and_share_the_figures(tokenizer):
    """A seq_len is chosen for the whole dataset."""
    splits = datasets.DatasetDict(train=evals([1.0] * 3), validation=evals([1.0]))
    result = kb.Lengths(tokenizer=tokenizer).run(splits)
    assert {name: ds.num_rows for name, ds in result.dataset.items()} == {"train": 3, "validation": 1}
    assert figures(result)["parts"]["conversation"]["count"] == 4


def test_contract(tokenizer):
    """The stage keeps the contract of stages, with columns and without."""
    check_stage(kb.Lengths(tokenizer=tokenizer), evals([1.0, 0.5]))
    check_stage(kb.Lengths(tokenizer=tokenizer, no_columns=True), evals([1.0, 0.5]))


def test_without_columns_the_dataset_is_the_one_that_came(tokenizer):
    """`--no-columns` gives back the very object, so that nothing has to be saved."""
    ds = evals([1.0])
    stage = kb.Lengths(tokenizer=tokenizer, no_columns=True)
    assert stage.only_reads()
    assert stage(ds) is ds


def test_a_view_is_counted_in_its_own_order(tokenizer):
    """Counts stand beside the rows that they belong to, also after a selection."""
    ds = conversations(("", "x"), ("", "x " * 50), ("", "x " * 9))
    straight, turned = (kb.Lengths(tokenizer=tokenizer)(some) for some in (ds, ds.select([2, 0, 1])))
    assert turned["num_tokens"] == [straight["num_tokens"][i] for i in (2, 0, 1)]


# refusing


@pytest.mark.parametrize(
    ("completion", "says"),
    [
        (None, "its completion is null"),
        ([], "has no messages"),
        ([{"role": "assistant", "content": None, "reasoning": None}], "neither content nor reasoning"),
    ],
)
def test_a_row_that_cannot_be_tokenized_is_named(tokenizer, completion, says):
    """The error has the index and the id of the row, whatever batch it is in."""
    rows = [evals_row(index, "A", 1.0) for index in range(300)]
    rows[299]["completion"] = completion
    with pytest.raises(RowError, match=r"row 299 \(example_id 399\) cannot be tokenized") as caught:
        kb.Lengths(tokenizer=tokenizer, fast=False)(datasets.Dataset.from_list(rows, features=EVALS))
    assert says in str(caught.value)


def test_a_failing_template_names_the_row(tmp_path):
    """Templates raise on conversations that they do not take."""
    path = chat.folder(tmp_path / "t", template="{{ raise_exception('roles must alternate') }}")
    with pytest.raises(RowError, match=r"row 0 \(example_id 100\).*roles must alternate"):
        kb.Lengths(tokenizer=str(path))(evals([1.0]))


def test_text_that_is_no_unicode_names_the_row(tokenizer):
    """JSON can hold lone surrogates, which no tokenizer takes."""
    ds = datasets.Dataset.from_dict(
        {"prompt": ["a", "b"], "completion": ["fine", '[{"role": "assistant", "content": "\\ud800"}]']}
    )
    with pytest.raises(RowError, match="row 1 cannot be tokenized"):
        kb.Lengths(tokenizer=tokenizer, fast=False)(ds)


def test_columns_that_exist_are_not_overwritten(tokenizer):
    """Counting twice needs a decision."""
    stage = kb.Lengths(tokenizer=tokenizer)
    with pytest.raises(SchemaError, match="no_columns=True"):
        stage(stage(evals([1.0])))


def test_a_dataset_without_conversations_is_refused_before_the_tokenizer_is_looked_for():
    """The message says how to name the column."""
    with pytest.raises(SchemaError, match="columns={'completion': COLUMN}"):
        kb.Lengths()(datasets.Dataset.from_dict({"a": [1]}))


def test_without_a_network_the_error_says_how_to_give_a_local_tokenizer():
    """The default tokenizer comes from the Hub, which need not be reachable."""
    code = "import kbtools as kb, datasets; kb.Lengths()(datasets.Dataset.from_dict({'prompt': ['x']}))"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert "ConfigError: tokenizer='Qwen/Qwen3-30B-A3B-Thinking-2507'" in done.stderr
    assert "tokenizer=FOLDER" in done.stderr


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("./nowhere", UsageError, "no such file"),
        ("nowhere.json", UsageError, "no such file"),
        ("empty", UsageError, "save_pretrained"),
        ("broken.json", DataError, "not a tokenizer"),
        ("bare.json", ConfigError, "chat_template=FILE"),
        ("bad-template", DataError, "cannot be compiled"),
    ],
)
def test_tokenizers_that_are_not_there_or_not_whole(spec, error, says):
    """Each fault of what was given has its own message."""
    Path("empty").mkdir()
    Path("broken.json").write_text("{}")
    chat.byte_level().save("bare.json")
    chat.folder(Path("bad-template"), template="{% for %}")
    with pytest.raises(error, match=says):
        kb.Lengths(tokenizer=spec)(evals([1.0]))


# finding the tokenizer


def test_template_in_the_config_and_in_a_file(tmp_path):
    """The template may stand in the config, in a file beside it, or be given."""
    inside = chat.folder(tmp_path / "inside", template=None, chat_template=chat.TEMPLATE)
    beside = chat.folder(tmp_path / "beside")
    given = chat.folder(tmp_path / "given", template="wrong")
    bare = tmp_path / "bare.json"
    chat.byte_level().save(str(bare))
    (tmp_path / "t.jinja").write_text(chat.TEMPLATE)
    stages = [kb.Lengths(tokenizer=str(path)) for path in (inside, beside)]
    stages += [kb.Lengths(tokenizer=str(path), chat_template=str(tmp_path / "t.jinja")) for path in (given, bare)]
    assert len({tuple(stage(evals([1.0]))["num_tokens"]) for stage in stages}) == 1


def test_truncation_and_padding_of_the_file_are_turned_off(tmp_path):
    """A tokenizer that cuts at 16 tokens must not make every row 16 tokens long."""
    tokenizer = chat.byte_level()
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=4096)
    path = chat.folder(tmp_path / "t", tokenizer)
    for fast in (True, False):
        (length,) = kb.Lengths(tokenizer=str(path), fast=fast)(evals([1.0]))["num_tokens"]
        assert 16 < length < 4096


def test_an_edited_tokenizer_is_not_served_from_the_cache(tmp_path):
    """The path stays the same, the counts do not."""
    evals([1.0]).to_parquet(tmp_path / "rows.parquet")
    path = chat.folder(tmp_path / "t")
    before = kb.Lengths(tokenizer=str(path))(kb.load(str(tmp_path / "rows.parquet")))["num_tokens"]
    (path / "chat_template.jinja").write_text(chat.TEMPLATE + "{{ 'and one more sentence' }}")
    after = kb.Lengths(tokenizer=str(path))(kb.load(str(tmp_path / "rows.parquet")))["num_tokens"]
    assert after[0] > before[0]


def test_special_tokens_and_limit_come_from_the_config(tmp_path):
    """Templates name the bos token; the model's own limit caps the recommendation."""
    path = chat.folder(tmp_path / "t", template="{{ bos_token }}", bos_token={"content": "<s>"}, model_max_length=777)
    loaded = load(locate(str(path), None), None)
    assert loaded.template.render([]) == "<s>"
    assert loaded.max_length == 777


def test_a_template_for_tools(tmp_path):
    """Of several templates the one for tools is taken when there are some."""
    templates = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]
    loaded = load(locate(str(chat.folder(tmp_path / "t", template=None, chat_template=templates)), None), None)
    assert (loaded.template.render([]), loaded.template.render([], [{"name": "f"}])) == ("plain", "tools")


# the fast counter


def test_the_fast_counter_is_used_where_it_is_right(tokenizer):
    """tokie counts what the tokenizer counts, and the figures say who counted."""
    pytest.importorskip("tokie")
    ds = conversations(*[("x " * n, f"<answer>\né ☃ \x00 {n}\r\n</answer>") for n in range(40)])
    fast, exact = (kb.Lengths(tokenizer=tokenizer, fast=fast).run(ds) for fast in (True, False))
    assert figures(fast)["tokenizer"]["counter"] == "tokie"
    assert figures(exact)["tokenizer"]["counter"] == "tokenizers"
    assert fast.dataset.to_list() == exact.dataset.to_list()


def test_a_fast_counter_that_is_wrong_is_left_aloud(tmp_path):
    """On a tokenizer that tokie gets wrong, the tokenizer counts, and a note says why."""
    pytest.importorskip("tokie")
    path = chat.folder(tmp_path / "t", chat.by_words())
    result = kb.Lengths(tokenizer=str(path)).run(evals([1.0] * 3))
    assert "tokie counts differently from the tokenizer on" in result.notes[0]
    expected = kb.Lengths(tokenizer=str(path), fast=False)(evals([1.0] * 3))
    assert result.dataset.to_list() == expected.to_list()


def test_a_tokenizer_that_the_fast_counter_cannot_read(tmp_path):
    """A file that tokie refuses is counted by the tokenizer, aloud."""
    pytest.importorskip("tokie")
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")
    exact = Exact(chat.byte_level())
    counter, notes = choose(exact, broken, ["x"], fast=True)
    assert counter is exact
    assert "tokie cannot read this tokenizer" in notes[0]


@given(st.lists(st.text(max_size=300), max_size=8))
@settings(max_examples=150)
def test_fast_and_exact_counts_agree(tmp_path_factory, texts):
    """Any text has the same length under both counters."""
    tokie = pytest.importorskip("tokie")
    path = tmp_path_factory.getbasetemp() / "both.json"
    if not path.exists():
        chat.byte_level().save(str(path))
    clean = [text.encode("utf-8", "ignore").decode() for text in texts]
    tokenizer = Tokenizer.from_file(str(path))
    assert tokie.Tokenizer.from_json(str(path)).count_tokens_batch(clean) == Exact(tokenizer).count(clean)


# figures


LENGTHS = st.lists(st.integers(0, 3000), min_size=1, max_size=80).map(np.array)


def slow_packing(lengths, capacity):
    """Best-fit decreasing, one sequence at a time."""
    rooms = []
    for length in sorted((int(length) for length in lengths if length), reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - length)
        else:
            rooms.append(capacity - length)
    return len(rooms)


@given(LENGTHS, st.integers(1, 4000))
def test_packing_is_best_fit_decreasing(lengths, capacity):
    """Placing equal lengths together gives what placing one by one gives."""
    fitting = lengths[lengths <= capacity]
    assert pack(fitting, capacity) == slow_packing(fitting, capacity)


def test_a_sequence_that_cannot_be_packed_is_no_silent_cut():
    """Whoever packs has to decide first what becomes of long rows."""
    with pytest.raises(ValueError, match="300 tokens cannot be packed into 256"):
        pack(np.array([300]), 256)


@given(LENGTHS)
@settings(deadline=None)
def test_distribution_equals_a_slow_one(lengths):
    """Count, mean, median and percentiles by their definitions."""
    found = distribution(lengths)
    ordered = sorted(lengths.tolist())
    assert (found.count, found.total, found.min, found.max) == (len(ordered), sum(ordered), ordered[0], ordered[-1])
    assert found.mean == pytest.approx(sum(ordered) / len(ordered))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    assert found.median == pytest.approx(sum(middle) / len(middle))
    for percentile in found.percentiles:
        enough = [x for x in ordered if sum(y <= x for y in ordered) * 1000 >= len(ordered) * percentile.percent * 10]
        assert percentile.value == min(enough)
    assert sum(found.histogram.counts) == len(ordered)
    assert found.histogram.counts[0] > 0
    assert found.histogram.counts[-1] > 0
    assert found.histogram.edges[0] <= ordered[0] <= ordered[-1] <= found.histogram.edges[-1]


@pytest.mark.parametrize(
    ("longest", "width"), [(30, 1), (70, 2), (150, 5), (390, 10), (15_000, 500), (3_000_000, 100_000)]
)
def test_bars_are_round_and_not_more_than_people_look_at(longest, width):
    """As wide as 1, 2 or 5 with zeros behind, so that there are at most 41."""
    edges = distribution(np.arange(0, longest, max(1, longest // 1000))).histogram.edges
    assert {high - low for low, high in pairwise(edges)} == {width}
    assert len(edges) <= 42


def test_percentiles_are_those_that_people_ask_for():
    """The usual ones, the far tail and the maximum."""
    found = distribution(np.arange(1, 10_001))
    assert [(one.percent, one.value) for one in found.percentiles] == [
        (50, 5000), (75, 7500), (90, 9000), (95, 9500), (99, 9900), (99.5, 9950), (99.9, 9990), (100, 10_000)
    ]  # fmt: skip
    assert [one.percent for one in budget(np.arange(1, 101), 1, None).coverage] == [99, 99.5, 100]


def test_percentiles_are_exact_where_floats_are_not():
    """99.9% of 1,000 rows are 999 rows, not 1,000."""
    assert covering(np.arange(1, 1001), 99.9) == 999


@given(LENGTHS, st.sampled_from([64, 1000, 1024, 5000]))
@settings(deadline=None)
def test_costs_of_a_limit_equal_slow_ones(lengths, seq_len):
    """Rows over, tokens lost, padding and packing, cut or dropped, by their definitions."""
    found = limit(lengths, seq_len)
    rows = lengths.tolist()
    cut = [min(row, seq_len) for row in rows]
    kept = [row for row in rows if row <= seq_len]
    assert found.rows_over == sum(row > seq_len for row in rows)
    for cost, left in ((found.truncated, cut), (found.dropped, kept)):
        assert cost.rows == len(left)
        assert cost.tokens_lost == sum(rows) - sum(left)
        assert cost.tokens_lost_share == pytest.approx((sum(rows) - sum(left)) / sum(rows) if sum(rows) else 0)
        samples = slow_packing(left, seq_len)
        assert cost.packed_samples == samples
        if left:
            assert cost.padding_waste == pytest.approx(1 - sum(left) / (len(left) * seq_len))
        if samples:
            assert cost.packing_efficiency == pytest.approx(sum(left) / (samples * seq_len))


@given(LENGTHS, st.sampled_from([1, 64, 128]))
@settings(deadline=None)
def test_coverage_is_rounded_up_and_never_down(lengths, multiple):
    """A seq_len for p% of the rows is a multiple, and p% of the rows fit."""
    for cover in budget(lengths, multiple, None).coverage:
        assert cover.limit.seq_len % multiple == 0
        assert cover.needed <= cover.limit.seq_len < max(cover.needed, 1) + multiple
        fit = int((lengths <= cover.limit.seq_len).sum())
        assert fit * 1000 >= cover.percent * 10 * len(lengths)


def test_a_maximum_is_reported_however_long():
    """A row of 70,000 tokens is 70,000 tokens, not the largest bucket."""
    found = budget(np.array([10, 70_000]), 128, None)
    assert found.coverage[-1].needed == 70_000
    assert [cost.rows_over for cost in found.limits if cost.seq_len == 65536] == [1]
    assert [cost.seq_len for cost in found.limits] == list(LIMITS)


def test_the_recommendation_is_the_smallest_cheap_power_of_two():
    """At most 1% of rows over it and at most 1% of tokens beyond it, and the reasons give both costs."""
    lengths = np.concatenate([np.full(990, 3000), np.full(10, 9000)])
    found = budget(lengths, 128, None).recommendation
    # at 4,096 exactly 1% of the rows are over, but 1.6% of the tokens lie beyond
    assert found.limit.seq_len == 8192
    assert any("truncating" in reason and "dropping" in reason for reason in found.reasons)
    assert any("over it (10 rows, 1.00%) and at most" in reason for reason in found.reasons)
    # at 1,024 no token to speak of lies beyond, but a tenth of the rows are over
    many = budget(np.concatenate([np.full(900, 1000), np.full(100, 1025)]), 128, None).recommendation
    assert many.limit.seq_len == 2048
    assert "at 1,024, 100 rows, 10.00% would be too long" in many.reasons
    assert any("without packing 51.0% of a batch is padding" in reason for reason in many.reasons)


def test_the_model_caps_the_recommendation():
    """What the model cannot take is not recommended."""
    found = budget(np.full(200, 3000), 128, 2000).recommendation
    assert found.limit.seq_len == 2000
    assert any("at most 2,000" in reason for reason in found.reasons)


def test_few_rows_are_called_few():
    """The 99th percentile of 50 rows has no upper bound, and the reasons say so."""
    reasons = budget(np.arange(1, 51) * 10, 128, None).recommendation.reasons
    assert any("50 rows say little" in reason and "unknown" in reason for reason in reasons)
    many = budget(np.full(5_000, 700), 128, None).recommendation.reasons
    assert not any("say little" in reason for reason in many)


def test_intervals_of_percentiles_hold_at_the_rate_they_claim():
    """The 95% interval of the 90th percentile covers the true one in about 95 of 100 samples."""
    rng = np.random.default_rng(7)
    true = math.exp(1.2815515655446004)
    covered = 0
    for _ in range(300):
        sample = np.round(np.exp(rng.normal(size=200)) * 1000).astype(int)
        found = next(p for p in distribution(sample).percentiles if p.percent == 90)
        covered += found.low <= true * 1000 <= found.high
    assert 0.92 <= covered / 300 <= 0.995


@pytest.mark.parametrize("count", [1, 2, 9, 60, 999, 5_000])
def test_intervals_of_percentiles_are_those_of_a_test_of_quantiles(count):
    """With no end where too few rows lie beyond it."""
    sample = np.random.default_rng(count).integers(0, 10**6, count)
    for found in distribution(sample).percentiles[:-1]:
        expected = quantile_test(sample, q=0, p=found.percent / 100).confidence_interval(0.95)
        assert (found.low, found.high) == tuple(None if math.isnan(end) else end for end in expected)


def test_no_rows_have_no_figures(tokenizer):
    """An empty dataset is counted without complaint, and nothing is recommended for it."""
    result = kb.Lengths(tokenizer=tokenizer, plots="plots").run(evals([]))
    assert figures(result)["budget"] is None
    assert figures(result)["parts"]["conversation"]["count"] == 0
    assert Path("plots/lengths.png").exists()


def test_plots_and_tables(tokenizer):
    """The figures are drawn as PNG and SVG and shown as tables, the recommendation among them."""
    done = run(evals([1.0, 0.5]), [kb.Lengths(tokenizer=tokenizer, plots="plots")])
    assert {path.name for path in Path("plots").iterdir()} == {"lengths.png", "lengths.svg"}
    assert any("recommended seq_len" in table.title for table in done.tables)
