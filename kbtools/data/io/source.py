"""Where a dataset comes from: a description that, given again, loads the same rows."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from glob import escape, has_magic
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kbtools.data.processes import here, is_running
from kbtools.errors import UsageError


def local_path(name: str | Path) -> Path:
    """The path that a name means, `~` being the home folder; UsageError for one that no record could hold."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name {os.fsencode(name)!r} is not UTF-8 text, and no record could hold it.") from None
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~name, and nobody is called so
        return Path(".", name)


def aside(path: Path, ending: str = "part") -> Path:
    """A name beside a path that no other process or thread takes, to write to before the result is renamed.

    What processes of this machine were writing there when they were killed is removed.
    """
    for left in path.parent.glob(f".{escape(path.name)}.{here()}.*.part"):
        pid = left.name.split(".")[-3]
        if pid.isdecimal() and not is_running(int(pid)):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{here()}.{os.getpid()}.{uuid.uuid4().hex[:12]}.{ending}")


class Source(BaseModel):
    """What to load, as a recipe writes it; `revision` and `sha256` of a finished load pin the content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    """Hub id (also ID@REVISION), file (parquet, JSON, csv, arrow), folder, pattern of files, or `sample`."""
    split: str | None = None
    """Split to load; all of them when not given."""
    config: str | None = None
    """Configuration of a Hub dataset."""
    revision: str | None = None
    """Commit, tag or branch of a Hub dataset."""
    limit: Annotated[int, Field(ge=0)] | None = None
    """Only the first rows of each split."""
    cached: bool | None = None
    """The rows are what the cache held: the Hub was not asked, because offline mode was on."""
    sha256: str | None = None
    """Digest of the content of a local file: a different file under the same name is an error."""

    @property
    def short_name(self) -> str:
        """The name from which outputs are called: the last part without file endings or a revision."""
        name = Path(self.dataset.rstrip("/")).name
        if has_magic(name):
            name = re.sub(r"[*?\[\]]+", "", name).strip("-_. ") or Path(self.dataset).parent.name or "files"
        for ending in (".gz", ".zst", ".bz2", ".xz", ".lz4"):
            name = name.removesuffix(ending)
        for ending in (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".arrow", ".feather"):
            if name.endswith(ending):
                return name.removesuffix(ending)
        return name.partition("@")[0]
