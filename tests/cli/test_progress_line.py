"""The progress line keeps what matters at 80 columns."""

import io
import time

from rich.console import Console

from kbtools.cli.ui.display import calls_text
from kbtools.cli.ui.views import stage_bars
from kbtools.models.engine.progress import Progress


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


def test_while_nothing_has_come_back_the_calls_under_way_are_told():
    """A slow server shows no rate for minutes; `0.0 req/s` would look like a hang."""
    progress = Progress(total=100, model="m", in_flight=32, sent=32, started=time.monotonic() - 75)
    assert calls_text(progress) == "32 calls to m under way for 0:01:15, no reply yet"
    progress.from_store = 1
    assert calls_text(progress) == "32 calls to m under way for 0:01:15, no reply yet, 1 reply from the store"
    progress.answered = progress.done = 2
    assert "no reply yet" not in calls_text(progress)
    progress.tick()
    progress._samples[0] = (time.monotonic() - 25, 2, 32)  # all calls began before
    assert "0.0 req/s" not in calls_text(progress)
    assert "32 calls under way" in calls_text(progress)
