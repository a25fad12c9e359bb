"""Workers on a Ray cluster of two nodes, which are two raylets of one processor each on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.engines.nodes import SECONDS_TO_ANSWER
from tests.engines.conftest import Program, chains, install
from tests.engines.ray_nodes import Cluster, end, free_port
from tests.engines.test_processes import with_changed_rows
from tests.engines.waiting import SECONDS, alive, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="ray is missing")]


def test_deaths_of_workers_nodes_and_drivers_change_nothing(cluster: Cluster, program: Program) -> None:
    """A worker is killed, then the driver, then a node: equal bytes, and what was finished is not done again."""
    second = cluster.join()
    words = ("slow", "--log", program.log, "deadly", "--log", program.log.with_suffix(".2"), "--row", 5)
    engine = ("--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch", "--shards", 10)
    code, said = program(*words, "--out", "here.parquet", "--engine", "processes=1", "--shards", 1)
    assert code == 0, said

    program.log.unlink()
    program.log.with_suffix(".2.deaths").unlink(missing_ok=True)
    killed = program.start(*words, *engine, "--out", "there.parquet")
    wait_for(lambda: len(program.starts()) >= 5 or killed.poll() is not None)
    killed.kill()
    killed.communicate(timeout=SECONDS)
    begun = len(program.starts())
    running = program.start(*words, *engine, "--out", "there.parquet")
    wait_for(lambda: len(program.starts()) > begun + 1 or running.poll() is not None)
    end(second)
    out, err = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, out + err
    assert "of 10 shards reused" in err
    assert set(program.starts()) == set(range(10))
    assert len(program.starts()) < 10 + 6
    assert (program.folder / "there.parquet").read_bytes() == (program.folder / "here.parquet").read_bytes()
    beside = sorted(file.name for file in program.source.parent.iterdir())
    assert beside == ["rows.parquet", "rows.parquet.lineage.json"]

    begun = len(program.starts())
    interrupted = program.start("slow", "--log", program.log, "--seconds", 2, *engine)
    wait_for(lambda: len(program.starts()) > begun + 1 or interrupted.poll() is not None)
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=SECONDS)
    assert interrupted.returncode == 130, out + err
    assert "of 10 shards are finished and kept, the same command goes on from there" in out + err
    workers = {int(line.split()[0]) for line in program.log.read_text().splitlines()[begun:]}
    wait_for(lambda: not any(alive(pid) for pid in workers))
    assert len(program.starts()) < begun + 10


def test_a_source_that_changes_under_a_run_ends_it(cluster: Cluster, program: Program) -> None:
    """As in local processes."""
    engine = ("--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch")
    code, said = with_changed_rows(program, *engine)
    assert code == 2, said
    assert f"{program.source} is not the file" in said
    assert "has changed since the run began" in said
    assert not (program.folder / "a.parquet").exists()


def test_a_node_with_another_plugin_is_refused_by_name(cluster: Cluster, program: Program, tmp_path: Path) -> None:
    """Another version, and none at all: the error names the node, the plugin and both versions, before any work."""
    engine = ("--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch")
    silent = cluster.join()
    os.killpg(silent.pid, signal.SIGSTOP)  # its versions are never known: a difference is told without them
    other = cluster.join(PYTHONPATH=str(install(tmp_path / "other", "2.0")))
    code, said = program("step", "--log", program.log, *engine)
    assert code == 3
    assert SECONDS_TO_ANSWER <= 10
    assert "plugin kbtools-trouble 1.0 here, 2.0 there" in said
    assert "has other versions than the driver" in said
    end(silent)
    end(other)
    cluster.join(PYTHONPATH="")
    wait_for(lambda: "not installed there" in (program("step", "--log", program.log, *engine)[1]))
    assert not program.starts()


def test_the_sample_chain_has_the_same_bytes_everywhere(cluster: Cluster, program: Program, tmp_path: Path) -> None:
    """In this process, in two, and on Ray in 1, 3 and 8 shards: static judge, verify, near-dedup, split."""
    cluster.join()
    kb.save(kb.load("sample").select(range(0, 170, 30)), program.source)
    chain = ("judge", "--judge", "static", "verify", "--seed", 1, "near-dedup", "split", "to-messages")
    ray = ("--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch")
    runs = [(), ("--engine", "processes=2", "--shards", 3), *((*ray, "--shards", shards) for shards in (1, 3, 8))]
    found = []
    for number, engine in enumerate(runs):
        program.environment["KBTOOLS_VERDICTS"] = str(tmp_path / f"verdicts-{number}.sqlite")
        code, said = program(*chain, *engine, "--out", "out.parquet")
        assert code == 0, said
        found.append([(tmp_path / f"out-{split}.parquet").read_bytes() for split in ("train", "validation")])
    assert found == [found[0]] * 5
    assert chains(program, f"ray={cluster.address}") == chains(program, "none")


def test_offline_vllm_has_a_worker_for_each_gpu(cluster: Cluster, program: Program, tmp_path: Path) -> None:
    """A stand-in for vLLM on a node that says it has two GPUs: replies are stored by the driver, the bytes the same."""
    kb.save(kb.load("sample").select(range(12)), program.source)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root / "tests" / "servers" / "offline"), str(root), program.environment["PYTHONPATH"]])
    program.environment["PYTHONPATH"] = path
    cluster.join("--num-gpus=2", PYTHONPATH=path)
    judge = ("judge", "--model", "vllm:some/model")
    engine = ("--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch")
    for number, words in enumerate([engine, ()]):
        code, said = program(*judge, "--store", tmp_path / f"{number}.sqlite", *words, "--out", f"{number}.parquet")
        assert code == 0, said
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()


def test_without_a_cluster_one_is_started_and_ends_with_the_run(
    program: Program, tmp_path: Path, ray_folder: str
) -> None:
    """That is told in a line; its workers are gone afterwards. An address where nobody listens is not a reason to wait.

    A batch system's SIGTERM ends it as Ctrl-C does, with what is finished kept.
    """
    if subprocess.run(["pgrep", "-f", "gcs_server"], stdout=subprocess.DEVNULL).returncode == 0:
        pytest.skip("another Ray cluster is on this machine, and would be joined")
    program.environment |= {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": ray_folder}
    scratch = ("--scratch", program.folder / "scratch", "--shards", 4)
    code, said = program("step", "--log", program.log, "--engine", "ray", *scratch)
    assert code == 0, said
    assert "found no Ray cluster, so one was started on this machine" in said
    workers = {int(line.split()[0]) for line in program.log.read_text().splitlines()}
    wait_for(lambda: not any(alive(pid) for pid in workers))
    running = program.start("slow", "--log", tmp_path / "slow", "--seconds", 3, "--engine", "ray", *scratch)
    wait_for(lambda: (tmp_path / "slow").exists() or running.poll() is not None)
    running.terminate()
    out, err = running.communicate(timeout=SECONDS)
    assert running.returncode == 128 + signal.SIGTERM, out + err
    assert "of 4 shards are finished and kept" in err
    code, said = program("step", "--log", program.log, "--engine", f"ray=127.0.0.1:{free_port()}", *scratch)
    assert code == 3
    assert "nobody answers at 127.0.0.1" in said
