"""What others published, or what is another dataset's, is never replaced unasked: by no command, recipe or variable."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LICENSED = ("--license", "mit")
OLD_ENV = {
    "DATASET_PATH": "me/evals",
    "FILTERED_DATASET_PATH": "me/evals-filtered",
    "UNIQUE_DATASET_PATH": "me/evals-unique",
    "SYNTHETIC_DATASET_PATH": "me/synthetic-tasks",
}
TARGETS = {name.replace("_PATH", "_REPO"): repo for name, repo in OLD_ENV.items()}
LICENCES = {"DATASET_LICENSE": "mit", "KERNELBOOK_LICENSE": "mit", "KERNELBOOK_PATH": "tasks.jsonl"}
ENVS = {
    "targets": OLD_ENV | TARGETS | LICENCES,
    "test mode": OLD_ENV | TARGETS | LICENCES | {"TEST_MODE": "true"},
    "files": {name: f"{repo.partition('/')[2]}.jsonl" for name, repo in OLD_ENV.items()} | TARGETS | LICENCES,
}
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
OTHERS = r"kbtools (new|verify|doctor|serve-verify|label)\b|kbtools \w+ --help|kbtools -"
"""Commands that make a folder of their own, run kernels, serve until they are stopped, or only explain."""
NAMES = [*OLD_ENV.values(), "me/evals-unique-no-reasoning", "me/x", "me/x-filtered-judged-no-reasoning", "siro1/x"]


def heads(hub):
    """What every repository holds."""
    return {repo: hub.state(repo)["files"] for repo in hub.repos()}


def commands():
    """Every command of the README and of docs, and every recipe by name and all together."""
    pages = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    texts = [path.read_text().replace("\\\n", " ") for path in pages]
    lines = [line for text in texts for line in re.findall(r"^(?:\$|    )\s*(kbtools .*)$", text, re.MULTILINE)]
    inline = [line for text in texts for line in re.findall(r"`(kbtools \w[^`…]*)`", text)]
    kinds = [f"kbtools upload {kind}" for kind in ("all", "filtered", "unique", "synthetic")]
    recipes = [
        f"kbtools run {path.relative_to(ROOT)} {name}"
        for path in RECIPES
        for name in ("", *(recipe["name"] for recipe in tomllib.loads(path.read_text()).get("recipe", ())))
    ]
    every = dict.fromkeys([*lines, *inline, *kinds, *recipes, *(f"{line} --dry-run" for line in (*kinds, *recipes))])
    return [line for line in every if not re.match(OTHERS, line)]


def words_of(line):
    """What a shell makes of a command."""
    return shlex.split(re.split(r"\s#", line)[0].replace("...", ""))[1:]


def pushing():
    """Those commands that may write to the Hub."""
    return [line for line in commands() if words_of(line)[0] in ("run", "upload") or "push" in line]


def written():
    """Every file that a command names to be written, and those that are written without a name."""
    names = {
        name
        for line in commands()
        for name in re.findall(r"(?:--out|--dropped|--save-recipe|export|pull \S+ --out)[ =](\S+)", line)
    }
    plots = [
        f"plots/{name}.{ending}"
        for name in ("stats", "agreement", "correlation_analysis")
        for ending in ("png", "json")
    ]
    files = {name for name in names if re.search(r"\.\w+$", name) and not name.startswith(("/", "hf:"))}
    return sorted({*files, *plots, "report.html", "best.parquet", "again.parquet", "x.parquet", "rows.jsonl"})


FORKED = """
import datasets, os, signal, sys
from kbtools.cli import main
from kbtools.plugins import registry
registry()
def run(words):
    child = os.fork()
    if not child:
        signal.alarm(30)
        sys.stdout = sys.stderr = open(os.devnull, "w")
        try:
            main(words)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print("ended", *words, flush=True)
"""
"""Each command in a process of its own, all of which begin where the imports are done."""
SOME = 7
"""Commands of one such beginning: each may take 30 seconds, and a client waits for four minutes."""


@pytest.fixture
def foreign(client, rows):
    """A dataset under every name, which kbtools did not write, and the recipes as they are shipped."""
    copies = "".join(f"\n            ds.push_to_hub({name!r}, private=True)" for name in NAMES if "siro1" not in name)
    client.upload("me/first", rows, copies.strip())
    (client.folder / "recipes").symlink_to(ROOT / "recipes")


def ran(client, env, lines):
    """Each command ends, whatever comes of it, under variables that stand in a file `.env`."""
    (client.folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in env.items()))
    words, ended = [words_of(line) for line in lines], 0
    for at in range(0, len(words), SOME):
        done = client.python(f"{FORKED}\nfor words in {words[at : at + SOME]!r}:\n    run(words)")
        assert done.code == 0, done.err
        ended += done.out.count("ended")
    assert ended == len(lines)


@pytest.mark.slow
def test_a_visitor_with_the_old_variables_loses_nothing(client, hub, foreign):
    """Every command that is written down anywhere, where a foreign dataset has every name; what was there is there."""
    precious = [client.folder / name for name in written()]
    for path in precious:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"mine": 1}\n')
    before, files = heads(hub), {path: path.read_bytes() for path in precious}
    assert len(commands()) >= 70
    ran(client, OLD_ENV | {"KBTOOLS_JUDGE": "static"}, commands())
    after = heads(hub)
    assert {repo: after[repo] for repo in before} == before
    assert {path: path.read_bytes() for path in files} == files


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVS)
def test_a_visitor_who_names_targets_loses_nothing_either(client, hub, foreign, rows, env):
    """The variables of today, with a test run's, and with files to read: every target is another's dataset."""
    for name in ("tasks", *(value.partition("/")[2] for value in OLD_ENV.values())):
        (client.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = heads(hub)
    assert len(pushing()) >= 20
    ran(client, ENVS[env] | {"KBTOOLS_JUDGE": "static"}, pushing())
    after = heads(hub)
    assert {repo: after[repo] for repo in before} == before
    refused = client.kbtools("upload", "all", *LICENSED)
    assert (refused.code == 2) == (env != "test mode"), refused.text


@pytest.mark.parametrize("how", ["flag", "field", "recipe"])
def test_a_dataset_that_kbtools_did_not_write_is_replaced_only_when_told(client, hub, jsonl, rows, how):
    """Refused before the rows are loaded, with how many would have gone; --overwrite replaces, and says so."""
    client.upload("me/x", rows[:3])
    before = heads(hub)
    (client.folder / "r.toml").write_text(
        '[source]\ndataset = "mine.jsonl"\n[[stages]]\nstage = "push"\nrepo = "me/x"\nlicense = "mit"\n'
    )
    words = {
        "flag": ("apply", "sample", "--first", "5", "--dataset", "mine.jsonl", "--push", "--repo", "x", *LICENSED),
        "field": ("apply", "push", "--repo", "x", *LICENSED, "--dataset", "mine.jsonl"),
        "recipe": ("run", "r.toml"),
    }[how]
    refused = client.kbtools(*words)
    assert refused.code == 2, refused.text
    assert "me/x holds 3 rows that this push would replace, and kbtools did not write them" in refused.err
    assert "loading" not in refused.err
    assert heads(hub) == before
    done = client.kbtools(*words, "--overwrite")
    assert done.code == 0, done.text
    assert "warning: replaces 3 rows there" in done.err
    many = f"{5 if how == 'flag' else 20} rows"
    assert done.err.index(f"{many} replace 3 rows in me/x") < done.err.index(f"{many} replaced 3 rows")


def test_an_earlier_state_of_the_same_dataset_is_replaced_and_said(client, hub, jsonl, rows):
    """The file has changed; another file, another number of rows and rows that somebody edited are something else."""
    words = ("apply", "push", "--repo", "x", *LICENSED, "--dataset")
    assert client.kbtools(*words, "mine.jsonl").code == 0
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows[:7]))
    again = client.kbtools(*words, "mine.jsonl")
    assert again.code == 0, again.text
    assert "replaces 20 rows there" in again.err
    assert again.err.index("7 rows replace 20 rows in me/x") < again.err.index("7 rows replaced 20 rows")
    planned = client.kbtools(*words, "mine.jsonl", "--dry-run")
    assert "/datasets/me/x (7 rows replace 7 rows)" in planned.text
    (client.folder / "other.jsonl").write_text(jsonl.read_text())
    refused = client.kbtools(*words, "other.jsonl")
    assert (refused.code, "made from mine.jsonl, not from other.jsonl" in refused.err) == (2, True), refused.text
    limited = client.kbtools(*words, "mine.jsonl", "--limit", "2")
    assert limited.code == 0, limited.text
    assert client.rows("me/x-first2") == {"train": rows[:2]}
    assert client.rows("me/x") == {"train": rows[:7]}
    client.upload("me/y", rows[:3], 'ds.push_to_hub("me/x")')  # by other means, over ours
    refused = client.kbtools(*words, "mine.jsonl")
    assert (refused.code, "they were changed since kbtools wrote them" in refused.err) == (2, True), refused.text


def test_a_csv_at_the_root_of_a_repository_counts_as_data(client, hub, jsonl):
    """Once a configuration is listed, nobody would load it any more."""
    made = client.python("""
        import huggingface_hub
        api = huggingface_hub.HfApi()
        api.create_repo("me/x", repo_type="dataset")
        api.upload_file(path_or_fileobj=b"a,b", path_in_repo="train.csv", repo_id="me/x", repo_type="dataset")
    """)
    assert made.code == 0, made.err
    for more in ((), ("--config-name", "other")):
        refused = client.kbtools("apply", "push", "--repo", "x", *LICENSED, *more, "--dataset", "mine.jsonl")
        assert (refused.code, "files whose rows it does not count" in refused.err) == (2, True), refused.text


TWO = """
    [[recipe]]
    name = "good"
    source = {{ dataset = "mine.jsonl" }}
    stages = [{{ stage = "filter", where = "reward > 0.5" }}, {{ stage = "push", repo = "me/good", license = "mit" }}]
    [[recipe]]
    name = "best"
    source = {{ dataset = "me/good" }}
    stages = [{{ stage = "filter", where = "reward > 1.5" }}, {{ stage = "push", repo = "{second}" }}]
"""


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("me/taken", "me/taken holds 3 rows"),
        ("other/x", "cannot make the repository"),
        ("me/good", "two pushes of this"),
    ],
)
def test_all_recipes_are_checked_before_the_first_push(client, hub, jsonl, rows, second, message):
    """The last one may not write where it is to, so the first one does not run."""
    client.upload("me/taken", rows[:3])
    (client.folder / "two.toml").write_text(TWO.format(second=second))
    refused = client.kbtools("run", "two.toml")
    assert refused.code in (2, 3)
    assert message in refused.err
    assert hub.repos() == ["me/taken"]


def test_a_dry_run_names_every_target_and_a_test_run_has_names_of_its_own(client, hub, jsonl, rows):
    """Also those of recipes whose source is still to be pushed; five rows never go by the name of all of them."""
    (client.folder / "two.toml").write_text(TWO.format(second="me/best"))
    planned = client.kbtools("run", "two.toml", "--dry-run", "--quiet")
    assert planned.code == 0, planned.text
    assert re.findall(r"would push to http://[^/]+/datasets/(\S+) \(new\)", planned.out) == ["me/good", "me/best"]
    assert hub.repos() == []
    (client.folder / "two.toml").write_text(TWO.format(second="me/best").replace("1.5", "0").replace("0.5", "-1"))
    few = client.kbtools("run", "two.toml", TEST_MODE="true")
    assert few.code == 0, few.text
    assert sorted(hub.repos()) == ["me/best-first5", "me/good-first5"]
    assert client.rows("me/best-first5") == {"train": rows[1:5]}


def test_upload_means_what_it_meant(client, hub, jsonl, rows):
    """A finished file goes to the Hub, 90/10 by module with the old seed; synthetic tasks whole; splits are kept."""
    env = {"FILTERED_DATASET_PATH": "mine.jsonl", "FILTERED_DATASET_REPO": "me/evals-filtered"}
    done = client.kbtools("upload", "filtered", *LICENSED, **env)
    assert done.code == 0, done.text
    found = client.rows("me/evals-filtered")
    modules = {name: {row["info"]["module_name"] for row in part} for name, part in found.items()}
    assert set(found) == {"train", "validation"}
    assert sum(map(len, found.values())) == 20
    assert modules["train"].isdisjoint(modules["validation"])
    assert client.kbtools("upload", "synthetic", *LICENSED, SYNTHETIC_DATASET_PATH="mine.jsonl").code == 0
    assert client.rows("me/mine") == {"train": rows}
    copied = client.kbtools("upload", "unique", "--dataset", "me/evals-filtered", "--repo", "me/copy", *LICENSED)
    assert copied.code == 0, copied.text
    assert client.rows("me/copy") == found
    missing = client.kbtools("upload", "all")
    assert (missing.code, "set DATASET_PATH" in missing.err) == (2, True), missing.text
    own = client.kbtools("upload", "filtered", *LICENSED, FILTERED_DATASET_PATH="me/evals-filtered")
    assert (own.code, "onto its own source" in own.err) == (2, True), own.text


def test_what_is_published_names_no_private_place(client, hub, tmp_path, rows):
    """Nothing that reaches the Hub does, the rows included: no folder, no user, no server, no key."""
    home = tmp_path / "home of alice" / "secret project"
    home.mkdir(parents=True)
    (home / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = "by carol\n\n<!-- kbtools: config b -->\nfrom /home/bob/rows.jsonl\n<!-- end of config b -->\n"
    client.upload("me/x", rows[:1], f"huggingface_hub.DatasetCard({before!r}).push_to_hub('me/x')")
    private = {"USER": "alice", "HOSTNAME": "gpubox", "PRIME_API_KEY": "sk-swordfish"}
    done = client.kbtools(
        *(
            "apply",
            "sample",
            "--first",
            "5",
            "filter",
            "--where",
            "info.module_name != 'alice at gpubox, sk-swordfish'",
        ),
        *("judge", "--rubric", "difficulty", "--model", "http://127.0.0.1:9/v1#/home/bob/models/m"),
        *("--on-error", "null", "--max-attempts", "1", "stats", "--plots", str(home / "plots"), "--overwrite"),
        *("--dataset", str(home / "mine.jsonl"), "--push", "--repo", "x", "--config-name", "a", *LICENSED),
        **private,
    )
    assert done.code == 1, done.text
    read = client.python("""
        import datasets, huggingface_hub as h, pathlib
        folder = pathlib.Path(h.snapshot_download("me/x", repo_type="dataset"))
        for path in folder.rglob("*"):
            if path.is_file():
                print(path.read_bytes().decode("latin-1"))
        print(datasets.load_dataset("me/x", "a")["train"]["difficulty_error"][:])
    """)
    assert read.code == 0, read.err
    for kept in ("mine.jsonl", "by carol", "private-server", "info.module_name != 'user at private-server, secret'"):
        assert kept in read.out
    assert not re.search(r"home of|secret project|127\.0\.0|/tmp|alice|bob|gpubox|swordfish", read.out)
