"""`kbtools apply` and `kbtools run`: words and recipes become stages, a result, a record and an exit code."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

FAILING = '''
from typing import ClassVar
import kbtools as kb

class Flaky(kb.Stage):
    """Fail on one row, and keep it."""
    name: ClassVar[str] = "flaky"
    scope: ClassVar = "row"
    suffix: ClassVar[str] = "flaked"

    def transform(self, ds):
        return kb.Result(ds, failed=(kb.Failure("no answer", 1, ("row 3 (example_id 103)",)),))

@kb.hookimpl
def register_stages():
    return [Flaky]
'''

SLOW = '''
import sys, time
from typing import ClassVar
import kbtools as kb

class Slow(kb.Stage):
    """Take longer than anybody waits."""
    name: ClassVar[str] = "slow"
    scope: ClassVar = "row"

    def transform(self, ds):
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60)

@kb.hookimpl
def register_stages():
    return [Slow]
'''


def rewards(path):
    """The rewards in a written file."""
    return pq.read_table(path)["reward"].to_pylist()


def test_options_of_the_run_may_stand_anywhere(cli, file):
    """Before the first stage, between stages and after the last, they mean the same."""
    where = ("filter", "--where", "reward > 0.5")
    calls = [
        ("apply", "--dataset", file, "--out", "a.parquet", *where),
        ("apply", *where, "--dataset", file, "--out", "b.parquet"),
        ("apply", *where, "--out", "c.parquet", "filter", "--where", "reward > 0.1", "--dataset", file),
    ]
    assert [cli(*call).code for call in calls] == [0, 0, 0]
    assert rewards("a.parquet") == rewards("b.parquet") == rewards("c.parquet") == [0.6, 0.8, 1.0]


def test_a_stage_may_occur_twice(cli, file):
    """Each occurrence has the options that follow it."""
    done = cli("apply", "filter", "--where", "reward > 0.1", "filter", "--where", "reward < 0.7", "--dataset", file)
    assert done.code == 0
    assert rewards("outputs/rows-filtered.parquet") == [0.2, 0.4, 0.6]


def test_last_line_says_where_the_result_is(cli, file):
    """Without --out the name is made of the source and the stages' suffixes."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file)
    assert done.out.splitlines()[-1] == (
        "wrote 3 rows to outputs/rows-filtered.parquet, outputs/rows-filtered.parquet.lineage.json"
    )


def test_table_names_what_was_dropped_and_why(cli, file):
    """Square brackets in a reason are text, not markup."""
    done = cli("apply", "filter", "--where", "matches(info.module_name, '[a-c]|[A-B]')", "--dataset", file)
    row = next(line for line in done.out.splitlines() if "filter" in line)
    assert "4 not matches(info.module_name, '[a-c]|[A-B]')" in row


def test_json_is_all_that_stands_on_stdout(cli, file):
    """Progress goes to stderr."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--json")
    result = json.loads(done.out)
    assert result["rows"] == 3
    assert result["output"][0] == "outputs/rows-filtered.parquet"
    assert result["stages"][0]["dropped"] == {"not reward > 0.5": 3}
    assert "[1/1] filter: 6 rows" in done.err


def test_quiet_prints_one_line(cli, file):
    """Nothing but where the result is."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--quiet")
    assert len(done.out.splitlines()) == 1
    assert done.err == ""


def test_dry_run_checks_and_writes_nothing(cli, file):
    """The plan names the columns after each stage and the output."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--dry-run")
    assert done.code == 0
    assert "would write outputs/rows-filtered.parquet" in done.out
    assert not Path("outputs").exists()


def test_dry_run_as_json(cli, file):
    """For programs, the same as data."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--dry-run", "--json")
    plan = json.loads(done.out)
    assert plan["plan"][0]["config"] == {"where": "reward > 0.5"}


def test_dropped_rows_are_written_with_stage_and_reason(cli, file):
    """--dropped holds every row that is not in the result."""
    words = ("filter", "--where", "reward > 0.1", "filter", "--where", "reward < 0.9")
    assert cli("apply", *words, "--dataset", file, "--dropped", "gone.jsonl").code == 0
    rows = [json.loads(line) for line in Path("gone.jsonl").read_text().splitlines()]
    assert [(row["example_id"], row["dropped_by"], row["reason"]) for row in rows] == [
        (100, "filter", "not reward > 0.1"),
        (105, "filter", "not reward < 0.9"),
    ]


def test_saved_recipe_gives_the_same_bytes(cli, file):
    """`apply --save-recipe` and then `run` is the same run."""
    words = ("filter", "--where", "reward > 0.5", "--nulls", "drop", "--dataset", file, "--limit", 5)
    assert cli("apply", *words, "--out", "a.parquet", "--save-recipe", "r.toml").code == 0
    recipe = tomllib.loads(Path("r.toml").read_text())
    assert recipe["stages"] == [{"stage": "filter", "where": "reward > 0.5", "nulls": "drop"}]
    assert cli("run", "r.toml", "--out", "b.parquet").code == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


@pytest.mark.parametrize("record", ["a.parquet.lineage.json", "a.parquet"])
def test_lineage_repeats_the_run_byte_for_byte(cli, file, record):
    """From the file beside the output, and from the output's own metadata."""
    assert cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--out", "a.parquet").code == 0
    if record == "a.parquet":
        Path("a.parquet.lineage.json").unlink()
    assert cli("run", record, "--out", "b.parquet").code == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_lineage_of_a_judge_names_the_stage_and_the_judge(cli, file):
    """The judge's name is its class's default, and has to be written all the same."""
    assert cli("apply", "judge", "--judge", "static", "--dataset", file, "--out", "a.parquet").code == 0
    lineage = json.loads(Path("a.parquet.lineage.json").read_text())
    assert lineage["stages"] == [{"stage": "judge", "judge": "static"}]
    assert cli("run", "a.parquet.lineage.json", "--out", "b.parquet").code == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_options_of_judges_end_at_the_next_stage(cli, file):
    """Two judges in one chain: each has its own name and options, also when a flag stands between."""
    words = ("judge", "--prefix", "a_", "--judge", "static", "--quiet", "judge", "--judge=static", "--prefix", "b_")
    assert cli("apply", *words, "--dataset", file, "--out", "a.parquet").code == 0
    assert {"a_difficulty", "b_difficulty"} <= set(pq.read_schema("a.parquet").names)


def test_changed_source_is_not_repeated_unseen(cli, file):
    """The lineage pins the content of the file that was read."""
    assert cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--out", "a.parquet").code == 0
    file.write_text(file.read_text().replace('"reward":1.0', '"reward":0.9'))
    done = cli("run", "a.parquet.lineage.json", "--out", "b.parquet")
    assert done.code == 2
    assert "is not the file that the recipe was made from" in done.err


def test_options_override_the_recipe(cli, file):
    """`run` takes the options of the run."""
    stages = '[[stages]]\nstage = "filter"\nwhere = "reward >= 0"\n'
    Path("r.toml").write_text(f'[source]\ndataset = "{file}"\n{stages}[output]\nout = "r.parquet"')
    assert cli("run", "r.toml").code == 0
    assert cli("run", "r.toml", "--limit", 2, "--out", "two.parquet").code == 0
    assert (len(rewards("r.parquet")), len(rewards("two.parquet"))) == (6, 2)


def test_columns_and_seed_override_the_recipe_too(cli, file):
    """A seed of 0 is a seed, and --columns is for the stages of a recipe as well."""
    stage = '[[stages]]\nstage = "sample"\nrandom = 3\n'
    Path("r.toml").write_text(f'seed = 7\n[source]\ndataset = "{file}"\n{stage}')
    words = ("--seed", "0", "--columns", "module_name=task", "--save-recipe", "deep/er/saved.toml")
    assert cli("run", "r.toml", *words).code == 0
    saved = tomllib.loads(Path("deep/er/saved.toml").read_text())
    assert saved["seed"] == 0
    assert saved["stages"][0]["columns"] == {"module_name": "task"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dropped", "x.xlsx"), "names end in .parquet"),
        (("--dropped", "a.parquet", "--out", "./a.parquet"), "the result itself goes there"),
        (("--limit", "-1"), "-1 is not in the range x>=0"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_found_before_any_work(cli, file, words, message):
    """No output is left behind."""
    done = cli("apply", "filter", "--where", "reward > 0", "--dataset", file, *words)
    assert (done.code, message in done.err) == (2, True)
    assert not list(Path().rglob("*.parquet"))


def test_dataset_from_the_environment_and_from_env_file(cli, file, monkeypatch):
    """DATASET_PATH is read from .env, and the environment wins over the file."""
    Path(".env").write_text("DATASET_PATH=nowhere.jsonl\n")
    assert "no file 'nowhere.jsonl'" in cli("apply", "filter", "--where", "reward > 0.5").err
    monkeypatch.setenv("DATASET_PATH", str(file))
    assert cli("apply", "filter", "--where", "reward > 0.5").code == 0


def test_no_dataset_is_an_error_that_says_how_to_give_one(cli):
    """There is no default source."""
    done = cli("apply", "filter", "--where", "reward > 0.5")
    assert (done.code, "--dataset sample" in done.err) == (2, True)


def test_test_mode_takes_five_rows_unless_told(cli, file, monkeypatch):
    """TEST_MODE=true is --limit 5; a given --limit wins."""
    monkeypatch.setenv("TEST_MODE", "true")
    assert cli("apply", "filter", "--where", "reward >= 0", "--dataset", file, "--out", "a.parquet").code == 0
    cli("apply", "filter", "--where", "reward >= 0", "--dataset", file, "--out", "b.parquet", "--limit", 6)
    assert (len(rewards("a.parquet")), len(rewards("b.parquet"))) == (5, 6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("apply", "fliter", "--where", "x"), "there is no stage 'fliter'. Did you mean 'filter'?"),
        (("apply", "filter", "--wher", "x"), "no such option '--wher'. Did you mean '--where'?"),
        (("apply", "filter", "--where", "reward > 0", "--datset", "x"), "Did you mean '--dataset'?"),
        (("aply",), "there is no command 'aply'. Did you mean 'apply'?"),
        (("upload", "everything"), "'everything' is not one of 'all', 'filtered', 'unique', 'synthetic'"),
        (("apply", "filter", "--where", "reward > 0", "--limit", "three"), "'three' is not a valid integer"),
        (("apply", "filter", "--where", "reward > 0", "--nulls", "maybe"), "'maybe' is not one of"),
        (("apply", "filter", "--where", "rewrd > 0"), "there is no column 'rewrd'. Did you mean 'reward'?"),
        (("apply", "filter", "--where", "reward > 0", "--out", "x.xlsx"), "names end in .parquet"),
        (("apply", "filter", "--where", "reward > 0", "--columns", "rewards=x"), "Did you mean 'reward'"),
        (("apply", "filter", "--where", "reward > 0", "--limit", "1", "--limit", "2"), "--limit is given 2 times"),
        (("apply", "--limit", "1", "filter", "--where", "reward > 0", "--limit", "2"), "--limit is given twice"),
        (("apply", "filter", "--where", "reward > 0", "--where", "reward < 1"), "--where is given 2 times"),
        (("run", "gone.toml"), "there is no recipe 'gone.toml'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_exit_code_2_and_names_the_nearest(cli, file, monkeypatch, words, message):
    """Stages, options, columns and values alike."""
    monkeypatch.setenv("DATASET_PATH", str(file))
    done = cli(*words)
    assert done.code == 2
    assert message in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ('[source]\ndatset = "x"', "unknown key 'source.datset'. Did you mean 'dataset'?"),
        ('[[stages]]\nstage = "filter"\nwere = "x"', "stage 1 (filter): 'where' is required and was not given"),
        ('[[stages]]\nstage = "filter"\nwhere = "x"\nnull = "drop"', "unknown key 'null'. Did you mean 'nulls'?"),
        ('[[stages]]\nwhere = "x"', "stage 1: the key `stage` must name the stage"),
        ("[[stages]\n", "is not valid TOML"),
    ],
)
def test_faults_of_a_recipe_are_named(cli, recipe, message):
    """Unknown keys are errors, never ignored."""
    Path("r.toml").write_text(recipe)
    done = cli("run", "r.toml", "--dataset", "sample")
    assert done.code == 2
    assert message in done.err


def test_failed_rows_are_exit_code_1_and_the_result_is_written(cli, file, install):
    """The failures are named by kind and row."""
    install("kb-flaky", FAILING)
    done = cli("apply", "flaky", "--dataset", file)
    assert done.code == 1
    assert "failed in flaky: 1 x no answer: row 3 (example_id 103)" in done.err
    assert len(rewards("outputs/rows-flaked.parquet")) == 6


def test_unusable_hub_is_exit_code_3():
    """A server that cannot be reached is a matter of configuration, and the message says what to do."""
    done = program(
        "apply", "filter", "--where", "x > 0", "--dataset", "nobody/nothing", HF_ENDPOINT="http://127.0.0.1:9"
    )
    assert done.returncode == 3
    assert "loading 'nobody/nothing' from the Hub" in done.stderr
    assert "Traceback" not in done.stderr


def test_interrupt_is_exit_code_130_and_leaves_no_output(file, install):
    """SIGINT in the middle of a stage, as Ctrl-C sends it."""
    folder = install("kb-slow", SLOW)
    path = os.pathsep.join([str(folder), *sys.path])
    process = subprocess.Popen(
        [*PROGRAM, "apply", "slow", "--dataset", file],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    said = ""
    while "begun" not in said:
        said = process.stderr.readline()
        assert said, "the stage never began"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "error: interrupted" in rest
    assert not list(Path().rglob("*.parquet*"))


PROGRAM = [sys.executable, "-c", "from kbtools.cli import main; main()"]


def program(*words, **env):
    """The program as a process of its own."""
    path = os.pathsep.join(sys.path)
    return subprocess.run(
        [*PROGRAM, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path, **env},
    )


def test_the_dataset_is_not_written_over(cli, file):
    """A lineage whose source is gone could not be repeated; nor is an empty name taken for no name."""
    before = Path(file).read_bytes()
    for words in (("--out", file), ("--out", "x.parquet", "--dropped", file), ("--out", "")):
        failed = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, *words)
        assert failed.code == 2
        assert "is read from there" in failed.err or "--out is empty" in failed.err
    assert Path(file).read_bytes() == before


def test_a_missing_option_is_named(cli, file):
    """In plain words."""
    assert "--where is required and was not given: expression over" in cli("apply", "filter", "--dataset", file).err


def test_an_unreadable_dotenv_is_a_configuration_error(cli, file):
    """It may hold the credentials, so it is not passed over."""
    Path(".env").write_bytes(b"\xff\xfe A=1")
    failed = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file)
    assert failed.code == 3
    assert ".env is not UTF-8 text" in failed.err
    Path(".env").write_bytes(b"A=x\0y\n")
    failed = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file)
    assert (failed.code, ".env holds what no variable can" in failed.err) == (3, True), failed.err


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.jsonl.zst", "folder"])
def test_a_full_disk_leaves_what_was_there(file, name):
    """The error names the output, and neither half a file nor a temporary one stays."""
    rows = "{'a': [os.urandom(4000).hex() for _ in range(100)]}"
    big = f"import datasets, os, sys, kbtools as kb; kb.save(datasets.Dataset.from_dict({rows}), sys.argv[1])"
    limited = f'ulimit -f 100; exec "$0" -c "{big}" {name}'
    done = subprocess.run(["bash", "-c", limited, sys.executable], capture_output=True, text=True, check=False)
    assert f"{name} could not be written (File too large)" in done.stderr
    assert not [left for left in Path().iterdir() if name in left.name]


def test_output_is_named_after_the_judge_that_is_the_default(cli, file, model_server):
    """`judge` alone is `judge --judge model`, and its suffix is that of every judge."""
    _, model = model_server()
    done = cli("apply", "judge", "--model", model, "--columns", "reference_code=task", "--dataset", file, "--dry-run")
    assert done.out.splitlines()[-1] == "would write outputs/rows-judged.parquet"


def test_a_chain_without_stages_is_told_what_it_lacks(cli, file):
    """Not that a command is missing."""
    done = cli("apply", "--dataset", file)
    assert done.code == 2
    assert "no stage is named" in done.err


def test_a_forgotten_value_is_not_the_next_option(cli, file):
    """`--where --dataset x` would filter by the text --dataset; with an equals sign it may be meant."""
    done = cli("apply", "filter", "--where", "--dataset", file)
    assert done.code == 2
    assert "--where needs a value, and is followed by the option --dataset" in done.err
    assert "no column 'dataset'" in cli("apply", "filter", "--where=--dataset", "--dataset", file).err


def test_dropped_rows_have_a_line_of_their_own(cli, file):
    """The result does not go where the dropped rows go."""
    done = cli("apply", "filter", "--where", "reward > 0.9", "--dataset", file, "--dropped", "gone.jsonl")
    assert done.out.splitlines()[-2:] == [
        "wrote 5 rows that stages left out to gone.jsonl",
        "wrote 1 row to outputs/rows-filtered.parquet, outputs/rows-filtered.parquet.lineage.json",
    ]


def test_a_limit_that_the_environment_sets_is_said(cli, file, monkeypatch):
    """Five rows would be taken for the whole."""
    monkeypatch.setenv("TEST_MODE", "true")
    assert "of each split only the first 5 rows" in cli("apply", "dedup", "--dataset", file).err


def test_fields_that_contradict_are_told_without_a_place(cli, file):
    """A fault of the whole stage has no field to name."""
    assert "stage 1 (sample): give exactly one of --first N" in cli("apply", "sample", "--dataset", file).err


def test_a_missing_file_names_only_a_file_that_is_like_it(cli, file):
    """A folder may hold thousands."""
    Path("other.csv").write_text("a\n1\n")
    assert cli("apply", "dedup", "--dataset", "nothing/rows.jsonl").err.rstrip().endswith("nor the folder 'nothing'.")
    assert cli("apply", "dedup", "--dataset", "unlike.parquet").err.rstrip().endswith("no file 'unlike.parquet'.")
