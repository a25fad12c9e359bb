"""Starting is cheap: help needs none of the libraries that the work needs."""

import json
import subprocess
import sys

import pytest

HEAVY = {"pydantic", "datasets", "pyarrow", "polars", "torch", "triton", "transformers", "openai", "rich", "pluggy"}


def loaded_by(*words: str) -> set[str]:
    """Modules that a call of the program leaves imported."""
    code = (
        "import json, sys\nfrom kbtools.cli import main\n"
        f"try:\n    main({list(words)!r})\n"
        "except SystemExit as stopped:\n    assert not stopped.code\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        timeout=60,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(option):
    """`kbtools --help` knows its commands without importing one."""
    assert loaded_by(option) & HEAVY == set()


@pytest.mark.parametrize("words", [("apply", "--help"), ("apply", "filter", "--help"), ("plugins",)], ids=" ".join)
def test_listing_stages_imports_no_data_library(words):
    """Stages are declared without the libraries that they run on."""
    assert loaded_by(*words) & (HEAVY - {"pydantic", "rich", "pluggy"}) == set()


def test_looking_at_rows_imports_nothing_that_asks_a_model_or_runs_a_chain(tmp_path):
    """Case 13 of ../shared/cases/outside: what `show` waits for is `datasets`, and nothing beside it."""
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "text": "a"}\n')
    needless = {"kbtools.models", "kbtools.judge", "kbtools.llm", "kbtools.pipeline.chain", "kbtools_plugins", "polars"}
    assert loaded_by("show", str(tmp_path / "rows.jsonl")) & needless == set()
