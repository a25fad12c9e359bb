"""`kbtools serve-verify`: equal questions once, a bounded queue, killed workers unseen, references never sent."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from test_verify_pair import CANDIDATE, REFERENCE

import kbtools as kb
from kbtools.verify_client import Answer, Unanswered, VerifyClient

SECRET = "the_reference_is_secret"
TASK = {"module_name": "Scale", "python_code": f"# {SECRET}\n{REFERENCE}", "entry_point": None, "triton_code": "x"}


class Server:
    """A real server process that writes down where it listens."""

    def __init__(self, folder: Path, *options: str, token: str = "", port: int = 0) -> None:
        self.token = token
        environment = os.environ | {"KBTOOLS_SERVE_TOKEN": token, "KBTOOLS_VERDICTS": str(folder / "verdicts.sqlite")}
        rows = folder / "tasks.jsonl"
        rows.write_text(json.dumps(TASK) + "\n")
        command = [sys.executable, "-c", "from kbtools.cli import main; main()", "serve-verify"]
        command += ["--dataset", str(rows), "--port", str(port), "--tier", "cpu", *options]
        self.errors = folder / "stderr.txt"
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.search(r"http://[\d.]+:(\d+)", line)
        assert found, line
        self.url, self.port = found[0], int(found[1])

    def client(self) -> VerifyClient:
        """A client with plenty of patience."""
        return VerifyClient(self.url, self.token, patience=500)

    def get(self, path: str) -> str:
        """The body of a page that needs no token or is asked with it."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return str(reply.read().decode())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        self.process.send_signal(number)
        assert self.process.stdout
        self.process.stdout.read()
        status = self.process.wait(120)
        assert self.errors.read_text() == "", "a server that works has nothing to complain of"
        return status

    def post(self, **fields: object) -> tuple[int, str]:
        """Status and body of one request, as it is."""
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/verify", json.dumps(fields).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=300) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with one worker and room for two questions."""
    started = Server(tmp_path, "--workers", "1", "--queue", "2", token="t0ken")
    yield started
    if started.process.poll() is None:
        started.stop(signal.SIGKILL)


def candidate(number: int) -> str:
    """Right ones and, every third, a wrong one."""
    text = CANDIDATE.replace("0.0)", "0.5)") if number % 3 == 1 else CANDIDATE
    return f"{text}\n# {number}\n"


def test_answers_are_verdicts_and_tell_nothing_of_the_reference(server: Server) -> None:
    """One server, asked in every way: right, wrong, twice, too often, by strangers, and about unknown tasks."""
    client = server.client()
    right, wrong = client.verify("Scale", candidate(0)), client.verify("Scale", candidate(1))
    assert (right.verdict, right.reward) == ("pass", 1.0)
    assert (wrong.verdict, wrong.reward) == ("wrong_output", 0.0)
    assert "differs in" in wrong.finding
    assert "instead of" not in wrong.finding
    assert client.verify("Scale", candidate(0)) == right
    assert json.loads(server.get("/counters"))["checked"] == 2

    with ThreadPoolExecutor(12) as pool:  # three questions, each asked four times, and room for two: some get a 429
        answers = list(pool.map(lambda number: client.verify("Scale", candidate(6 + number % 3)), range(12)))
    assert len({answer.key for answer in answers}) == 3
    assert all(answer == next(one for one in answers if one.key == answer.key) for answer in answers)
    counters = json.loads(server.get("/counters"))
    assert counters["checked"] == 5
    assert counters["refused"] > 0

    sent = " ".join([server.get("/tasks"), server.get("/counters"), *(a.model_dump_json() for a in answers)])
    assert SECRET not in sent
    assert server.get("/tasks") == '["Scale"]'
    with pytest.raises(kb.errors.ConfigError, match="there is no task 'Else'"):
        client.verify("Else", "x")
    with pytest.raises(kb.errors.ConfigError, match="401"):
        VerifyClient(server.url, "wrong").verify("Scale", "x")
    with pytest.raises(kb.errors.ConfigError, match="413"):
        VerifyClient(server.url, "t0ken").verify("Scale", "x" * (1 << 21))
    assert json.loads(server.get("/health"))["ok"] is True
    assert server.stop() == 0


def test_questions_that_were_admitted_are_answered_before_the_end(server: Server) -> None:
    """SIGTERM in the middle of a check: its answer still comes, and the server ends with 0."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.client().verify, "Scale", candidate(0))
        while json.loads(server.get("/health"))["waiting"] == 0:
            time.sleep(0.02)
        assert server.stop() == 0
        assert asked.result(60).verdict == "pass"


def test_a_question_has_one_deadline_and_costs_nothing_after_it(server: Server) -> None:
    """What still waits for a worker then is a 504 and never checked; asked again with time, it is answered."""
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(server.client().verify, "Scale", candidate(0))
        while json.loads(server.get("/health"))["waiting"] == 0:
            time.sleep(0.02)
        status, body = server.post(task="Scale", candidate=candidate(3), seconds=0.1)
        assert (status, "not decided within the 0.1 s" in body) == (504, True)
        with pytest.raises(Unanswered, match="gave no verdict within 0.2 s"):
            VerifyClient(server.url, server.token, patience=0.2).verify("Scale", candidate(6))
        assert before.result().verdict == "pass"
    counters = json.loads(server.get("/counters"))
    assert (counters["checked"], counters["expired"], counters["waiting"]) == (1, 2, 0)
    assert server.client().verify("Scale", candidate(3)).verdict == "pass"
    for seconds in (0, -1, "soon", None):
        assert server.post(task="Scale", candidate="x", seconds=seconds)[0] == 400
    assert server.stop() == 0


def test_the_open_network_needs_a_token(tmp_path: Path) -> None:
    """Without one, only loopback is served."""
    command = [sys.executable, "-c", "from kbtools.cli import main; main()", "serve-verify", "--dataset", "sample"]
    done = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "set KBTOOLS_SERVE_TOKEN" in done.stderr


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that `kbtools env` has written, found by imports."""
    rows = tmp_path / "rows.jsonl"
    prompt = [{"role": "user", "content": "Write ScaleNew."}]
    rows.write_text(json.dumps({**TASK, "prompt": prompt}) + "\n")
    folder = tmp_path / "scale-env"
    program = [sys.executable, "-c", "from kbtools.cli import main; main()"]
    done = subprocess.run(
        [*program, "env", str(folder), "--dataset", str(rows)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(folder)
    return folder


def test_environment_rewards_by_the_server_and_holds_no_reference(
    server: Server, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reward function of TRL: messages or texts in, a reward for each out."""
    monkeypatch.setenv("KBTOOLS_SERVE_URL", server.url)
    monkeypatch.setenv("KBTOOLS_SERVE_TOKEN", server.token)
    import scale_env.rewards
    import scale_env.tasks

    assert scale_env.tasks.rows() == [{"task": "Scale", "prompt": [{"role": "user", "content": "Write ScaleNew."}]}]
    completions = [[{"role": "assistant", "content": candidate(0)}], candidate(1)]
    assert scale_env.rewards.verified(completions, ["Scale", "Scale"], prompts=[]) == [1.0, 0.0]
    assert not [
        path for path in environment.rglob("*") if path.is_file() and SECRET in path.read_text("utf-8", "replace")
    ]


VERIFIERS = "verifiers==0.4.0"
SCORE = """
import asyncio, sys
import verifiers.v1 as vf
from verifiers.v1.configs.agent import WireAgentConfig
from verifiers.v1.utils.loaders import load_taskset
from scale_env.taskset import KernelConfig

(task,) = list(load_taskset(KernelConfig(id="scale-env")))
agent = vf.AgentInfo(config=WireAgentConfig.model_construct())
nodes = [vf.MessageNode(message=vf.UserMessage(content=task.data.prompt[0].content)),
         vf.MessageNode(parent=0, sampled=True, message=vf.AssistantMessage(content=sys.stdin.read()))]
trace = vf.Trace(task=vf.TraceTask(type="KernelTask", data=task.data, key=task.key), agent=agent, nodes=nodes)
asyncio.run(task.score(trace))
print(trace.reward, trace.info["verdict"])
"""


@pytest.mark.slow
def test_verifiers_loads_the_environment_and_scores_a_rollout(
    server: Server, environment: Path, tmp_path: Path
) -> None:
    """The real package in an environment of its own, which has of kbtools what the client needs."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "python", "-m", "pip", "install", "-q"]
    subprocess.run([*pip, VERIFIERS], check=True, timeout=900)
    import kbtools

    paths = os.pathsep.join(map(str, (environment, Path(kbtools.__file__).parents[1])))
    variables = {"PYTHONPATH": paths, "KBTOOLS_SERVE_URL": server.url, "KBTOOLS_SERVE_TOKEN": server.token}
    for text, expected in ((candidate(0), "1.0 pass"), (candidate(1), "0.0 wrong_output")):
        done = subprocess.run(
            [venv / "bin" / "python", "-c", SCORE],
            input=text,
            env=os.environ | variables,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == expected, done.stderr


@pytest.mark.slow
def test_kills_lose_nothing_and_no_answer_changes(tmp_path: Path) -> None:
    """64 clients, 240 questions, a worker killed every few seconds, the server twice: each has one answer.

    No worker is killed before there was a further answer: where they take longer to start, there would never be one.
    """
    server = Server(tmp_path, "--workers", "2", "--queue", "64")
    answers: dict[int, set[str]] = {}
    ended = threading.Event()
    port = server.port

    def ask(number: int) -> None:
        found = VerifyClient(server.url, patience=900).verify("Scale", candidate(number % 80))
        answers.setdefault(number % 80, set()).add(found.model_dump_json())

    def kill_workers() -> None:
        before = 0
        while not ended.wait(5):
            now = sum(future.done() for future in asked)
            if now > before and (below := _workers_below(server.process.pid)):
                before = now
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(random.choice(below), signal.SIGKILL)

    asked: list[Future[None]] = []
    killer = threading.Thread(target=kill_workers)
    killer.start()
    try:
        with ThreadPoolExecutor(64) as pool:
            asked += [pool.submit(ask, number) for number in range(240)]
            for done in (20, 50):
                while sum(future.done() for future in asked) < done:
                    time.sleep(0.05)
                server.stop(signal.SIGKILL)
                server = Server(tmp_path, "--workers", "2", "--queue", "64", port=port)
            for future in asked:
                future.result(900)
    finally:
        ended.set()
        killer.join()
        server.stop(signal.SIGKILL)
    assert len(answers) == 80
    assert all(len(found) == 1 for found in answers.values())
    verdicts = {Answer.model_validate_json(answer).verdict for found in answers.values() for answer in found}
    assert verdicts == {"pass", "wrong_output"}


def _workers_below(pid: int) -> list[int]:
    """The processes that run kernels, whichever thread has started them."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended, or the child
            for child in children.read_text().split():
                if b"zygote" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found
