"""The progress line keeps what matters at 80 columns."""

import io

from rich.console import Console

from kbtools.cli.ui.views import stage_bars


def test_stage_percentage_and_bar_fit_in_80_columns():
    """However much there is to tell, which is cut."""
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None, legacy_windows=False)
    progress = stage_bars(screen)
    long = "1,234 replies of a-model-with-a-long-name, 900 of them from the store, 123,456 tokens in, 1.5 req/s"
    progress.add_task("[12/14] generate-prompts", total=200, completed=50, details=long)
    screen.print(progress.get_renderable())
    (line,) = screen.file.getvalue().splitlines()
    assert "[12/14] generate-prompts" in line
    assert "25%" in line
    assert "\u2501" in line
    assert "1,234 re" in line
    assert len(line.rstrip()) <= 80
