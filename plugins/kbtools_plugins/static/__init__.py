"""The judge `static`: difficulty and style of Triton and PyTorch code, read from its syntax tree.

`source` parses, `facts` reads (with `kernels` and `operations`), `difficulty` and `style` weigh, `assess`
combines. Nothing here runs the code, and nothing needs torch or Triton.
"""

from .assess import StaticAssessment, score
from .facts import CodeFacts, read_code
from .source import Unparsable, code_of

__all__ = ["CodeFacts", "StaticAssessment", "Unparsable", "code_of", "read_code", "score"]
