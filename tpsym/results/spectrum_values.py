"""Values of the parameters that a spectrum is looked at with: given ones, settings, defaults, and what stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from sympy import Expr, S, Symbol

from tpsym.errors import TpError, fail
from tpsym.matrices import Diagonal, Factor, Letter, Polynomial, Space, polynomial
from tpsym.program.elaborate import Model
from tpsym.program.values import Finite
from tpsym.results.closed import facts


def known_values(model: Model, given: Mapping[str, Expr]) -> dict[Symbol, Expr]:
    """What is known of parameters, sizes and inner products: given here, by a setting, by default or by ``assume``."""
    context = model.context
    table: dict[str, Expr] = {**context.overrides, **given}
    symbols = [*context.parameters, *context.grams.values(), *_sizes(model)]
    found: dict[Symbol, Expr] = {}
    assumed = facts(model)
    for symbol in symbols:
        value = table.get(symbol.name, context.parameters.get(symbol))
        value = assumed.get(symbol) if value is None else value
        if isinstance(value, Expr):
            found[symbol] = value
    for _ in found:
        found = {s: e.xreplace(found) for s, e in found.items()}
    return {s: e for s, e in found.items() if e.is_number}


def stand_ins(model: Model, missing: Iterable[Symbol]) -> dict[Symbol, Expr]:
    """Orthonormal data for a run that is given none: sizes one, inner products one or zero."""
    grams = {symbol: key for key, symbol in model.context.grams.items()}
    found: dict[Symbol, Expr] = {}
    for symbol in missing:
        if symbol in grams:
            first, second = grams[symbol]
            found[symbol] = S.One if first == second else S.Zero
        elif symbol in _sizes(model):
            found[symbol] = S.One
    return found


def no_value(symbols: Iterable[Symbol]) -> TpError:
    """The error for parameters that have to be numbers here."""
    names = sorted({s.name for s in symbols})
    fix = f"--set {_quoted(names[0])}" + (" (and so on)" if len(names) > 1 else "")
    return fail("no-value", f"no value for {', '.join(names)}", fix=f'{fix}, or in Python .at({{"{names[0]}": "1/2"}})')


def _quoted(name: str) -> str:
    setting = f"{name}=1/2"
    return setting if name.isidentifier() else f"'{setting}'"


def _sizes(model: Model) -> list[Symbol]:
    values = model.context.scope.names.values()
    return [v.size for v in values if isinstance(v, Finite) and isinstance(v.size, Symbol)]


def at_values(found: Polynomial, values: Mapping[Symbol, Expr]) -> Polynomial:
    """The polynomial with numbers in place of parameters, in coefficients, variances, sizes and coordinates."""
    swap = dict(values)
    return mapped(found, lambda e: e.xreplace(swap), coordinates=True)


def mapped(found: Polynomial, change: Callable[[Expr], Expr], *, coordinates: bool) -> Polynomial:
    """The polynomial with its coefficients, variances and sizes changed, also the coordinates of its diagonals."""

    def space(of: Space) -> Space:
        return Space(of.name, change(of.ratio))

    def letter(x: Letter) -> Letter:
        if isinstance(x, Diagonal):
            return Diagonal(space(x.space), change(x.expr) if coordinates else x.expr)
        matrix = x.matrix
        rows, columns = space(matrix.rows), space(matrix.columns)
        return Factor(replace(matrix, rows=rows, columns=columns, variance=change(matrix.variance)), x.adjoint)

    terms = ((change(c), tuple(map(letter, word))) for c, word in found.terms)
    return polynomial(terms, space(found.rows), space(found.columns))


__all__ = ["at_values", "known_values", "mapped", "no_value", "stand_ins"]
