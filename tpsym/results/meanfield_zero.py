"""Exact zero tests and tidy forms of expressions in parameters, below the normal forms of claims."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.expectation import E
from tpsym.gauss.generators import Reading, as_fraction, is_small, tidied_root
from tpsym.gauss.numeric import enclose

LARGE = 400
"""Expressions with more nodes than this are not multiplied out."""


def tidy(expr: Expr) -> Expr:
    """The same value: multiplied out or as one fraction, whichever is shorter."""
    if not is_small(expr, limit=LARGE) or expr.is_Atom:
        return expr
    expr = with_plain_roots(exponential(expr))
    forms = [expr, sp.expand(expr)]
    forms += [as_fraction(f) for f in forms]
    forms = [f for f in forms if not f.has(sp.nan, sp.zoo)]
    return min(forms, key=lambda f: (sp.count_ops(f, visual=False), str(f)), default=expr)


def polished(expr: Expr) -> Expr:
    """The same value for people: tidy, or with the terms that share their functions as one fraction."""
    if not is_small(expr, limit=LARGE):
        return expr
    forms = [tidy(expr), grouped(with_plain_roots(exponential(expr)))]
    return min(forms, key=lambda f: (sp.count_ops(f, visual=False), str(f)))


def grouped(expr: Expr) -> Expr:
    """A sum with the terms that share their transcendental factors and roots as one fraction."""
    found: dict[tuple[Expr, frozenset[Expr]], list[Expr]] = {}
    for term in sp.Add.make_args(sp.expand(expr)):
        rest, factor = term.as_independent(sp.Function, E, as_Add=False)
        found.setdefault((factor, frozenset(_radicands(rest))), []).append(rest)
    return sp.Add(*(factor * fraction(sp.Add(*rest)) for (factor, _), rest in found.items()))


def _radicands(expr: Expr) -> list[Expr]:
    """What square roots are taken of, numbers apart, in canonical order."""
    roots = {r.base for r in expr.atoms(sp.Pow) if r.exp.is_Rational and r.exp.q == 2 and r.free_symbols}
    return sorted(roots, key=str)


def fraction(expr: Expr) -> Expr:
    """A rational function of symbols and square roots as one fraction, factored."""
    names = {b: sp.Dummy(f"root{i}", positive=True) for i, b in enumerate(_radicands(expr))}
    back = {s: sp.sqrt(b) for b, s in names.items()}
    plain = expr.replace(lambda p: p.is_Pow and p.base in names and p.exp.is_Rational and p.exp.q == 2,
                         lambda p: names[p.base] ** int(2 * p.exp))
    if not plain.is_rational_function(*plain.free_symbols):
        return expr
    parts = [_without_squares(part, names) for part in sp.fraction(sp.together(plain))]
    if parts[1] == 0:
        return expr
    return sp.factor(sp.cancel(parts[0] / parts[1])).xreplace(back)


def _without_squares(polynomial: Expr, names: dict[Expr, Symbol]) -> Expr:
    """The polynomial with r² = base for every root r."""
    result = sp.expand(polynomial)
    for base, root in names.items():
        result = sp.expand(sp.rem(result, root**2 - base, root))
    return result


def exponential(expr: Expr) -> Expr:
    """sinh and cosh by exponentials, multiplied out where they are factors."""
    if not expr.has(sp.sinh, sp.cosh):
        return expr
    return sp.expand(expr.replace(sp.sinh, lambda x: (sp.exp(x) - sp.exp(-x)) / 2)
                     .replace(sp.cosh, lambda x: (sp.exp(x) + sp.exp(-x)) / 2))


def with_plain_roots(expr: Expr) -> Expr:
    """Square roots of fractions with squares taken out: √(1 − q²/(1 + q)²) = √(1 + 2q)/(1 + q)."""
    roots = [r for r in expr.atoms(sp.Pow) if r.exp.is_Rational and r.exp.q == 2 and r.base.is_Add]
    return expr.xreplace({r: tidied_root(r) for r in roots})


def vanishes(expr: Expr) -> bool | None:
    """True: zero wherever it is defined. False: not zero at some point, by a ball. None: not decided."""
    if expr == 0:
        return True
    if expr.has(sp.oo, sp.zoo, sp.nan):
        return None
    if _reduced(expr) == 0:
        return True
    return False if _differs(expr) else None


def _reduced(expr: Expr) -> Expr:
    if not is_small(expr, limit=LARGE):
        return expr
    expr = with_plain_roots(exponential(expr))
    expanded = sp.expand(expr)
    for form in (expanded, expr, grouped(expanded)):
        if is_small(form):
            reading = Reading([form])
            if reading.is_zero(reading.read(form)):
                return sp.S.Zero
    return expanded


def _differs(expr: Expr) -> bool:
    """Whether the value at some point of a few is certainly not zero."""
    symbols = sorted(expr.free_symbols, key=str)
    for offset in (3, 7):
        point = {s: _sample(s, k, offset) for s, k in zip(symbols, count(), strict=False)}
        found = enclose(expr, point, bits=128, estimates=False)
        if found.known and found.rigorous and (found.value > 0 or found.value < 0):
            return True
    return False


def _sample(symbol: Symbol, index: int, offset: int) -> Fraction:
    """A point in (0, 1): every sign a symbol may be declared with but a negative one allows it."""
    size = Fraction(offset + 2 * index, 2 * offset + 5 * index + 4)
    return -size if symbol.is_negative else size


def is_positive(expr: Expr) -> bool | None:
    """The sign of an expression: by its form, else (for a number) by a ball; None where neither shows it."""
    if expr.is_positive is not None:
        return bool(expr.is_positive)
    if expr.free_symbols:
        return None
    found = enclose(expr, {}, bits=192, estimates=False)
    if not (found.known and found.rigorous):
        return None
    return True if found.value > 0 else False if found.value < 0 else None
