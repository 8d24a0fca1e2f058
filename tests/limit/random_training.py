"""Random small networks in training, scaled so that features move by order one."""

from __future__ import annotations

from random import Random

FUNCTIONS = {
    "linear": "({})", "square": "(({})^2/4)", "tanh": "tanh({})", "erf": "erf({})", "relu": "relu({})",
    "sine": "sin({})",
}
KINDS = (("linear",), ("linear",), ("linear", "square"), ("tanh",), ("tanh", "erf"), ("relu",), ("sine",))


def network(seed: int) -> tuple[str, str]:
    """A program with a ``train`` statement F, and the name of a hidden vector."""
    rng = Random(seed)
    kinds = rng.choice(KINDS)
    heavy = bool({"square", "relu"} & set(kinds))
    depth = rng.choice((1, 2)) if heavy else rng.choice((1, 2, 2, 3))
    arrays, rates = ["weight U: (n, 2) ~ N(0, 1)"], {"U": "n/5"}
    body, matrices = [f"h[1] = {applied(rng, kinds, first(rng, arrays, rates))}"], list[str]()
    for k in range(2, depth + 1):
        body.append(f"h[{k}] = {applied(rng, kinds, hidden(rng, k, arrays, rates, matrices))}")
    body.append(f"return {readout(rng, depth, arrays, rates)}")
    data = rng.choice(("[(x, 1)]", "[(x, 1)]", "[(x, 1), (y, -1)]"))
    steps = 1 if heavy or (depth == 3 and kinds != ("linear",)) else rng.choice((1, 2))
    table = ", ".join(f"{name}: {rate}" for name, rate in rates.items())
    settings = rng.choice(("", "", "", ", momentum = 1/2"))
    if rng.random() < 0.2:
        settings += f", weight_decay = {{{', '.join(f'{name}: 1/(5*{rate})' for name, rate in rates.items())}}}"
    loss = rng.choice(("mse", "mse", "xent", "odd"))
    batch = ", batch = 1" if "y" in data and rng.random() < 0.3 else ""
    return "\n".join([
        "width n", "input x: (2) = [1, 1/2]", "input y: (2) = [-1/2, 3/4]", "fn odd(a, b) = (a - b)^2/4 + sin(a - b)/3",
        *arrays, "def f(z):", *(f"    {line}" for line in body),
        f"train F = f with sgd(lr = {{{table}}}{settings}), loss = {loss}, data = {data}, steps = {steps}{batch}", "",
    ]), f"h[{depth}]"


def applied(rng: Random, kinds: tuple[str, ...], argument: str) -> str:
    return FUNCTIONS[rng.choice(kinds)].format(argument)


def first(rng: Random, arrays: list[str], rates: dict[str, str]) -> str:
    """The input layer, with or without a bias, random or not."""
    if rng.random() < 0.6:
        return "U @ z"
    arrays.append(f"weight b: (n) ~ N({rng.choice(('0', '1/2'))}, {rng.choice(('0', '1/4'))})")
    rates["b"] = "n/5"
    return "U @ z + b"


def hidden(rng: Random, layer: int, arrays: list[str], rates: dict[str, str], matrices: list[str]) -> str:
    """A product with a new matrix or an old one, sometimes with another product or a branch beside it."""
    if matrices and rng.random() < 0.4:
        matrix = rng.choice(matrices) + rng.choice(("", ".T"))
    else:
        matrix, kind = f"W{layer}", rng.choice(("weight", "weight", "weight", "random"))
        arrays.append(f"{kind} {matrix}: (n, n) ~ N(0, {rng.choice(('1/n', '1/(2*n)'))})")
        matrices.append(matrix)
        if kind == "weight":
            rates[matrix] = rng.choice(("1/4", "1/3"))
    found = f"{matrix} @ h[{layer - 1}]"
    if rng.random() < 0.3:
        factor, flip = rng.choice(("1/2*", "", "-1*")), rng.choice(("", ".T"))
        found += f" + {factor}({rng.choice(matrices)}{flip} @ h[{rng.randrange(1, layer)}])"
    return found + (f" + h[{layer - 1}]" if rng.random() < 0.25 else "")


def readout(rng: Random, depth: int, arrays: list[str], rates: dict[str, str]) -> str:
    kind, mean = rng.choice(("weight", "weight", "weight", "random")), rng.choice(("0", "0", "1"))
    arrays.append(f"{kind} v: (n) ~ N({mean}, 1)")
    if kind == "weight":
        rates["v"] = "n/4"
    return f"mean(v*h[{depth}])" if rng.random() < 0.85 else f"mean(v*(h[{depth}] - mean(h[{depth}])))"
