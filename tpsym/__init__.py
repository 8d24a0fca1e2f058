"""Infinite-width limits of neural computations, derived by machine.

``load`` or ``parse`` a ``.tp`` program, then ``derive`` its limits, ``verify`` its claims or
``simulate`` it at finite width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tpsym.api import Program, derive, load, parse, simulate, verify
    from tpsym.errors import TpError

__all__ = ["Program", "TpError", "derive", "load", "parse", "simulate", "verify"]


def __getattr__(name: str) -> Any:
    # sympy takes seconds to import; the command line must be able to say `--help` without it
    if name == "TpError":
        from tpsym.errors import TpError

        return TpError
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("tpsym.api"), name)
    raise AttributeError(f"module 'tpsym' has no attribute {name!r}")
