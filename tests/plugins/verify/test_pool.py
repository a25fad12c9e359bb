"""Many pairs: equal ones once, known ones never again, and deaths of workers leave no trace in the result."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_verify_pair import CANDIDATE, REFERENCE

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.cache import VerdictStore, key_of, source_digest
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.pool import Pair, verify_all

SETTINGS = VerifySettings(seed=3)


def _pairs(count: int) -> list[Pair]:
    """Right, wrong and endless-to-compile candidates, all different."""
    changes = [("", ""), ("0.0)", "0.5)"), ("return out", "return torch.relu(x * self.weight)")]
    return [Pair(REFERENCE, CANDIDATE.replace(*changes[number % 3]) + f"\n# {number}\n") for number in range(count)]


def _plain(verdicts) -> list[dict]:
    return [verdict.model_dump(exclude={"seconds", "processor_seconds"}) for verdict in verdicts]


def test_equal_pairs_are_checked_once_and_known_ones_not_at_all(tmp_path: Path) -> None:
    """The second run takes no time and gives the same, in the order of the pairs."""
    pairs = [*_pairs(3), _pairs(3)[0]]
    store = VerdictStore(tmp_path / "verdicts.sqlite")
    seen: list[str] = []
    first = verify_all(pairs, SETTINGS, 1, store, lambda verdict: seen.append(verdict.verdict))
    again = verify_all(pairs, SETTINGS, 1, store)
    assert [verdict.verdict for verdict in first] == ["pass", "wrong_output", "hack:decoy_kernel", "pass"]
    assert len(seen) == 4
    assert again == first


def test_other_settings_are_another_check(tmp_path: Path) -> None:
    """A verdict is kept under everything it depends on."""
    store = VerdictStore(tmp_path / "verdicts.sqlite")
    pair = Pair(REFERENCE, "def broken(:")
    verify_all([pair], SETTINGS, 1, store)
    changed = SETTINGS.model_copy(update={"targets": (90,)})
    (verdict,) = verify_all([pair], changed, 1, store)
    assert "90" in verdict.fingerprint["settings"]
    assert "80" not in verdict.fingerprint["settings"]


def test_keys_tell_seeds_and_sources_apart(tmp_path: Path) -> None:
    """Another seed is another check, and so is an edit in any folder of the package, or a module that moves."""
    keys = {key_of("a", "b", None, VerifySettings(seed=seed)) for seed in (None, 1, 2)}
    assert len(keys) == 3
    module = tmp_path / "worker" / "replay" / "job.py"
    module.parent.mkdir(parents=True)
    digests = []
    for text in ("one", "two"):
        module.write_text(text)
        digests.append(source_digest(tmp_path))
    module.rename(tmp_path / "worker" / "job.py")
    assert len({*digests, source_digest(tmp_path)}) == 3


@pytest.mark.slow
def test_killed_workers_change_nothing() -> None:
    """Random processes below this one are killed while 24 pairs are checked; the verdicts are those of a quiet run."""
    quiet = verify_all(_pairs(24), SETTINGS, 2)
    done = threading.Event()
    killer = threading.Thread(target=_kill_at_random, args=(done,))
    killer.start()
    disturbed = verify_all(_pairs(24), SETTINGS, 2)
    done.set()
    killer.join()
    assert _plain(disturbed) == _plain(quiet)


KILLED_ONCE = """#!/bin/sh
if [ "$1" != --version ] && mkdir {folder}/killed 2>/dev/null; then kill -9 $$; fi
exec {ptxas} "$@"
"""


@pytest.mark.slow
def test_a_worker_whose_assembler_is_killed_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is killed itself: it has told nothing of a candidate yet."""
    from triton import knobs

    assembler = tmp_path / "ptxas"
    assembler.write_text(KILLED_ONCE.format(folder=tmp_path, ptxas=knobs.nvidia.ptxas.path))
    assembler.chmod(0o755)
    (tmp_path / "sitecustomize.py").write_text(f"import os; os.environ['TRITON_PTXAS_PATH'] = {str(assembler)!r}")
    monkeypatch.syspath_prepend(tmp_path)
    with WarmPair() as workers:
        workers.wait_until_ready()
    assert (tmp_path / "killed").is_dir()


@pytest.mark.slow
def test_killed_run_resumes_where_it_was(tmp_path: Path) -> None:
    """kill -9 of the whole run; the next one takes what is there and ends with the verdicts of an undisturbed one."""
    path = tmp_path / "verdicts.sqlite"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_pool import _pairs, SETTINGS, verify_all, VerdictStore, Path\n"
        "verify_all(_pairs(12), SETTINGS, 1, VerdictStore(Path(sys.argv[2])), lambda verdict: print('.', flush=True))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert run.stdout is not None
    for _ in range(4):
        run.stdout.readline()
    run.kill()
    run.wait()
    store = VerdictStore(path)
    kept = store._connection.execute("SELECT count(*) FROM verdicts").fetchone()[0]
    assert 4 <= kept < 12
    resumed = verify_all(_pairs(12), SETTINGS, 1, store)
    assert _plain(resumed) == _plain(verify_all(_pairs(12), SETTINGS, 2))


def _kill_at_random(done: threading.Event) -> None:
    chance = random.Random(1)
    for _ in range(6):
        if done.wait(2.0):
            return
        if below := _workers_below(os.getpid()):
            os.kill(chance.choice(below), signal.SIGKILL)


def _workers_below(pid: int) -> list[int]:
    """The warm processes of this run and their jobs; other children of the test process are not ours to kill."""
    warm = [child for child in _descendants(pid) if b"kbtools_plugins.verify.worker.zygote" in _command_line(child)]
    return sorted({pid for found in warm for pid in (found, *_descendants(found))})


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def test_orphans_clean_up_after_themselves(tmp_path: Path) -> None:
    """When the caller is killed its warm processes end and take their folder along."""
    code = (
        "from kbtools_plugins.verify.host.processes import WarmPair\nimport time\n"
        "pair = WarmPair()\npair.wait_until_ready()\n"
        "print(pair._scratch, flush=True)\ntime.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    below = _descendants(run.pid)
    run.kill()
    run.wait()
    for _ in range(600):
        if not folder.exists() and not any(Path(f"/proc/{pid}").exists() for pid in below):
            break
        time.sleep(0.1)
    assert not folder.exists()
