"""docs/models.md: its configuration file is read, and the options and kinds that it names are there."""

import re
from pathlib import Path

from kbtools.cli.commands.chain import run_options
from kbtools.cli.options import stage_options
from kbtools.models import Kind
from kbtools.models.profiles import read_config
from kbtools.models.spec import LOCAL
from kbtools.plugins import registry

PAGE = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")


def test_configuration_file_of_the_page_is_read(tmp_path):
    """With all that it shows."""
    file = tmp_path / "kbtools.toml"
    file.write_text(re.search(r"```toml title=\"kbtools.toml\"\n(.*?)```", PAGE, re.DOTALL)[1])
    config = read_config([file])
    assert config.model.default == "mine:big-model"
    assert config.profiles["mine"].rpm == 600
    assert config.prices["mine:big-model"].output == 10.0


def test_options_that_the_page_names_exist():
    """Those of the run, of the judges, and the one of vLLM in the example."""
    options = [*run_options(), *(option for cls in registry().judges().values() for option in stage_options(cls))]
    known = {name for option in options for name in option.opts} | {"--tensor-parallel-size", "--failed"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= known


def test_every_kind_of_failure_and_of_model_is_on_the_page():
    """Nobody meets a kind that is not explained."""
    kinds = {kind.value for kind in Kind} - {"ok", "missing"}
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()
    assert {scheme for scheme in LOCAL if f"`{scheme}:MODEL" not in PAGE} == set()
