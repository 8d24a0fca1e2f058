"""The inputs of a file that questions about a whole network are asked at."""

from __future__ import annotations

from tpsym.program.scope import Scope
from tpsym.program.values import Data, Family, Value


def default_inputs(scope: Scope) -> list[tuple[str, Value]]:
    """The declared data points (or families of data points) in the order of the file."""
    return [
        (name, value)
        for name, value in scope.names.items()
        if isinstance(value, Data) or is_data_family(value)
    ]


def is_data_family(value: Value) -> bool:
    """Whether a value is a family of data points."""
    if not isinstance(value, Family):
        return False
    return bool(value.members) and all(isinstance(v, Data) for v in value.members.values())
