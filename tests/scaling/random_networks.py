"""Random small networks with exponents for every array, and how their exponents compare with runs at finite width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from sympy import Expr, S, Symbol

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.polyhedron import Generators
from tpsym.polyhedra.trees import Expression, evaluate
from tpsym.program.instructions import Dimension, Moment
from tpsym.program.scope import Context
from tpsym.results.exponents import analyse
from tpsym.scaling.regimes import Scaling
from tpsym.simulate.slopes import Slope, SlopeTable, slopes
from tpsym.transform.optimizers import Optimizer, Rule
from tpsym.transform.training import CONSTANT, Training

Point = dict[str, Fraction]
DATA = ("input x: (d) = [1/2, 1/2, 1/2, 1/2]", "input y: (d) = [1/2, -1/2, 1/2, 1/4]")
ODD, EVEN, NEITHER = ("tanh", "erf"), ("abs",), ("relu", "gelu", "softplus")


@dataclass
class Draft:
    """A file being written."""

    rng: Random
    functions: Sequence[str]
    arrays: list[str] = field(default_factory=list)
    declarations: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def array(self, shape: str, *, trained: bool = True) -> str:
        """Declare an array and return it times its multiplier."""
        name = f"w{len(self.declarations) + 1}"
        if not trained:
            spread = {"(n, n)": "1/n", "(m, n)": "1/n", "(n, m)": "1/m"}.get(shape, "1")
            self.declarations.append(f"random {name}: {shape} ~ N(0, {spread})")
            return name
        self.arrays.append(name)
        self.declarations.append(f"weight {name}: {shape} ~ N(0, n^(-2*b_{name}))")
        return f"n^(-a_{name}) * {name}"

    def let(self, expr: str) -> str:
        """A name for an expression."""
        name = f"h{len(self.body) + 1}"
        self.body.append(f"{name} = {expr}")
        return name

    def phi(self, argument: str) -> str:
        return f"{self.rng.choice(self.functions)}({argument})"

    def text(self) -> str:
        """The file."""
        lines = ["width n", *(["width m = 2*n"] if "two widths" in self.tags else []), "dim d = 4"]
        lines += [f"param a_{w}, b_{w}, c_{w}: real" for w in self.arrays]
        lines += ["param eta: positive", *DATA, *self.declarations, "def f(x, y):"]
        return "\n".join([*lines, *(f"    {line}" for line in self.body), ""])


def network(rng: Random) -> tuple[str, tuple[str, ...]]:
    """A random network as a file and what is in it."""
    functions = rng.choice([ODD, EVEN, NEITHER, ODD + EVEN + NEITHER])
    draft = Draft(rng, functions)
    h = rng.choice(STARTS)(draft)
    for _ in range(rng.randint(0, 2)):
        block = rng.choice(BLOCKS)
        h = block(draft, h)
    rng.choice(ENDS)(draft, h)
    return draft.text(), tuple(dict.fromkeys(draft.tags))


# --- parts of networks -----------------------------------------------------------------------------


def _start(draft: Draft) -> str:
    return draft.let(f"{draft.array('(n, d)')} @ x")


def _start_with_bias(draft: Draft) -> str:
    draft.tags.append("bias")
    return draft.let(f"{draft.array('(n, d)')} @ x + {draft.array('(n)')}")


def _pooled(draft: Draft) -> str:
    draft.tags.append("two inputs")
    w = draft.array("(n, d)")
    return draft.let(f"{draft.phi(f'{w} @ x')} + {draft.phi(f'{w} @ y')}")


def _recurrent(draft: Draft) -> str:
    draft.tags.append("recurrent")
    w, u = draft.array("(n, n)"), draft.array("(n, d)")
    h = draft.let(f"{u} @ x")
    for point in ("y", "x")[: draft.rng.randint(1, 2)]:
        h = draft.let(f"{w} @ {draft.phi(h)} + {u} @ {point}")
    return h


def _attention(draft: Draft) -> str:
    draft.tags.append("attention")
    w, q, k = draft.array("(n, d)"), draft.array("(n, n)"), draft.array("(n, n)")
    x, y = (draft.let(draft.phi(f"{w} @ {point}")) for point in "xy")
    query = draft.let(f"{q} @ {x}")
    scores = [draft.let(f"mean({query} * ({k} @ {z}))") for z in (x, y)]
    weight = draft.let(f"exp({scores[0]})/(exp({scores[0]}) + exp({scores[1]}))")
    return draft.let(f"{weight}*{x} + (1 - {weight})*{y}")


def _layer(draft: Draft, h: str) -> str:
    return draft.let(f"{draft.array('(n, n)')} @ {draft.phi(h)}")


def _layer_with_bias(draft: Draft, h: str) -> str:
    draft.tags.append("bias")
    return draft.let(f"{draft.array('(n, n)')} @ {draft.phi(h)} + {draft.array('(n)')}")


def _residual(draft: Draft, h: str) -> str:
    draft.tags.append("residual")
    return draft.let(f"{h} + {draft.array('(n, n)')} @ {draft.phi(h)}")


def _layernorm(draft: Draft, h: str) -> str:
    draft.tags.append("layernorm")
    h = draft.let(f"{draft.array('(n, n)')} @ {draft.phi(h)}")
    centred = draft.let(f"{h} - mean({h})")
    return draft.let(f"{centred}/sqrt(mean({centred}*{centred}))")


def _rmsnorm(draft: Draft, h: str) -> str:
    draft.tags.append("rmsnorm")
    h = draft.let(f"{draft.array('(n, n)')} @ {draft.phi(h)}")
    return draft.let(f"{h}/sqrt(mean({h}*{h}) + 1/10)")


def _gate(draft: Draft, h: str) -> str:
    draft.tags.append("gate")
    x = draft.let(draft.phi(h))
    return draft.let(f"tanh({draft.array('(n, n)')} @ {x}) * ({draft.array('(n, n)')} @ {x})")


def _scalar_gate(draft: Draft, h: str) -> str:
    draft.tags.append("scalar gate")
    x = draft.let(draft.phi(h))
    s = draft.let(f"{draft.array('(1, n)')} @ {x}")
    return draft.let(f"({draft.array('(n, n)')} @ {x})*(2 + tanh({s}))")


def _frozen(draft: Draft, h: str) -> str:
    draft.tags.append("frozen")
    return draft.let(f"{draft.array('(n, n)', trained=False)} @ {draft.phi(h)}")


def _there_and_back(draft: Draft, h: str) -> str:
    draft.tags.append("transpose")
    w = draft.array("(n, n)", trained=draft.rng.random() < 0.7)
    name = w.split()[-1]
    turned = w.replace(f"* {name}", f"* {name}.T") if " * " in w else f"{name}.T"
    up = draft.let(f"{w} @ {draft.phi(h)}")
    return draft.let(f"{turned} @ {draft.phi(up)}")


def _twice(draft: Draft, h: str) -> str:
    draft.tags.append("shared")
    w = draft.array("(n, n)")
    up = draft.let(f"{w} @ {draft.phi(h)}")
    return draft.let(f"{w} @ {draft.phi(up)}")


def _wide(draft: Draft, h: str) -> str:
    draft.tags.append("two widths")
    up = draft.let(f"{draft.array('(m, n)')} @ {draft.phi(h)}")
    return draft.let(f"{draft.array('(n, m)')} @ {draft.phi(up)}")


def _readout(draft: Draft, h: str) -> None:
    draft.body.append(f"return {draft.array('(1, n)')} @ {draft.phi(h)}")


def _linear_readout(draft: Draft, h: str) -> None:
    draft.body.append(f"return {draft.array('(1, n)')} @ {h}")


def _readout_with_bias(draft: Draft, h: str) -> None:
    draft.tags.append("scalar")
    draft.body.append(f"return {draft.array('(1, n)')} @ {draft.phi(h)} + {draft.array('()')}")


def _mean(draft: Draft, h: str) -> None:
    draft.tags.append("mean")
    draft.body.append(f"return mean({draft.phi(h)})")


def _two_readouts(draft: Draft, h: str) -> None:
    draft.tags.append("product of readouts")
    x = draft.let(draft.phi(h))
    draft.body.append(f"return ({draft.array('(1, n)')} @ {x})*tanh({draft.array('(1, n)')} @ {x})")


STARTS: tuple[Callable[[Draft], str], ...] = (_start, _start, _start_with_bias, _pooled, _recurrent, _attention)
BLOCKS: tuple[Callable[[Draft, str], str], ...] = (
    _layer, _layer, _layer_with_bias, _residual, _layernorm, _rmsnorm, _gate, _scalar_gate, _frozen, _there_and_back,
    _twice, _wide,
)
ENDS: tuple[Callable[[Draft, str], None], ...] = (_readout, _readout, _linear_readout, _readout_with_bias, _mean,
                                                  _two_readouts)


# --- exponents and slopes --------------------------------------------------------------------------


def parameter(context: Context, name: str) -> Symbol:
    return next(s for s in context.parameters if s.name == name)


def analysed(text: str, rule: Rule) -> Scaling:
    """The exponents of a file under an optimizer with the rate η n^-c_w for every array w."""
    context = tpsym.parse(text).model.context
    context.limit = None
    n, eta = context.n, parameter(context, "eta")
    rates: dict[str, Expr] = {t.name: eta * n ** -parameter(context, f"c_{t.name}") for t in context.trained}
    return analyse(context, context.scope.find("f"), Optimizer(rule, rates=rates), NOWHERE)


def drawn(found: Generators, rng: Random) -> Point:
    """A point of a region: a mean of few vertices in quarters, plus some rays, moved along some lines."""
    vertices = rng.sample(found.vertices, min(len(found.vertices), rng.choice([1, 1, 2, 2, 3])))
    cuts = sorted(Fraction(rng.randint(0, 4), 4) for _ in vertices[1:])
    weights = [b - a for a, b in zip([Fraction(0), *cuts], [*cuts, Fraction(1)], strict=True)]
    point = {v: sum((w * p[v] for w, p in zip(weights, vertices, strict=True)), Fraction(0)) for v in vertices[0]}
    for ray in rng.sample(found.rays, min(len(found.rays), rng.choice([0, 1, 1, 2]))):
        size = Fraction(1, max(abs(q) for q in ray.values()) * rng.choice([1, 2]))
        point = {v: q + size * ray[v] for v, q in point.items()}
    for line in rng.sample(found.lineality, min(len(found.lineality), rng.choice([0, 1, 2]))):
        size = Fraction(rng.choice([-1, 1]), 2 * max(abs(q) for q in line.values()))
        point = {v: q + size * line[v] for v, q in point.items()}
    return point


@dataclass(frozen=True)
class Compared:
    """A quantity: the exponent that is claimed (``None`` for zero), and what was measured."""

    label: str
    role: str
    claimed: Fraction | None
    gap: Fraction | None
    measured: Slope

    @property
    def error(self) -> float:
        """How far the measured slope is off."""
        if self.measured.exponent is None or self.claimed is None:
            return 0.0 if self.claimed is None and self.measured.problem in ("zero", "rounding") else float("inf")
        return abs(self.measured.exponent - float(self.claimed))

    @property
    def resolved(self) -> bool:
        """Whether the slope is as claimed, up to 0.1 and the scatter of the seeds."""
        return self.error < 0.1 + 3.5 * self.measured.standard_error


def compared(
    scaling: Scaling, point: Mapping[str, Fraction], *, widths: Sequence[int], seeds: int, steps: int,
    eta: float,
) -> list[Compared]:
    """Sizes at initialisation and changes after ``steps`` of all features and the output, claimed and measured."""
    context, run = scaling.run.setting.context, scaling.run
    quantities: dict[Expr, tuple[str, str]] = {}
    for feature in run.last.features:
        quantities.setdefault(feature.expr, (f"{len(quantities)}", feature.role))
    for output in run.setting.outputs:
        quantities.setdefault(output, ("f", "output"))
    observed = tuple((label, expr, dimension_of(context, expr)) for expr, (label, _) in quantities.items())
    training = Training(context, run.setting.outputs, (S.Zero,), CONSTANT, scaling.optimizer, steps)
    values = {s: float(point.get(s.name, 0)) for s in context.parameters} | {parameter(context, "eta"): eta}
    table = slopes(training, observed, widths=widths, seeds=seeds, values=values)
    return [c for expr, (label, role) in quantities.items()
            for c in _compared(scaling, point, table, expr, (label, role), steps)]


def agreed(
    scaling: Scaling, point: Mapping[str, Fraction], *, widths: Sequence[int], seeds: int, steps: int,
    etas: Sequence[float] = (0.7, 0.1),
) -> list[Compared]:
    """Each quantity at the first of several η at which its slope is as claimed, else at the last.

    A change is a polynomial in η. At small η terms of low order in it hide larger powers of n of higher order; at large
    η small networks saturate. A wrong exponent is wrong at both.
    """
    found = compared(scaling, point, widths=widths, seeds=seeds, steps=steps, eta=etas[0])
    for eta in etas[1:]:
        if all(c.resolved for c in found):
            break
        again = compared(scaling, point, widths=widths, seeds=seeds, steps=steps, eta=eta)
        found = [old if old.resolved else new for old, new in zip(found, again, strict=True)]
    return found


def _compared(
    scaling: Scaling, point: Mapping[str, Fraction], table: SlopeTable, expr: Expr, named: tuple[str, str], steps: int
) -> list[Compared]:
    label, role = named
    whole = {**dict.fromkeys((s.name for s in scaling.run.setting.context.parameters), Fraction(0)), **point}
    found = []
    start, change = scaling.init(expr), scaling.update(expr)
    for claimed, kind, step in ((start, "size", 0), (change, "change", steps)):
        value = None if claimed is None else evaluate(claimed, whole)
        found.append(Compared(f"{expr}: {kind}", role, value, _gap(claimed, whole), table.find(label, kind, step)))
    return found


def _gap(claimed: Expression | None, point: Mapping[str, Fraction]) -> Fraction | None:
    """By how much the largest form of a maximum is above the next one that is not equal."""
    values = sorted({evaluate(item, point) for item in getattr(claimed, "items", ())}, reverse=True)
    return values[0] - values[1] if len(values) > 1 else None


def dimension_of(context: Context, expr: Expr) -> Dimension | None:
    """The width that an expression is a vector in, ``None`` for a scalar."""
    nodes = (context.builder[context.nodes[s]] for s in expr.free_symbols if s in context.nodes)
    found = (getattr(i, "dimension", None) for i in nodes if not isinstance(i, Moment))
    return next((d for d in found if d is not None), None)
