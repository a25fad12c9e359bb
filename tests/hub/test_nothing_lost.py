"""What others published, or what is another dataset's, is never replaced unasked: by no command, recipe or variable."""

import json
import re
import shlex
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
NAMES = [*OLD_ENV.values(), "me/evals-unique-no-reasoning", "me/x", "me/x-filtered-judged-no-reasoning", "siro1/x"]


def heads(hub):
    """What every repository holds."""
    return {repo: hub.state(repo)["files"] for repo in hub.repos()}


def commands():
    """Every command of the README and of docs, and every recipe by name and all together."""
    texts = [
        path.read_text().replace("\\\n", " ") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    ]
    lines = [line for text in texts for line in re.findall(r"^\$ (kbtools .*)$", text, re.MULTILINE)]
    inline = [
        line
        for text in texts
        for line in re.findall(r"`(kbtools (?:run|upload|apply|pull|report|store|env|new|lineage) [^`…]*)`", text)
    ]
    recipes = [f"kbtools run {path.relative_to(ROOT)}" for path in sorted((ROOT / "recipes").glob("*.toml"))]
    recipe = "kbtools run recipes/kernelbook.toml"
    kinds = [f"kbtools upload {kind}" for kind in ("all", "filtered", "unique", "synthetic")]
    recipes += [
        f"{recipe} {name}" for name in ("", "all", "filtered", "unique", "synthetic", "no-reasoning", "analysis")
    ]
    return [line for line in dict.fromkeys([*lines, *inline, *kinds, *recipes]) if " new " not in line]


def written():
    """Every file that a command names to be written, and those that are written without a name."""
    names = {
        name for line in commands() for name in re.findall(r"(?:--out|--dropped|export|pull \S+ --out)[ =](\S+)", line)
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


@pytest.mark.slow
def test_a_visitor_with_the_old_variables_loses_nothing(client, hub, rows):
    """Every command that is written down anywhere, where a foreign dataset has every name; what was there is there."""
    client.upload("me/evals", rows)
    copies = "".join(
        f"\n            ds.push_to_hub({name!r}, private=True)" for name in NAMES[1:] if "siro1" not in name
    )
    client.upload("me/first", rows, copies.strip())
    (client.folder / "recipes").symlink_to(ROOT / "recipes")
    (client.folder / ".env").write_text(
        "".join(f"{key}={value}\n" for key, value in OLD_ENV.items()) + "KBTOOLS_JUDGE=static\n"
    )
    precious = [client.folder / name for name in written()]
    for path in precious:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"mine": 1}\n')
    before, files = heads(hub), {path: path.read_bytes() for path in precious}
    split = {line: shlex.split(line.partition(" #")[0].replace("...", ""))[1:] for line in commands()}
    tried = {line: each for line, each in split.items() if each and each[0] not in ("verify", "doctor", "serve-verify")}
    words, ended = list(tried.values()), 0
    for at in range(0, len(words), SOME):
        done = client.python(f"{FORKED}\nfor words in {words[at : at + SOME]!r}:\n    run(words)")
        assert done.code == 0, done.err
        ended += done.out.count("ended")
    assert ended == len(tried) >= 30
    after = heads(hub)
    assert {repo: after[repo] for repo in before} == before
    assert {path: path.read_bytes() for path in files} == files


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
    assert f"{5 if how == 'flag' else 20} rows replaced 3 rows" in done.err


def test_an_earlier_state_of_the_same_dataset_is_replaced_and_said(client, hub, jsonl, rows):
    """The file has changed; another file, another number of rows and rows that somebody edited are something else."""
    words = ("apply", "push", "--repo", "x", *LICENSED, "--dataset")
    assert client.kbtools(*words, "mine.jsonl").code == 0
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows[:7]))
    again = client.kbtools(*words, "mine.jsonl")
    assert again.code == 0, again.text
    assert "replaces 20 rows there" in again.err
    assert "7 rows replaced 20 rows" in again.err
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
    """Neither the card nor the lineage: no folder, no user, no server."""
    home = tmp_path / "home-of-alice" / "secret-project"
    home.mkdir(parents=True)
    (home / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = client.kbtools(
        *("apply", "filter", "--where", "reward > 0.5", "stats", "--plots", str(home / "plots")),
        *("--dataset", str(home / "mine.jsonl"), "--push", "--repo", "x", *LICENSED),
    )
    assert done.code == 0, done.text
    read = client.python("""
        import huggingface_hub as h
        for name in ("README.md", "kbtools-lineage.json"):
            print(open(h.hf_hub_download("me/x", name, repo_type="dataset")).read())
    """)
    assert "mine.jsonl" in read.out
    assert not re.search("home-of-alice|secret-project|127.0.0.1|/tmp", read.out)
