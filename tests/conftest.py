"""Every test session has caches of its own, so that nothing is taken from an earlier run or from the user's home."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.servers.openai_server import OpenAIServer
from tests.servers.warm import WarmPython

# A shell that starts the tests in the background has Ctrl-C ignored, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

_HOME = tempfile.mkdtemp(prefix="kbtools-tests-")
os.environ["HF_HOME"] = _HOME  # read when `datasets` and `huggingface_hub` are imported, so before any test module
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the same with a GPU as without: benchmarks/verify_gpu.py asks what one says
# Compiled once: every worker, and every process that a test starts, would compile all of kbtools anew without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Matplotlib searches for fonts once, however many homes the tests make up.
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "kbtools-tests-matplotlib"))
for name in ("DATASET_PATH", "TEST_MODE", "HF_TOKEN", "KBTOOLS_MODEL", "DATA_MODEL", "PRIME_API_KEY", "OPENAI_API_KEY"):
    os.environ.pop(name, None)


# The same examples in every run, however busy the machine; HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

_TESTS = Path(__file__).parent
_BY_FOLDER = {"plugins/verify": "verify", "plugins/ptx": "verify", "hub": "hub", "models": "models"}
_FIXTURES_WITH_PROCESSES = {"hub_process", "program", "cluster", "warm"}
"""The Hub, the command line on ten rows, a cluster of Ray, forks of a process; other fixtures stand on these."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker for each core, of which each takes up to a gigabyte, so at most four; one more but for the slow tests.

    Of the others many wait for processes and servers; the slow ones keep their cores busy.
    """
    cores = min(len(os.sched_getaffinity(0)), 4)
    return cores if "slow" in config.option.markexpr.replace("not slow", "") else cores + 1


# After so many more objects garbage is looked for, while modules are imported, too: to look through what all tests
# share took a tenth of a run. It is not frozen: each run of model calls would count what is.
gc.set_threshold(100_000)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Look for garbage once: pytest would do so twice, and the interpreter once more, through all that was imported."""
    if "triton" not in sys.modules:  # what it has made and nobody has collected is told as a leak
        gc.collect()
        gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules and folders all of whose tests `-m "not process and not verify"` leaves out are not imported."""
    asked = config.option.markexpr
    terms = () if " or " in asked else asked.split(" and ")
    return True if any(f"not {mark}" in terms for mark in _marks_by_place(collection_path)) else None


@cache
def _marks_by_place(path: Path) -> set[str]:
    """What all tests of a module or a folder are marked with."""
    if not path.is_relative_to(_TESTS):
        return set()
    where = f"{path.relative_to(_TESTS).as_posix()}/"
    marks = {mark for folder, mark in _BY_FOLDER.items() if where.startswith(f"{folder}/")}
    starts = path.suffix == ".py" and "subprocess" in path.read_text(encoding="utf-8")
    return marks | {"process"} if starts else marks


@pytest.hookimpl(tryfirst=True)  # before pytest selects by `-m`
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks by place: `verify`, `hub` and `models` by folder, `process` where a module or a fixture starts processes.

    Slow and long tests run only where `-m` speaks of them, whatever else it says.
    """
    for mark in ("slow", "long"):
        if mark not in config.option.markexpr:
            items[:] = [item for item in items if item.get_closest_marker(mark) is None]
    for item in items:
        for mark in _marks_by_place(item.path):
            item.add_marker(mark)
        if set(getattr(item, "fixturenames", ())) & _FIXTURES_WITH_PROCESSES:
            item.add_marker("process")


@pytest.fixture(autouse=True)
def _no_process_without_its_mark(request: pytest.FixtureRequest) -> Iterator[None]:
    """`-m "not process and not verify"` is quick because nothing in it starts a process: a test that does says so.

    Slow and long tests are not in it.
    """
    _started.clear()
    yield
    if not any(request.node.get_closest_marker(mark) for mark in ("process", "verify", "slow", "long")):
        assert not _started, f"mark this test with `process`: it starts {_started}"


_started: list[str] = []
_start = subprocess.Popen.__init__


def _noted(process: subprocess.Popen[Any], args: Any, *more: Any, **settings: Any) -> None:
    if args[0] not in ("fc-list", "uname", "/sbin/ldconfig"):  # those of matplotlib, platform and triton, once
        _started.append(str(args))
    _start(process, args, *more, **settings)


subprocess.Popen.__init__ = _noted  # type: ignore[method-assign]  # a hook of `sys.audit` hears of each `id`, too


_numbers = count()


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's, without the link to the newest folder, which costs more than the folder."""
    folder = tmp_path_factory.getbasetemp() / f"test-{next(_numbers)}"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths such as outputs/ and the response store land in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBTOOLS_STORE", str(tmp_path / "responses.sqlite"))


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """The process of which programs that a test starts and waits for can be forks."""
    process = WarmPython()
    yield process
    process.stop()


@pytest.fixture
def model_server() -> Iterator[Callable[..., tuple[OpenAIServer, str]]]:
    """Starts scripted model servers that end with the test; each call gives a server and the model spec for it."""
    running: list[OpenAIServer] = []

    def start(**settings: Any) -> tuple[OpenAIServer, str]:
        server = OpenAIServer(**settings)
        running.append(server.__enter__())
        return server, f"{server.url}#test-model"

    yield start
    for server in running:
        server.__exit__()


@dataclass(frozen=True)
class Outcome:
    """What a call of the program left."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outcome]]:
    """Call the program with these words; the environment, which .env may change, is put back afterwards."""

    from kbtools.cli import main

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), printed.out, printed.err)

    before = dict(os.environ)
    yield call
    monkeypatch.undo()  # before the environment, of which it may remember what .env had set
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def install(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], Path]]:
    """Put a plugin module of this source on the path, with the metadata that an installer would write."""
    from kbtools.plugins import registry

    folder = tmp_path / "site"

    def put(name: str, source: str, version: str = "1.0") -> Path:
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[kbtools]\nown = {name.replace('-', '_')}\n")
        (folder / f"{name.replace('-', '_')}.py").write_text(source)
        registry.cache_clear()
        return folder

    monkeypatch.syspath_prepend(folder)
    yield put
    registry.cache_clear()
    for module in [name for name, found in sys.modules.items() if str(folder) in str(getattr(found, "__file__", ""))]:
        del sys.modules[module]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of rows that nobody here wrote; the test is skipped where it is not beside the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this checkout")
    return folder
