"""What the machine itself is tested for holds with C and with numpy alone."""

from collections.abc import Iterator

import pytest

from kbtools_plugins.ptx.native import accesses, fused, library

BOTH = ("test_machine_", "test_order", "test_calls")
"""Modules whose tests run on both."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of those modules twice."""
    if metafunc.module.__name__.rpartition(".")[2].startswith(BOTH):
        metafunc.fixturenames.append("machine")
        metafunc.parametrize("machine", ["C", "numpy"], indirect=True)


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine that runs; in C also what would be too small to be worth it."""
    if request.param == "numpy":
        monkeypatch.setenv(library.CACHE, "")
    monkeypatch.setattr(fused, "WORTH", 0)
    monkeypatch.setattr(accesses, "FEW", 0)
    library.found.cache_clear()
    library.library.cache_clear()
    if request.param == "C" and library.library() is None:
        pytest.skip(library.state())
    yield request.param
    library.found.cache_clear()
    library.library.cache_clear()


@pytest.fixture
def all_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """In C also what would be too small to be worth it."""
    monkeypatch.setattr(fused, "WORTH", 0)
    monkeypatch.setattr(accesses, "FEW", 0)
