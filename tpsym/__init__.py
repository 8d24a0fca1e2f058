"""Infinite-width limits of neural computations, derived by machine.

``load`` or ``parse`` a ``.tp`` program, then ``derive`` its limits, ``verify`` its claims or
``simulate`` it at finite width. ``zoo`` holds published architectures.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tpsym import zoo
    from tpsym.api import Program, derive, load, parse, simulate, verify
    from tpsym.errors import TpError

__all__ = ["Program", "TpError", "derive", "load", "parse", "simulate", "verify", "zoo"]

FUNCTIONS = ("simulate", "verify")
"""Functions that have the names of subpackages."""


class _Package(ModuleType):
    """The package ``tpsym``, in which a function is not replaced by the subpackage of its name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in FUNCTIONS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        # sympy takes seconds to import; the command line must be able to say `--help` without it
        if name == "TpError":
            return importlib.import_module("tpsym.errors").TpError
        if name == "zoo":
            return importlib.import_module("tpsym.zoo")
        if name in __all__:
            return getattr(importlib.import_module("tpsym.api"), name)
        raise AttributeError(f"module 'tpsym' has no attribute {name!r}")


sys.modules[__name__].__class__ = _Package
