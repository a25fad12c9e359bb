"""Cached results are reused only when input, config, prompt text and code are what they were."""

import os
import subprocess
import sys
from pathlib import Path

from tests.rows import evals
from tests.test_stage import AddOne

_STAGE = '''
from typing import ClassVar
import pyarrow as pa
import kbtools as kb
from kbtools.data.table import map_batches

class Stamp(kb.Stage):
    """Overwrite a column."""
    name: ClassVar[str] = "stamp"
    scope: ClassVar = "row"
    word: str = "x"
    """Word to write."""
    prompt_file: str = ""
    """Prompt whose text counts."""

    def prompts(self):
        return {{"p@v1": open(self.prompt_file).read()}} if self.prompt_file else {{}}

    def transform(self, ds):
        def stamp(table):
            print("computed", flush=True)
            text = list(self.prompts().values())
            value = "{code}" + self.word + "".join(text)
            return table.set_column(0, "a", pa.array([value] * table.num_rows))
        return kb.Result(map_batches(ds, stamp, features=ds.features, fingerprint=self.fingerprint(ds)))
'''
_SCRIPT = """
import sys
import kbtools as kb
import stamp_stage
out = kb.apply(kb.load("data.jsonl"), stamp_stage.Stamp(**eval(sys.argv[1])))
print("value", out["a"][0])
"""


def _run(folder: Path, code: str, **fields: str) -> tuple[str, bool]:
    """Value in the result and whether it was computed, in a process of its own with a cache that is shared."""
    (folder / "stamp_stage.py").write_text(_STAGE.format(code=code))
    return _ran(folder, _SCRIPT, fields)


def _ran(folder: Path, script: str, fields: dict[str, str] | None = None) -> tuple[str, bool]:
    done = subprocess.run(
        [sys.executable, "-c", script, repr(fields or {})],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    value = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("value"))
    return value, "computed" in done.stdout


def test_cache_goes_by_code_config_and_prompt_text(tmp_path):
    """An unchanged stage is reused; edited code, config or prompt text never gives old rows."""
    (tmp_path / "data.jsonl").write_text('{"a": "old"}\n')
    prompt = tmp_path / "v1.j2"
    prompt.write_text("P")
    assert _run(tmp_path, "one-", prompt_file=str(prompt)) == ("one-xP", True)
    assert _run(tmp_path, "one-", prompt_file=str(prompt)) == ("one-xP", False)
    assert _run(tmp_path, "two-", prompt_file=str(prompt)) == ("two-xP", True)
    assert _run(tmp_path, "two-", prompt_file=str(prompt), word="y") == ("two-yP", True)
    prompt.write_text("Q")
    assert _run(tmp_path, "two-", prompt_file=str(prompt)) == ("two-xQ", True)
    (tmp_path / "data.jsonl").write_text('{"a": "new"}\n')
    assert _run(tmp_path, "two-", prompt_file=str(prompt)) == ("two-xQ", True)


def test_fingerprint_depends_on_input_config_and_step():
    """Each part of the key makes it another key of 64 digits."""
    ds, other = evals([1.0]), evals([2.0])
    keys = {
        AddOne().fingerprint(ds),
        AddOne().fingerprint(other),
        AddOne(column="example_id").fingerprint(ds),
        AddOne().fingerprint(ds, "second step"),
    }
    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)
    assert AddOne().fingerprint(ds) == AddOne().fingerprint(ds)


def test_stage_without_a_source_file_is_never_reused():
    """Code typed into a notebook may change under one name."""
    namespace: dict[str, object] = {"__name__": "notebook_cell"}
    exec("from tests.test_stage import AddOne\nclass Cell(AddOne):\n    '''A cell.'''\n", namespace)
    cell = namespace["Cell"]()  # type: ignore[operator]
    ds = evals([1.0])
    assert cell.fingerprint(ds) != cell.fingerprint(ds)


def test_code_anywhere_in_a_plugin_counts(tmp_path):
    """An edit in another folder of the package, of a data file, or a move of a file makes the rows anew."""
    package = tmp_path / "myplug"
    for name, text in {
        "__init__.py": "",
        "stages/__init__.py": "",
        "stages/stamp.py": _STAGE.format(code="")
        .replace('"" +', "VALUE +")
        .replace("import kbtools as kb", "import kbtools as kb\nfrom myplug.tools.words import VALUE"),
        "tools/words.py": 'from pathlib import Path\nVALUE = Path(__file__).with_name("w.txt").read_text()\n',
        "tools/w.txt": "one-",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    (tmp_path / "data.jsonl").write_text('{"a": "old"}\n')
    script = _SCRIPT.replace("stamp_stage.Stamp", "stages.stamp.Stamp").replace(
        "import stamp_stage", "from myplug import stages; import myplug.stages.stamp"
    )

    def made() -> tuple[str, bool]:
        return _ran(tmp_path, script)

    assert made() == ("one-x", True)
    assert made() == ("one-x", False)
    (package / "tools" / "w.txt").write_text("two-")
    assert made() == ("two-x", True)
    (package / "tools" / "words.py").write_text('VALUE = "three-"\n')
    assert made() == ("three-x", True)
    (package / "more.py").write_text("")
    assert made()[1]
    (package / "more.py").rename(package / "tools" / "more.py")
    assert made()[1]
    (package / "stages" / "__init__.py").unlink()  # a folder without it is a package, too
    (package / "__init__.py").unlink()
    assert made() == ("three-x", True)
    (package / "tools" / "words.py").write_text('VALUE = "four-"\n')
    assert made() == ("four-x", True)
