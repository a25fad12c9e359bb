"""Help that a person reads: options in groups, and recipes that are found."""

from pathlib import Path


def test_options_of_a_stage_are_grouped(cli):
    """What is asked first, then the model, limits and failures."""
    out = cli("apply", "judge", "--help").out
    titles = ["Options:", "The model:", "Limits of the calls:", "What happens to failures:"]
    places = [out.index(f"\n{title}") for title in titles]
    assert places == sorted(places)
    assert places[0] < out.index("--rubric") < places[1] < out.index("--model ") < places[2] < out.index("--rpm")
    assert places[3] < out.index("--on-error")


def test_options_of_a_push_stand_apart(cli):
    """From those of the run, before the stages."""
    out = cli("apply", "--help").out
    assert out.index("--dataset") < out.index("\nWith --push:") < out.index("--license") < out.index("\nStages (")


def test_run_without_a_file_lists_the_recipes(cli):
    """Those of this folder and of `recipes/`; other TOML files are left out."""
    assert "There is none in this folder" in cli("run").err
    Path("recipes").mkdir()
    Path("few.toml").write_text('[[stages]]\nstage = "dedup"\n[[stages]]\nstage = "split"\n')
    Path("recipes/two.toml").write_text('[[recipe]]\nname = "a"\n[[recipe]]\nname = "b"\n')
    Path("pyproject.toml").write_text('[project]\nname = "x"\n')
    Path("broken.toml").write_text("[")
    done = cli("run")
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: which recipe? Found here:",
        "  kbtools run few.toml  # dedup, split",
        "  kbtools run recipes/two.toml  # a, b",
    ]
