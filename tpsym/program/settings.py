"""Values given from outside (``--set``) as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tpsym.errors import TpError, fail
from tpsym.program.declare import constants
from tpsym.program.evaluate import evaluate
from tpsym.program.scope import Context, Scope
from tpsym.program.values import ListValue, Scalar
from tpsym.syntax import tree


def evaluated(settings: Mapping[str, tree.Expr]) -> dict[str, Any]:
    """Settings by name as numbers, or lists of numbers.

    Raises:
        TpError: an expression is neither.
    """
    scope = Scope(None, constants())
    overrides: dict[str, Any] = {}
    for name, node in settings.items():
        try:
            value = evaluate(Context(scope=scope), node, scope)
        except TpError as error:
            found = error.diagnostics[0]  # its place is in the setting, not in the file
            expected, fix = found.expected, found.fix
            if found.code in ("unknown-name", "limit-in-program"):
                expected, fix = "a number, such as 1.5 or sqrt(2)", None
            raise fail(found.code, f"--set {name}: {found.message}", expected=expected, fix=fix) from None
        if not isinstance(value, Scalar | ListValue):
            raise fail("bad-setting", f"--set {name}: expected a number or a list of numbers")
        overrides[name] = value.expr if isinstance(value, Scalar) else value
    return overrides
