"""Answers to ``derive``: equations with the steps that led to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, Function, S, Symbol

from tpsym.derivation import Step
from tpsym.errors import Diagnostic, Span, TpError, fail
from tpsym.limit.hypotheses import Theorem
from tpsym.limit.named import numbers_written_out
from tpsym.limit.variables import label_latex
from tpsym.program.calls import require_available
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import (
    AlgebraicEquation,
    Endpoints,
    GaussianLaw,
    Kernel,
    Region,
    Scalar,
    Theory,
    Value,
    VectorValue,
    describe,
)
from tpsym.program.values import Function as FunctionValue
from tpsym.results.answers import Answer, Notation, Recursion, needed
from tpsym.results.closed import closed_form, facts
from tpsym.results.exact_edgeworth import Stated
from tpsym.results.exact_told import told as with_exact
from tpsym.results.fresh_names import with_fresh_names
from tpsym.results.inputs import default_inputs
from tpsym.results.kernel_entries import tangent_entry
from tpsym.results.long import short_steps, shortened
from tpsym.results.meanfield_answers import numbers, statements, theory
from tpsym.results.numbers import decimal
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit, reasons
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

Normal = Function("N")
DIGITS = 15
SECONDS = 3.0
"""What the number beside an answer may take."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The answers, and what could not be answered (with its place)."""

    answers: tuple[Answer, ...]
    refused: tuple[Diagnostic, ...]


def derive(model: Model, side: LimitQuestions) -> Derived:
    """Answer every ``derive`` of a file; each step of the derivation is told once, where first needed.

    Raises:
        TpError: a question does not make sense (an unknown name, shapes that do not match).
    """
    answers: list[Answer] = []
    refused: list[Diagnostic] = []
    told: set[int] = set()
    for question in model.questions:
        try:
            answers.extend(_answer(model, side, question, told))
        except NoLimit as error:
            refused.append(Diagnostic("no-limit", f"no limit here: {error.reason}", error.span))
        except TpError as error:
            if error.diagnostics[0].code != "not-available":
                raise
            refused.extend(error.diagnostics)
    return Derived(tuple(answers), tuple({d.message: d for d in reversed(refused)}.values())[::-1])


def _answer(model: Model, side: LimitQuestions, question: tree.Derive, told: set[int]) -> Iterable[Answer]:
    text = format_expression(question.value)
    side.forget()
    require_available(question.value, model.context.scope)
    side.telling = True
    try:
        scope = with_fresh_names(model.context, question.value, model.context.scope)
        value = evaluate(model.context, question.value, scope)
    finally:
        side.telling = False
    if isinstance(value, Kernel):
        yield from _kernel_answers(model, side, value, text, question.span, told)
        return
    if isinstance(value, Theory) and value.kind == "meanfield":
        yield from _theory_answers(side, value, text, question.span, told)
        return
    if isinstance(value, Theory) and value.kind == "kernel_limit":
        from tpsym.results.kernel_training_answers import answers

        yield from answers(side, value, text, question.span)
        return
    if isinstance(value, Endpoints) or (isinstance(value, Theory) and value.kind == "spectrum"):
        from tpsym.results.spectrum_answers import spectrum_answers

        yield from spectrum_answers(side, value, text, question.span, told)
        return
    if isinstance(value, Theory | Region):
        from tpsym.results.exponent_answers import exponent_answers

        yield from exponent_answers(side, value, text, question.span)
        return
    if isinstance(value, Stated):
        yield from value.content(text, question.span)
        return
    left, right, note = _equation(side, value, text, question.value)
    answer = _build(model, side, text, left, right, question.span, told, note=note)
    yield with_exact(side.exacts, answer, side.limit.variables.latex)


def _equation(side: LimitQuestions, value: Value, text: str, node: tree.Expr) -> tuple[Expr, Expr, str]:
    name = _named(side, text)
    match value:
        case Scalar(expr=expr):
            if expr.free_symbols & side.context.nodes.keys():
                raise fail(
                    "not-a-limit",
                    "this is a scalar of the program, random at every finite width",
                    node.span,
                    fix=f"ask for its limit: lim({text})",
                )
            return name, expr, ""
        case AlgebraicEquation(polynomial=polynomial):
            return polynomial, S.Zero, "; ".join(side.guesses)
        case GaussianLaw(mean=mean, variance=variance):
            return name, Normal(mean, variance), "a scalar of central-limit size: its limit is a Gaussian law"
        case VectorValue(expr=expr):
            exponent, limit = side.limit.series(expr).leading()
            known = side.context.nodes.get(expr)
            if known is not None:
                name = side.limit.z_symbol(known)
            _ask(side, expr)
            side.cite(expr)
            written = side.limit.variables.forms.get(limit)
            shown = limit if written is None or limit in written else sp.Add(*(c * g for g, c in written.items()))
            factor = side.context.n**exponent
            shown = numbers_written_out(side.limit, shown)
            return name, factor * shown, "" if exponent == 0 else "at leading order in n"
    raise fail("not-derivable", f"cannot derive {describe(value)}", node.span, expected="a limit or a kernel")


def _ask(side: LimitQuestions, expr: Expr) -> None:
    side.asked |= {side.context.nodes[s] for s in expr.free_symbols if s in side.context.nodes}


def _named(side: LimitQuestions, text: str) -> Symbol:
    symbol = Symbol(text, real=True)
    side.limit.variables.latex.setdefault(symbol, _question_latex(text))
    return symbol


def _question_latex(text: str) -> str:
    """What was asked, as mathematics."""
    if text.startswith("nngp("):
        head, _, tail = text[5:].partition(")")
        return rf"\operatorname{{NNGP}}_{{{label_latex(head)}}}{label_latex(tail)}"
    for kind, latex in (("lim", r"\lim "), ("exact", "")):
        if text.startswith(f"{kind}(") and text.endswith(")"):
            inner = text[len(kind) + 1 : -1]
            return latex + (_mean_latex(inner) if inner.startswith("E[") else label_latex(inner))
    return _mean_latex(text) if text.startswith("E[") else label_latex(text)


def _mean_latex(text: str) -> str:
    """``E[…]`` and what may stand behind it."""
    body, _, rest = text[2:].rpartition("]")
    return rf"\mathbb{{E}}[{label_latex(body)}]" + (label_latex(rest) if rest else "")


def _kernel_answers(
    model: Model, side: LimitQuestions, kernel: Kernel, text: str, span: Span, told: set[int]
) -> Iterable[Answer]:
    inputs = default_inputs(model.context.scope)
    if not inputs:
        raise fail("no-inputs", "the file declares no inputs to state the kernel at", span, fix="input x, y: (d)")
    pairs = [(inputs[0], inputs[0])] + ([(inputs[0], inputs[1])] if len(inputs) > 1 else [])
    for (first, x), (second, y) in pairs:
        side.forget()
        value, parts, power = kernel_value(side, kernel, (x, y), span)
        name: Expr = _named(side, f"{text}({first}, {second})")
        note = ""
        if power != 0:
            name, note = side.context.n ** (-power) * name, f"grows like {side.context.n**power}".replace("**", "^")
        with reasons(span):
            recursions = recursions_of(side, value)
        answer = _build(model, side, text, name, value, span, told, note=note)
        rests = sp.Tuple(value, *(e for r in recursions for e in (r.step, r.initial)))
        yield replace(answer, contributions=parts, recursions=recursions,
                      definitions=needed(rests, side.limit.definitions))


def _theory_answers(
    side: LimitQuestions, value: Theory, text: str, span: Span, told: set[int]
) -> Iterable[Answer]:
    assert isinstance(value.subject, FunctionValue)
    found = theory(side, value.subject, span)
    digits = numbers(side, value.subject, found)
    for statement in statements(found):
        number = digits.get(str(statement.left)) if not statement.right.is_Rational else None
        yield Answer(text, statement.left, statement.right, (), new_steps(side, told), span, note=statement.note,
                     value=number)


def kernel_value(
    side: LimitQuestions, kernel: Kernel, inputs: tuple[Value, Value], span: Span
) -> tuple[Expr, tuple[tuple[str, Expr], ...], Expr]:
    """An entry of a kernel without its power of n, for a tangent kernel its summands by trained array, the power."""
    if kernel.kind != "ntk":
        return side.kernel(kernel, *inputs, span), (), S.Zero
    found = tangent_entry(side, kernel, inputs, span)
    assert found is not None
    return found.value, found.parts, found.exponent


def recursions_of(side: LimitQuestions, value: Expr) -> tuple[Recursion, ...]:
    """The recursions over layers that a value rests on; their rounds count as asked about."""
    keys = side.recursions.closure([value])
    found = tuple(side.recursions.recursion(key) for key in keys)
    for key in keys:
        nodes = side.recursions.nodes(key)
        side.asked |= nodes
        side.cite(*(side.context.symbol(k) for k in nodes))
    return found


def _build(
    model: Model, side: LimitQuestions, text: str, left: Expr, right: Expr, span: Span, told: set[int], *,
    note: str = "",
) -> Answer:
    steps = new_steps(side, told)
    covered = "; ".join(theorem_text(t) for t in side.theorems)
    covered += "".join(f", where {variance} > 0".replace("**", "^") for variance in side.conditions())
    side.theorems.clear()
    full = ". ".join(part for part in (note, covered) if part)
    definitions, shown = needed(right, side.limit.definitions), right
    known = facts(model)
    if definitions or right.free_symbols & known.keys():
        closed = closed_form(right, definitions, known)
        definitions, shown = (definitions, right) if closed is None else ((), closed)
    short = shortened(side.limit)
    if (brief := short(shown)) != shown:
        definitions, shown = needed(brief, side.limit.definitions), brief
    definitions = tuple((s, short(e)) for s, e in definitions)
    return Answer(text, left, shown, definitions, steps, span, note=full, value=_in_numbers(model, side, right))


def _in_numbers(model: Model, side: LimitQuestions, right: Expr) -> str | None:
    """The certain digits at the defaults, ``None`` where a parameter has none or the answer is a number anyway."""
    if right.is_Rational:
        return None
    try:
        digits = decimal(model, side, right, model.context.overrides, DIGITS, seconds=SECONDS)
    except TpError:
        return None
    return digits if digits.endswith(")") else f"{digits} (all digits certain)"


def theorem_text(found: Theorem) -> str:
    assumed = f", assuming {found.assumes}" if found.assumes else ""
    return f"by the {found.name} [{found.source}]{assumed}"


def new_steps(side: LimitQuestions, told: set[int]) -> tuple[Step, ...]:
    """The steps behind what was asked that were not told before, in program order."""
    wanted = set(side.limit.program.ancestors(side.asked))
    found = [(i, r) for i, r in enumerate(side.limit.steps) if r.node in wanted and i not in told]
    told |= {i for i, _ in found}
    return short_steps(side.limit, tuple(r.step for _, r in found))


def notation(side: LimitQuestions) -> Notation:
    """How the symbols of a derivation print."""
    latex = dict(side.limit.variables.latex)
    for (a, b), symbol in side.context.grams.items():
        latex[symbol] = rf"\|{label_latex(a)}\|^2" if a == b else rf"{label_latex(a)}^\top {label_latex(b)}"
    return Notation(latex)
