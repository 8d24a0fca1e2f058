r"""A parametrisation given by numbers, checked on one network: what blows up or vanishes, and what freezes.

Sizes are read step by step and only as far as they can be trusted: once something is not of the size it should be,
nothing after it in the pass is looked at, and no further step. What is told is therefore not a bound but the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

from sympy import Expr

from tpsym.errors import Span, fail
from tpsym.polyhedra.conditions import holds, substitute
from tpsym.polyhedra.forms import number
from tpsym.program.graph import Program
from tpsym.program.scope import Context
from tpsym.scaling.arrays import Array, Scale, Solved, arrays_of
from tpsym.scaling.interpret import Pass
from tpsym.scaling.mup import Role
from tpsym.scaling.named import fan_in
from tpsym.scaling.rates import MaximalRates, declared, maximal_rates, refuse_symbols, settled
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setting import Nonzero, Setting
from tpsym.scaling.setup import read
from tpsym.scaling.sizes import Known, Size, total
from tpsym.scaling.training import MAX_PASSES, own_updates, trained
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer

Kind = Literal["grows", "vanishes"]
Verdict = Literal["maximal", "frozen", "unstable", "unread"]
STILL = number(-1_000)
"""The exponent of a learning rate at which nothing moves, whatever the table."""
NUDGE = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of size n^``exponent`` that should not be: ``step`` is 0 for initialisation.

    ``initial`` and ``updates`` are the arrays that it would grow with, if their initial entries or their learning
    rates were larger.
    """

    kind: Kind
    what: str
    step: int
    exponent: Fraction
    initial: tuple[str, ...]
    updates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One array: its exponents, and the exponent of what its update changes (``None``: nothing, or not read)."""

    array: str
    role: Role
    multiplier: Fraction
    std: Fraction
    lr: Fraction
    update: Fraction | None
    verdict: Verdict
    largest: Fraction | None


@dataclass(frozen=True)
class Checked:
    """What a table does to a network: ``findings`` are what makes it unstable, ``scaling`` its regime if it is not.

    ``rates`` are the largest stable ones for its multipliers and deviations, if there are any.
    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    scaling: Scaling | None
    rates: MaximalRates | None

    @property
    def stable(self) -> bool:
        return not self.findings

    @property
    def frozen(self) -> tuple[str, ...]:
        """Arrays whose update changes nothing in the limit."""
        return tuple(r.array for r in self.rows if r.verdict == "frozen")

    @cached_property
    def regime(self) -> str:
        """In a word or two, by the theorems of :mod:`tpsym.scaling.regimes`."""
        if self.scaling is None:
            return "unstable"
        values = self.scaling.run.known.solved
        if holds(substitute(self.scaling.feature_learning, values), {}):
            return "feature learning"
        return "kernel regime" if holds(substitute(self.scaling.kernel_regime, values), {}) else "trivial"


def checked(
    context: Context,
    output: Expr,
    optimizer: Optimizer,
    span: Span,
    *,
    table: Mapping[str, Solved] | None = None,
    alignment: Alignment = "worst",
    nonzero: Nonzero | None = None,
) -> Checked:
    """Check a table on a network; without one, what the declarations and the optimizer say.

    Raises:
        TpError: ``missing-array`` if the table leaves one out, ``symbolic-exponents`` if exponents are no numbers,
            ``eps-not-checked`` for optimizers with ε, ``cancelling-mean`` if ``nonzero`` is given, see
            :func:`tpsym.scaling.setup.read`.
    """
    given = declared(context, optimizer) if table is None else table
    if optimizer.rule != "sgd" and (optimizer.eps != 0 or any(e != 0 for e in optimizer.epsilons.values())):
        raise fail("eps-not-checked", "tables are checked for optimizers without ε", span, fix="leave eps out")
    setting = _setting(context, output, optimizer, span, given, alignment, nonzero)
    findings = _first_findings(setting, span)
    scaling = None
    if not findings:
        scaling = Scaling(trained(setting, init_only=frozenset(), span=span), optimizer)
    rates = None
    if all(f.step for f in findings):
        rates = maximal_rates(context, output, optimizer, span, fixed=given, alignment=alignment)
    rows = tuple(_row(context, a, given[a.name], scaling, findings, rates) for a in setting.arrays)
    return Checked(rows, findings, scaling, rates)


def _setting(
    context: Context, output: Expr, optimizer: Optimizer, span: Span, table: Mapping[str, Solved], alignment: Alignment,
    nonzero: Nonzero | None,
) -> Setting:
    """The network at the table; it is first met at rates at which sizes close in any case."""
    known = Known(settled(context))
    forms = [f for s in table.values() for f in (s.multiplier, s.deviation, s.rate)]
    still = {t.name: Solved(number(0), number(0), STILL) for t in context.trained}
    still |= {name: replace(s, rate=STILL) for name, s in table.items()}
    bare = replace(optimizer, rates={}, decays={})
    run = read(context, output, bare, span, alignment=alignment, solved=still, nonzero=nonzero)
    names = [a.name for a in run.setting.arrays]
    missing = [name for name in names if name not in table]
    if missing:
        raise fail("missing-array", f"the table says nothing of {', '.join(missing)}", span)
    forms += [f for c in run.constraints for f in c.size]
    refuse_symbols(frozenset().union(*(known.reduced(f).variables for f in forms)), span)
    arrays = arrays_of(context, optimizer, Scale(context.n), solved=table)
    rules = replace(run.setting.rules, known=known)
    return replace(run.setting, arrays=tuple(a for a in arrays if a.name in names), rules=rules)


# --- what is not of the right size ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Something read in a pass: the exponent of its size, and whether that has to be zero."""

    expr: Expr
    exponent: Fraction | None
    equal: bool
    step: int

    @property
    def kind(self) -> Kind | None:
        """What is wrong with it, if anything."""
        e = self.exponent
        if e is None or e == 0 or (e < 0 and (self.step or not self.equal)):
            return None
        return "grows" if e > 0 else "vanishes"


def _first_findings(setting: Setting, span: Span) -> tuple[Finding, ...]:
    """What goes wrong first, nothing if the sizes close before anything does."""
    known = setting.rules.known
    before: Pass | None = None
    for step in range(MAX_PASSES + 1):
        current = Pass(setting, known, before.values if before else None)
        current.run()
        found = _findings(setting, before, current, step)
        if found:
            return found
        if before and step > 1 and all(before.values[k].change == p.change for k, p in current.values.items()):
            return ()
        before = current
    raise fail("not-closed", f"the sizes still change after {MAX_PASSES} steps of training", span)


def _places(current: Pass, step: int) -> list[_Place]:
    equal = {f.expr for f in current.features if f.role in ("vector", "denominator")}
    outputs = zip(current.setting.outputs, current.outputs, strict=True)
    met = {**{f.expr: f.pair for f in current.features}, **dict(outputs)}
    sizes = ((expr, total(pair.change if step else pair.initial)) for expr, pair in met.items())
    return [_Place(expr, _largest(current.known, size), expr in equal, step) for expr, size in sizes]


def _findings(setting: Setting, before: Pass | None, current: Pass, step: int) -> tuple[Finding, ...]:
    wrong = [p for p in _places(current, step) if p.kind is not None]
    program, nodes = setting.program, setting.context.nodes
    sources = {p.expr: frozenset(nodes[s] for s in p.expr.free_symbols if s in nodes) for p in wrong}
    found = []
    for place in wrong:
        earlier = frozenset(program.ancestors(sources[place.expr]))
        others = (sources[p.expr] for p in wrong if p is not place and sources[p.expr] != sources[place.expr])
        if not any(s and s <= earlier for s in others):
            found.append(_finding(setting, before, place))
    return tuple({f.what: f for f in reversed(found)}.values())[::-1]


def _finding(setting: Setting, before: Pass | None, place: _Place) -> Finding:
    initial = _responsible(setting, before, place, lambda a: replace(a, extra=a.extra + NUDGE))
    updates = _responsible(setting, before, place, lambda a: replace(a, rate=a.rate + NUDGE)) if place.step else ()
    exponent, kind = place.exponent, place.kind
    assert exponent is not None
    assert kind is not None
    return Finding(kind, described(setting, place.expr), place.step, exponent, initial, updates)


def _responsible(
    setting: Setting, before: Pass | None, place: _Place, larger: Callable[[Array], Array]
) -> tuple[str, ...]:
    """The arrays with which the size at a place grows, but for those whose initial size something else holds fast."""
    found = []
    for array in setting.arrays:
        changed = replace(setting, arrays=tuple(larger(a) if a is array else a for a in setting.arrays))
        nudged = Pass(changed, changed.rules.known, before.values if before else None)
        nudged.run()
        if any(p.expr == place.expr and p.exponent != place.exponent for p in _places(nudged, place.step)):
            found.append((array.name, _pinned(nudged, place)))
    names = tuple(name for name, pinned in found if not pinned)
    return names if names or place.step else tuple(name for name, _ in found)


def _pinned(nudged: Pass, place: _Place) -> bool:
    """Whether something of the right size at initialisation, and read before the place, would not stay so."""
    for other in _places(nudged, 0):
        if other.expr == place.expr:
            return False
        if other.equal and other.exponent == NUDGE:
            return True
    return False


def described(setting: Setting, expr: Expr) -> str:
    """An expression over nodes in the names of the file; what has none is named by what it is read from."""
    nodes, program = setting.context.nodes, setting.program
    text = str(expr).replace("**", "^")
    for s in sorted(expr.free_symbols, key=lambda s: -len(s.name)):
        if s in nodes:
            text = text.replace(s.name, _label(program, nodes[s]))
    return text


def _label(program: Program, node: int) -> str:
    label = program.label(node)
    if not label.startswith("#"):
        return label
    named = [program.label(k) for k in program.graph.successors(node)]
    named = [name for name in named if not name.startswith(("#", "∂"))]
    return f"what {named[0]} is made of" if named else f"instruction {label}"


# --- rows --------------------------------------------------------------------------------------------


def _row(
    context: Context,
    array: Array,
    given: Solved,
    scaling: Scaling | None,
    findings: Iterable[Finding],
    rates: MaximalRates | None,
) -> Row:
    forms = (given.multiplier, given.deviation, given.rate)
    multiplier, std, lr = (f.substitute(settled(context)).constant for f in forms)
    update: Fraction | None = None
    verdict: Verdict = "unread"
    if scaling is None:
        if any(array.name in (*f.initial, *f.updates) for f in findings):
            verdict = "unstable"
    else:
        update = _largest(scaling.run.known, own_updates(scaling.run, array))
        verdict = "maximal" if update == 0 else "frozen"
    return Row(
        array.name, fan_in(context, array)[0], multiplier, std, lr, update, verdict,
        rates[array.name] if rates else None,
    )


def _largest(known: Known, size: Size) -> Fraction | None:
    return max((known.reduced(f).constant for f in size), default=None)


__all__ = ["Checked", "Finding", "Row", "checked"]
