"""What ``tpsym verify`` prints."""

from __future__ import annotations

import json

from reports import claims

from tpsym.report.verdicts import Verdicts, verdicts_json, verdicts_text

GOLDEN = """\
mlp.tp
  ✓ first layer  (normal form)                                proved     line 20
  ≈ a number  (quadrature, 30 digits)                         checked    line 21
  ✗ forgot the 1/2                                            refuted    line 22
      intervals (at l = 2)
      nngp(f)(x, x) == sigma^2*dot(x, x)/d
      fails at  σ_w = 1.25, x·x = 2
      left side   1.5625
      right side  3.125
      the sides differ
  ? too hard                                                  undecided  line 23
      no rule applies within 10 s

4 claims: 1 proved, 1 checked, 1 refuted, 1 undecided
"""


def test_golden() -> None:
    assert verdicts_text([("mlp.tp", claims())]) == GOLDEN


def test_colour() -> None:
    assert "\x1b" not in GOLDEN
    assert "\x1b[31mrefuted\x1b[0m" in verdicts_text([("mlp.tp", claims())], color=True)


def test_json() -> None:
    value = json.loads(verdicts_json([("mlp.tp", claims()), ("empty.tp", ())]))
    assert [f["file"] for f in value["files"]] == ["mlp.tp", "empty.tp"]
    required = {"label", "line", "verdict", "method", "lhs", "rhs", "detail"}
    assert all(required <= set(claim) for claim in value["files"][0]["claims"])
    assert value["files"][0]["claims"][2]["witness"] == {"sigma_w": "1.25", "dot(x, x)": "2"}
    assert value["summary"] == {"proved": 1, "checked": 1, "refuted": 1, "undecided": 1}


def test_no_claims() -> None:
    assert verdicts_text([("a.tp", ())]) == "a.tp\n  no claims\n\n0 claims\n"


def test_verdicts_value() -> None:
    verdicts = Verdicts("mlp.tp", claims())
    assert len(verdicts) == 4
    assert verdicts[0].verdict == "proved"
    assert str(verdicts) == GOLDEN
    assert "<table>" in verdicts._repr_html_()
