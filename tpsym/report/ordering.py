"""The order and grouping in which a person writes a formula, shared by all printers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import sympy as sp
from sympy import Add, Expr, Mul, Pow, Rational, Symbol
from sympy.core.function import AppliedUndef

from tpsym.gauss.expectation import E

HALF = Rational(1, 2)


@dataclass(frozen=True, slots=True)
class Quotient:
    """A term as sign, factors above and factors below the line, each in writing order.

    Square roots of several factors are one (unevaluated) root; a factor 1 is never listed.
    """

    negative: bool
    numerator: tuple[Expr, ...]
    denominator: tuple[Expr, ...]


def quotient(expr: Expr) -> Quotient:
    """Split a product, power or number: ``sqrt(2)*x/(2*sqrt(pi))`` is x over √(2π)."""
    coefficient, rest = expr.as_coeff_Mul()
    if not coefficient.is_Rational:
        coefficient, rest = sp.S.One, expr
    above: list[Expr] = []
    below: list[Expr] = []
    roots: tuple[list[Expr], list[Expr]] = ([], [])
    for factor in Mul.make_args(rest):
        base, exponent = _base_exponent(factor)
        if exponent in (HALF, -HALF):
            roots[exponent == -HALF].append(base)
        elif (exponent.is_Rational and exponent < 0) or _number_to_negative_power(base, exponent):
            below.append(Pow(base, -exponent, evaluate=exponent == -1))
        elif factor is not sp.S.One:
            above.append(factor)
    p, q = _move_radical(abs(coefficient.p), coefficient.q, *roots)
    above += _root(roots[0])
    below += _root(roots[1])
    above, below = _merge_constant_roots(above, below)
    return Quotient(
        bool(coefficient < 0),
        _in_order(([sp.Integer(p)] if p != 1 else []) + above),
        _in_order(([sp.Integer(q)] if q != 1 else []) + below),
    )


def is_negative(term: Expr) -> bool:
    """Whether a term is written with a minus sign in front."""
    coefficient = term.as_coeff_Mul()[0]
    return bool(coefficient.is_Rational and coefficient < 0)


def ordered_terms(expr: Expr) -> tuple[Expr, ...]:
    """The terms of a sum in writing order.

    Polynomials by degree, highest first; with functions in play, terms grow in complexity and terms
    about other quantities (a bias variance) come last. A sum starts with a positive term if it has one.
    What contains a Σ, which reaches as far as a reader lets it, closes the sum.
    """
    sums = [t for t in Add.make_args(expr) if t.has(sp.Sum, sp.Product)]
    terms = [t for t in Add.make_args(expr) if t not in sums]
    return (*(_without_sums(terms) if terms else ()), *sums)


def _without_sums(terms: Sequence[Expr]) -> tuple[Expr, ...]:
    functional = sorted((t for t in terms if _is_functional(t)), key=_functional_key)
    plain = sorted((t for t in terms if not _is_functional(t)), key=_plain_key)
    if not functional:
        return _start_positive(_constant_first(plain))
    symbols = set().union(*(t.free_symbols for t in functional))
    first = [t for t in plain if (t.is_number and not is_negative(t)) or t.free_symbols & symbols]
    last = [t for t in plain if t not in first]
    return _start_positive([*first, *functional, *last])


def group_fractions(expr: Expr) -> Expr:
    """``q/2 + s/2 + c`` as ``(q + s)/2 + c`` (unevaluated): how an exponent is written."""
    if not isinstance(expr, Add):
        return expr
    groups: dict[Rational, list[Expr]] = {}
    for term in expr.args:
        coefficient = term.as_coeff_Mul()[0]
        key = coefficient if coefficient.is_Rational and not coefficient.is_Integer else sp.S.One
        groups.setdefault(abs(key), []).append(term / abs(key))
    parts: list[Expr] = []
    for key, terms in groups.items():
        if key == 1 or len(terms) == 1:
            parts += [key * t for t in terms]
        else:
            sign = -1 if all(is_negative(t) for t in terms) else 1
            parts.append(Mul(sign * key, Add(*(sign * t for t in terms)), evaluate=False))
    return parts[0] if len(parts) == 1 else Add(*parts, evaluate=False)


def common_fraction(expr: Expr) -> Expr:
    """``q/2 + s/2`` as ``(q + s)/2`` (unevaluated); other sums as they are."""
    grouped = group_fractions(expr)
    whole = isinstance(grouped, Mul) and not any(quotient(t / grouped.args[0]).denominator for t in expr.args)
    return grouped if whole else expr


def factored(exponent: Expr) -> Expr:
    """``2l − 2`` as ``2(l − 1)`` (unevaluated); other exponents as they are."""
    if not isinstance(exponent, Add) or not exponent.is_integer:
        return exponent
    content, rest = exponent.primitive()
    return exponent if content == 1 else Mul(content, rest, evaluate=False)


def is_inner_product(symbol: Expr) -> bool:
    """Whether a symbol stands for ``dot(x, y)``."""
    return isinstance(symbol, Symbol) and symbol.name.startswith("dot(")


def _base_exponent(factor: Expr) -> tuple[Expr, Expr]:
    return factor.args if isinstance(factor, Pow) else (factor, sp.S.One)


def _number_to_negative_power(base: Expr, exponent: Expr) -> bool:
    return bool(base.is_Integer and not exponent.is_number and exponent.could_extract_minus_sign())


def _move_radical(p: int, q: int, up: list[Expr], down: list[Expr]) -> tuple[int, int]:
    """√2/2 becomes 1/√2 and √6/3 becomes √2/√3: radicals are not rationalised by hand."""
    for radicand in [r for r in up if r.is_Integer and r > 1]:
        common = gcd(int(radicand), q)
        rest = int(radicand) // common
        if common > 1 and (rest == 1 or q == common):
            up.remove(radicand)
            up.extend([sp.Integer(rest)] if rest > 1 else [])
            down.append(sp.Integer(common))
            q //= common
    return p, q


def _root(radicands: list[Expr]) -> list[Expr]:
    if not radicands:
        return []
    inside = radicands[0] if len(radicands) == 1 else Mul(*radicands, evaluate=False)
    return [Pow(inside, HALF, evaluate=False)]


def _merge_constant_roots(above: list[Expr], below: list[Expr]) -> tuple[list[Expr], list[Expr]]:
    """√2/√π becomes √(2/π)."""
    ups = [f for f in above if _is_constant_root(f)]
    downs = [f for f in below if _is_constant_root(f)]
    if len(ups) != 1 or len(downs) != 1:
        return above, below
    root = Pow(Mul(ups[0].base, Pow(downs[0].base, -1)), HALF, evaluate=False)
    return [root if f is ups[0] else f for f in above], [f for f in below if f is not downs[0]]


def _is_constant_root(factor: Expr) -> bool:
    return isinstance(factor, Pow) and factor.exp == HALF and bool(factor.base.is_number)


def _in_order(factors: list[Expr]) -> tuple[Expr, ...]:
    return tuple(sorted(factors, key=_factor_key))


def _factor_key(factor: Expr) -> tuple[object, ...]:
    base, exponent = _base_exponent(factor)
    rank = 8.0
    for k, kind in enumerate((sp.Number, sp.NumberSymbol, Symbol)):
        if isinstance(base, kind):
            rank = k + (isinstance(base, Symbol) and "(" in base.name)
            break
    if exponent == HALF:
        rank = 0.5 if base.is_number else 5.5 if base.has(Add) else 4
    elif isinstance(base, Add):
        rank = 5
    elif isinstance(factor, sp.exp):
        rank = 6
    elif isinstance(base, sp.Function):
        rank = 7
    elif isinstance(base, E):
        rank = 9
    elif isinstance(base, Symbol) and base.name.startswith(("Z(", "Zhat(", "Zdot(", "Ẑ(", "Ż(")):
        rank = 10
    return (rank, _symbol_key(base), factor.sort_key())


def _symbol_key(base: Expr) -> str:
    return base.name if isinstance(base, Symbol) else ""


def _is_functional(term: Expr) -> bool:
    def inside(factor: Expr) -> bool:
        base, exponent = _base_exponent(factor)
        if isinstance(base, sp.Function | AppliedUndef | E):
            return True
        return not exponent.is_Integer and not base.is_number

    return any(inside(f) or any(_is_functional(t) for t in _sum_terms(f)) for f in Mul.make_args(term))


def _sum_terms(factor: Expr) -> tuple[Expr, ...]:
    base, exponent = _base_exponent(factor)
    return base.args if isinstance(base, Add) and exponent != -HALF else ()


def _functional_key(term: Expr) -> tuple[object, ...]:
    split = quotient(term)
    return (len([f for f in split.numerator if not f.is_number]), _size(term), term.sort_key())


def _size(term: Expr) -> int:
    return int(term.count_ops()) // 8


def _plain_key(term: Expr) -> tuple[object, ...]:
    split = quotient(term)
    above, below = sum(map(_degree, split.numerator)), sum(map(_degree, split.denominator))
    has_product = any(is_inner_product(s) for s in term.free_symbols)
    return (
        -above,
        not any(f.is_integer and f.is_Symbol for f in split.numerator),
        not has_product,
        below,
        [_letters(f) for f in split.numerator if not f.is_number],
        term.sort_key(),
    )


def _letters(factor: Expr) -> tuple[str, float]:
    base, exponent = _base_exponent(factor)
    return (_symbol_key(base), -float(exponent) if exponent.is_Rational else 0.0)


def _degree(factor: Expr) -> float:
    base, exponent = _base_exponent(factor)
    if base.is_number or base.is_integer:
        return 0.0
    degree = 2.0 if is_inner_product(base) else 1.0
    if isinstance(base, Add):
        degree = max(sum(map(_degree, quotient(t).numerator)) for t in base.args)
    return degree * (float(exponent) if exponent.is_Rational else 1.0)


def _constant_first(terms: list[Expr]) -> list[Expr]:
    """``1 + 2q`` for a positive q; ``l + 1`` for a whole number or a signed one, and ``q^2 + 1``."""
    if len(terms) == 2 and terms[1].is_Rational and terms[1] > 0 and not is_negative(terms[0]):
        affine = sum(map(_degree, quotient(terms[0]).numerator)) <= 1
        if affine and terms[0].is_positive and not terms[0].is_integer:
            return [terms[1], terms[0]]
    return terms


def _start_positive(terms: list[Expr]) -> tuple[Expr, ...]:
    if not is_negative(terms[0]):
        return tuple(terms)
    if not is_negative(terms[-1]):
        linear = all(t.as_coeff_Mul()[1].is_Symbol for t in terms[:-1])
        return (terms[-1], *terms[:-1]) if linear else tuple(reversed(terms))
    positive = next((t for t in terms if not is_negative(t)), terms[0])
    return (positive, *(t for t in terms if t is not positive))


def chain(condition: Expr) -> tuple[Expr, str, Expr, str, Expr] | None:
    """``a <= x <= b`` for the two conditions of a symbol in an interval; ``None`` for others."""
    if len(condition.args) != 2 or not all(isinstance(c, sp.core.relational._Inequality) for c in condition.args):
        return None
    flipped = [c if isinstance(c.lhs, Symbol) else c.reversed for c in condition.args]
    below = next((c for c in flipped if c.rel_op in (">", ">=")), None)
    above = next((c for c in flipped if c.rel_op in ("<", "<=")), None)
    if below is None or above is None or below.lhs != above.lhs:
        return None
    return below.rhs, below.rel_op.replace(">", "<"), below.lhs, above.rel_op, above.rhs
