"""Scaling exponents as the language asks for them; the exponents themselves are tested with the engine."""

from __future__ import annotations

from tpsym.api import derive, parse, verify

NETWORK = """
width n
dim d
param a, b, c: real
param eta: positive
input x, y: (d)
fn phi
weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, n^(-2*b))
weight v: (1, n) ~ N(0, 1/n)
random G: (n, n) ~ N(0, 1/n)

def f(xi):
    h = U @ xi
    g = n^(-a) * W @ phi(h)
    return v @ phi(g)

def still(xi):
    return v @ phi(G @ phi(U @ xi))

let S = scaling(f, sgd(lr = eta*n^(-c)))
let M = mup(f, adam)
"""


def verdicts(claims: str) -> dict[str, str]:
    found = verify(parse(NETWORK + claims))
    return {claim.label: f"{claim.verdict}{' ' if claim.detail else ''}{claim.detail}" for claim in found}


def test_claims() -> None:
    found = verdicts("""
claim "init": S.init(f.g(x)) == 1/2 - a - b
claim "output": S.init(f(x)) <= 0 where a + b >= 1/2
claim "not so": S.init(f.g(x)) == a
claim "inside": S.stable <=> S.region
claim "table": scaling(f, sgd(lr = {U: eta*n^(-c), W: 2*n^(-c), v: eta*n^(-c)})).stable <=> S.stable
claim "let": (S.kernel_regime and S.feature_learning) <=> 1 == 2
claim "words": scaling(f, adam(eta*n^(-c)), alignment = none).r >= scaling(f, adam(eta*n^(-c))).r where a = 1/2 - b
claim "lr": M.lr(W) == -1 and mup(f, adamw).lr(v) == -1 and M.std(v) == mup(f, sgd).std(v)
claim "gauge": mup(f, adam, multipliers = unit_readout).std(v) == 0
claim "nothing": mup(still, adam).lr(W) == 0
claim "zero": S.update(G @ phi(U @ x - U @ x)) == 0
""")
    wanted = {"not so": "refuted", "nothing": "undecided no limit: training does not depend on W", "zero": "undecided"}
    assert {label: text for label, text in found.items() if not text.startswith(wanted.get(label, "proved"))} == {}


def test_derive() -> None:
    text = derive(parse(NETWORK + "derive S\nderive S.region\nderive S.stable\nderive M\nderive S.r\n")).to_text()
    assert text.count("S.region") >= 1
    row = next(line.split() for line in text.splitlines() if line.split()[:2] == ["W", "hidden"])
    assert row[:6] == ["W", "hidden", "layer", "1", "1/√n", "1/n"]
