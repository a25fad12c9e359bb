"""What the analysis stages found, for the report: taken from the lineage, or measured now on the rows at hand.

The stages are asked by name, as any plugin's: the report knows the form of their figures and nothing of their code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datasets import Dataset, DatasetDict
from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.errors import KbError
from kbtools.lineage import Lineage
from kbtools.plugins import registry
