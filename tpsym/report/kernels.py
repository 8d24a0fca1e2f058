"""Arc-cosine kernels: from arcsines and roots of q s − c² to sin θ + (π − θ) cos θ, exactly.

With cos θ = c/√(q s) and 0 ≤ θ ≤ π: asin(c/√(q s)) = π/2 − θ, c = √(q s) cos θ and
√(q s − c²) = √(q s) sin θ. Only terms that these turn into one product are rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Add, Dummy, Expr, Mul, Pow, Symbol

from tpsym.report.ordering import HALF

LARGEST_ROOT = 300
"""Operations beyond which a root is not compared with the definitions put in."""

LARGEST = 60
"""Operations beyond which an argument is not looked at."""


def kernel_arguments(expressions: Sequence[Expr]) -> list[Expr]:
    """The arguments of inverse sines and cosines that are not mere names or numbers, in a fixed order."""
    found = {f.args[0] for e in expressions for f in e.atoms(sp.asin, sp.acos)}
    proper = [a for a in found if not a.is_number and not a.is_Symbol and a.count_ops() <= LARGEST]
    return sorted((a for a in proper if -a not in proper or not a.could_extract_minus_sign()), key=sp.default_sort_key)


@dataclass(frozen=True, slots=True)
class Angle:
    """``theta = acos(argument)`` with argument = κ c/√S, ``c`` a symbol and κ free of it.

    ``values`` gives the definitions of names, for roots that were expanded before the naming.
    ``flat`` also admits sums without the root √(S − κ²c²): 1/4 + asin(ρ)/(2π) as (π − θ)/(2π).
    ``ratios`` remembers how the sums below roots compare with S − κ²c².
    """

    theta: Symbol
    argument: Expr
    c: Symbol
    kappa: Expr
    scale: Expr
    flat: bool
    values: Mapping[Symbol, Expr]
    ratios: dict[Expr, Expr | None] = field(default_factory=dict, compare=False)

    @property
    def functions(self) -> tuple[Expr, Expr]:
        return sp.asin(self.argument), sp.acos(self.argument)


def angle_of(argument: Expr, theta: Symbol, *, flat: bool, values: Mapping[Symbol, Expr]) -> Angle | None:
    """The angle of an argument of the form κ c/√S, else ``None``."""
    shape = _shape(argument)
    return None if shape is None else Angle(theta, argument, *shape, flat, values)


def angle_form(expression: Expr, angle: Angle) -> Expr:
    """The expression with its arc-cosine kernel in the angle's argument written by the angle.

    Unchanged where no sum has both the inverse function and its root, unless the angle is ``flat``.
    """
    return _walk(expression, angle)


def _shape(argument: Expr) -> tuple[Expr, Expr, Expr] | None:
    """``(c, κ, S)`` with argument = κ c/√S, ``c`` a symbol and κ free of it, or ``None``."""
    for square in (argument**2, sp.together(argument**2)):
        numerator, scale = sp.fraction(square)
        top = argument * sp.sqrt(scale)
        letters = [top] if top.is_Symbol else sorted(top.free_symbols - scale.free_symbols, key=str)
        for letter in letters:
            factor = sp.cancel(top / letter)
            if not factor.has(letter) and sp.expand(factor**2 * letter**2 - numerator) == 0:
                return letter, factor, scale
    return None


def _walk(node: Expr, angle: Angle) -> Expr:
    if not node.has(*angle.functions) or node in angle.functions:
        return node
    if isinstance(node, Add):
        found = _kernel_sum(node, angle)
        if found is not None:
            return found
    return node.func(*(_walk(a, angle) if isinstance(a, Expr) else a for a in node.args))


def _kernel_sum(node: Add, angle: Angle) -> Expr | None:
    """The sum with all terms in θ joined to one product, or ``None`` if they are no kernel."""
    size, sine, cosine = Dummy("size", positive=True), Dummy("sine"), Dummy("cosine")
    asin, acos = angle.functions
    kernel: list[Expr] = []
    others: list[Expr] = []
    has_root = False
    for term in _opened(node, angle):
        with_root = _sine_of_roots(term, angle, size, sine)
        turned = with_root.xreplace({asin: sp.pi / 2 - angle.theta, acos: angle.theta})
        has_root |= with_root != term
        (kernel if turned != term else others).append(turned)
    factors = [sp.expand(t).coeff(angle.theta, 1) for t in kernel]
    slopes = {_without_numbers(part) for f in factors for part in Add.make_args(f) if part != 0}
    joining = [t for t in others if _without_numbers(sp.expand(t)) in slopes]
    if not (has_root or angle.flat):
        return None
    for group, rest in ((kernel + joining, [t for t in others if t not in joining]), (kernel, others)):
        joined = _factored(Add(*group), angle, size, sine, cosine)
        if joined is None:
            joined = _factored_by_size(group, angle, size, sine, cosine)
        if joined is not None:
            back = {size: sp.sqrt(angle.scale), sine: sp.sin(angle.theta), cosine: sp.cos(angle.theta)}
            return Add(joined.xreplace(back), *rest)
    return None


def _factored_by_size(
    terms: Sequence[Expr], angle: Angle, size: Symbol, sine: Symbol, cosine: Symbol
) -> Expr | None:
    """Kernels of several orders side by side: one product for each power of the size."""
    groups: dict[Expr | None, list[Expr]] = {}
    for term in terms:
        power = _size_power(sp.expand(term.xreplace({angle.c: size * cosine / angle.kappa})), size)
        groups.setdefault(power, []).append(term)
    if len(groups) < 2 or None in groups:
        return None
    joined = [_factored(Add(*group), angle, size, sine, cosine) for group in groups.values()]
    return None if None in joined else Add(*joined)


def _opened(node: Add, angle: Angle) -> list[Expr]:
    """The terms of a sum with products over inner sums of the inverse function multiplied out."""
    functions = angle.functions
    return [t for term in node.args for t in Add.make_args(sp.expand(term) if term.has(*functions) else term)]


def _sine_of_roots(term: Expr, angle: Angle, size: Symbol, sine: Symbol) -> Expr:
    """√R as √λ · size · sine wherever R = λ (S − κ²c²) with λ free of c."""
    changes = {}
    for power in term.atoms(Pow):
        if not power.exp.is_Rational or power.exp.q != 2 or not power.base.is_Add:
            continue
        if power.base not in angle.ratios:
            angle.ratios[power.base] = _ratio(power.base, angle)
        ratio = angle.ratios[power.base]
        if ratio is not None:
            changes[power] = sp.sqrt(ratio) ** (2 * power.exp) * (size * sine) ** (2 * power.exp)
    return term.xreplace(changes)


def _ratio(base: Expr, angle: Angle) -> Expr | None:
    """λ, if base = λ (S − κ²c²): in the names as they are, or with their definitions put in."""
    difference = angle.scale - angle.kappa**2 * angle.c**2
    ratio = sp.cancel(base / difference) if base.has(angle.c) else angle.c
    if not ratio.has(angle.c):
        return ratio
    base, difference = _written_out(base, angle.values), _written_out(difference, angle.values)
    if not difference.free_symbols <= base.free_symbols:
        return None
    if base.count_ops() + difference.count_ops() > LARGEST_ROOT or not base.is_rational_function():
        return None
    ratio = sp.cancel(base / difference)
    simple = not ratio.atoms(Add) and not ratio.free_symbols & angle.c.free_symbols
    return ratio if simple and (ratio.is_positive or ratio.is_number) else None


def occurrences(expressions: Sequence[Expr], argument: Expr) -> int:
    """How often the inverse sine or cosine of the argument is written."""
    found = (sp.asin(argument), sp.acos(argument))
    return sum(1 for e in expressions for node in sp.preorder_traversal(e) if node in found)


def _written_out(expression: Expr, values: Mapping[Symbol, Expr]) -> Expr:
    for _ in range(len(values)):
        if not expression.free_symbols & values.keys():
            break
        expression = expression.xreplace(dict(values))
    return expression


def _without_numbers(term: Expr) -> Expr:
    """A term without its numbers: c/4 stands beside c asin(ρ)/(2π)."""
    return Mul(*(f for f in Mul.make_args(term) if not f.is_number))


def _factored(group: Expr, angle: Angle, size: Symbol, sine: Symbol, cosine: Symbol) -> Expr | None:
    """The group as coefficient · size^p · (… + (π − θ) …), or ``None`` if it is not of one size."""
    body = sp.expand(group.xreplace({angle.c: size * cosine / angle.kappa}))
    power = _size_power(body, size)
    if power is None:
        letter = next((s for s in _letters(angle.scale)), None)
        if letter is None:
            return None
        body = sp.expand(body.subs(letter, size**2 / (angle.scale / letter)))
        power = _size_power(body, size)
    if power is None or power < 0:
        return None
    body = sp.expand(body / size**power)
    slope, rest = body.coeff(angle.theta, 1), body.coeff(angle.theta, 0)
    if slope == 0 or sp.expand(body - slope * angle.theta - rest) != 0:
        return None
    whole = sp.expand(rest + sp.pi * slope)
    if (whole == 0 and power) or (whole != 0 and not (power and whole.has(sine))):
        return None if power == 0 else _product(-slope, whole, size**power, angle.theta, (sine, cosine))
    return _product(-slope, whole, size**power, angle.theta, (sine, cosine))


def _letters(scale: Expr) -> list[Symbol]:
    """Symbols that the scale is a multiple of."""
    return sorted((f for f in Mul.make_args(scale) if f.is_Symbol), key=lambda s: str(s.name))


def _size_power(body: Expr, size: Symbol) -> Expr | None:
    """The power of the size common to all terms, if it is common."""
    powers = {t.as_coeff_exponent(size)[1] for t in Add.make_args(body)}
    return powers.pop() if len(powers) == 1 and not any(p.free_symbols for p in powers) else None


def _product(slope: Expr, whole: Expr, size: Expr, theta: Symbol, trig: tuple[Symbol, Symbol]) -> Expr | None:
    common = _common_factor([slope, whole], trig)
    first, second = sp.expand(slope / common), sp.expand(whole / common)
    if second != 0 and first.free_symbols | second.free_symbols > set(trig):
        shared = sp.gcd(first, second)
        common, first, second = common * shared, sp.cancel(first / shared), sp.cancel(second / shared)
    if any(p.exp == HALF for part in (first, second) for p in part.atoms(Pow)):
        return None
    turned = (sp.pi - theta) if first == 1 else Mul(first, sp.pi - theta, evaluate=False)
    inside = turned if second == 0 else Add(turned, second)
    return Mul(common, size, inside, evaluate=False) if common.is_Rational and size == 1 else common * size * inside


def _common_factor(parts: Sequence[Expr], trig: tuple[Symbol, Symbol]) -> Expr:
    """The factor common to all terms of the parts, free of sine and cosine, with the sign of the first."""
    terms = [t for part in parts if part != 0 for t in Add.make_args(part)]
    shared = set.intersection(*({f for f in Mul.make_args(t) if not f.is_Rational and not f.has(*trig)} for t in terms))
    numbers = [t.as_coeff_Mul()[0] for t in terms]
    content = sp.gcd_list([abs(k.p) for k in numbers]) / sp.ilcm(*(k.q for k in numbers), 1)
    sign = -1 if numbers[0] < 0 else 1
    return Mul(sign * content, *sorted(shared, key=sp.default_sort_key))
