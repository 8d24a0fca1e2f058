"""Values given as text: ``sigma_w=1.5``."""

from __future__ import annotations

from collections.abc import Iterable

from tpsym.errors import TpError, fail
from tpsym.syntax import tree
from tpsym.syntax.parse import parse_expression


def parse_settings(items: Iterable[str]) -> dict[str, tree.Expr]:
    """``sigma_w=1.5`` as a table of expressions; the left side is a name, ``a[1]`` or ``dot(x, y)``."""
    from tpsym.results.kernels import setting_name

    settings: dict[str, tree.Expr] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise _in_setting(item, fail("bad-setting", "expected NAME=VALUE", fix="--set sigma_w=1.5"))
        try:
            settings[setting_name(name)] = parse_expression(value)
        except TpError as error:
            raise _in_setting(item, error) from None
    return settings


def _in_setting(item: str, error: TpError) -> TpError:
    """An error about ``--set``, not about a file."""
    return TpError(error.diagnostics, error.source, f"--set {item.strip()}")
