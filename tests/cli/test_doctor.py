"""`kbtools doctor` says what is there and what is missing, and never the value of a credential."""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import pytest

from kbtools.cli.commands import doctor


def findings(outcome):
    """The findings by name."""
    return {finding["name"]: finding for finding in json.loads(outcome.out)}


def test_sound_installation(cli):
    """Versions of what is required, and exit code 0."""
    done = cli("doctor", "--json")
    assert done.code == 0
    assert findings(done)["pyarrow"]["text"] == importlib.metadata.version("pyarrow")
    assert findings(done)["kbtools:builtin"]["state"] == "ok"


def test_table_has_every_group(cli):
    """For people."""
    out = cli("doctor").out
    assert all(group in out for group in ("versions", "plugins", "extras", "machine", "credentials", "folders"))


def test_values_of_credentials_are_never_shown(cli, monkeypatch):
    """Only whether they are set, and where."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_environment")
    Path(".env").write_text("PRIME_API_KEY=secret_of_the_file\n")
    done = cli("doctor", "--json")
    assert "secret" not in done.out + cli("doctor").out
    assert findings(done)["HF_TOKEN"]["text"] == "set in the environment"
    assert findings(done)["PRIME_API_KEY"]["text"] == "set in .env"
    assert findings(done)["OPENAI_API_KEY"]["state"] == "missing"


@pytest.mark.parametrize(
    ("version", "expected"),
    [(None, "not installed: pip install 'pyarrow>=21'"), ("1.0", "1.0 is installed: pip install 'pyarrow>=21'")],
)
def test_missing_or_old_requirement_is_broken(cli, monkeypatch, version, expected):
    """With the command that mends it, and exit code 3."""
    real = importlib.metadata.version

    def pretended(name):
        if name != "pyarrow":
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", pretended)
    done = cli("doctor", "--json")
    assert done.code == 3
    assert (findings(done)["pyarrow"]["state"], findings(done)["pyarrow"]["text"]) == ("broken", expected)


def test_missing_extra_names_its_command(monkeypatch):
    """What an extra lacks, and how to get it."""
    found = doctor._fault
    monkeypatch.setattr(doctor, "_fault", lambda needed: "no" if needed.name == "triton" else found(needed))
    extras = {finding.name: finding for finding in doctor._extras()}
    assert extras["verify"].state == "missing"
    assert extras["verify"].text == "lacks triton: pip install 'kbtools[verify]'"


def test_failed_plugin_of_others_breaks_nothing(cli, install):
    """It is named, and the exit code stays 0."""
    install("kb-broken", "raise RuntimeError('no licence')")
    done = cli("doctor", "--json")
    assert done.code == 0
    assert findings(done)["kb-broken:own"]["text"] == "RuntimeError: no licence"


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for nvidia-smi")
@pytest.mark.parametrize(
    ("script", "state", "text"),
    [
        ("echo 'NVIDIA H100, 81559 MiB, 550.1'", "ok", "NVIDIA H100, 81559 MiB, 550.1"),
        ("echo 'no devices were found'; exit 6", "missing", "nvidia-smi finds none: no devices were found"),
    ],
)
def test_gpu_is_what_nvidia_smi_says(cli, tmp_path, monkeypatch, script, state, text):
    """A real process is asked; torch is not imported for it."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent) + os.pathsep + os.environ["PATH"])
    found = findings(cli("doctor", "--json"))["gpu"]
    assert (found["state"], found["text"]) == (state, text)
