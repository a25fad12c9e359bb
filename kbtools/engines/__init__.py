"""Where work is done: this machine's processes or a Ray cluster, behind one small contract.

`config` is what a user says, `job` what a worker is told and answers, `crew` who does what, `processes` and `cluster`
the two kinds of workers, `nodes` where the latter are, `versions` what must be equal everywhere. What the work is,
nothing here knows: the shards of a chain are in `kbtools.pipeline.sharding`, and a stage that has work of its own to
hand out takes `answers()`, or `crew()` itself.
"""

from kbtools.engines.answers import answers as answers
from kbtools.engines.config import Engine as Engine
from kbtools.engines.config import Processes as Processes
from kbtools.engines.config import Ray as Ray
from kbtools.engines.config import parse as parse
from kbtools.engines.crew import Crew as Crew
from kbtools.engines.crew import crew as crew
from kbtools.engines.opening import opened as opened
