"""Letters and signs: Greek letters by their English names, look-alike signs, and what people type instead."""

from __future__ import annotations

import re
import unicodedata

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Α": "Alpha", "Β": "Beta", "Γ": "Gamma", "Δ": "Delta", "Ε": "Epsilon", "Ζ": "Zeta",
    "Η": "Eta", "Θ": "Theta", "Ι": "Iota", "Κ": "Kappa", "Λ": "Lambda", "Μ": "Mu", "Ν": "Nu",
    "Ξ": "Xi", "Ο": "Omicron", "Π": "Pi", "Ρ": "Rho", "Σ": "Sigma", "Τ": "Tau", "Υ": "Upsilon",
    "Φ": "Phi", "Χ": "Chi", "Ψ": "Psi", "Ω": "Omega",
}
"""Greek letters; the variant forms ϕ ϵ ϑ ϱ ϖ µ Ω become these under Unicode normalisation (NFKC)."""

SYNONYMS = {
    "**": "^", "−": "-", "±": "+-", "≤": "<=", "≥": ">=", "≠": "!=", "⇔": "<=>", "⟺": "<=>", "∼": "~",
}
"""Signs read as the plain ones they look like."""

HINTS = {
    "“": ('a curly quotation mark', 'use the straight mark "'),
    "”": ('a curly quotation mark', 'use the straight mark "'),
    "„": ('a curly quotation mark', 'use the straight mark "'),
    "‘": ("a curly quotation mark", "write a prime with the straight mark '"),
    "’": ("a curly quotation mark", "write a prime with the straight mark '"),
    "'": ("a single quotation mark", 'put text in double quotes: "..."'),
    "`": ("a backquote", 'put text in double quotes: "..."'),
    "–": ("an en dash", "write minus as -"),
    "—": ("an em dash", "write minus as -"),
    "×": ("a multiplication sign", "write * for a product and @ for a matrix product"),
    "·": ("a dot product sign", "write * for a product, dot(x, y) for an inner product"),
    "⋅": ("a dot product sign", "write * for a product, dot(x, y) for an inner product"),
    "∙": ("a dot product sign", "write * for a product, dot(x, y) for an inner product"),
    "⊙": ("a coordinatewise product sign", "write *"),
    "÷": ("a division sign", "write /"),
    "√": ("a root sign", "write sqrt(...)"),
    "∑": ("a sum sign", "write sum(... for k in 1..K)"),
    "∫": ("an integral sign", "write an expectation, E[ ... ]"),
    "∂": ("a derivative sign", "write a prime: phi'(z)"),
    "²": ("a superscript", "write ^2"),
    "³": ("a superscript", "write ^3"),
    "¹": ("a superscript", "write ^1"),
    "ᵀ": ("a superscript T", "write the transpose as W.T"),
    "⊤": ("a transpose sign", "write the transpose as W.T"),
    "½": ("a fraction sign", "write 1/2"),
    "¼": ("a fraction sign", "write 1/4"),
    "¾": ("a fraction sign", "write 3/4"),
    "…": ("an ellipsis sign", "write a range with two dots: 1..3"),
    "→": ("an arrow", "write lim(...) for a limit"),
    "∈": ("a membership sign", "write in"),
    "≈": ("an approximation sign", "write == with a tolerance: == 0.3943 +- 1e-4"),
    "≡": ("an identity sign", "write =="),
    "∧": ("a logical sign", "write and"),
    "∨": ("a logical sign", "write or"),
    "¬": ("a logical sign", "write not"),
    "&": ("the sign &", "write and"),
    "|": ("the sign |", "write or between conditions, abs(x) for an absolute value"),
    "!": ("the sign !", "write not in front of a condition, != for different"),
    "%": ("the sign %", "write a remainder as mod(a, b)"),
    ";": ("a semicolon", "put each statement on its own line"),
    "\\": ("a backslash", "a line goes on freely inside brackets; put the expression in parentheses"),
    "$": ("a dollar sign", "write formulas without it"),
    "?": ("a question mark", "write if(condition, a, b)"),
    "&&": ("the sign &&", "write and"),
    "||": ("the sign ||", "write or"),
    ":=": ("the sign :=", "write ="),
    "+=": ("the sign +=", "write the name on both sides: a = a + b"),
    "-=": ("the sign -=", "write the name on both sides: a = a - b"),
    "*=": ("the sign *=", "write the name on both sides: a = a*b"),
    "/=": ("the sign /=", "write the name on both sides: a = a/b; write != for different"),
    "//": ("the sign //", "write / for a quotient; numbers are exact"),
    "->": ("an arrow", "write lim(...) for a limit"),
    "=>": ("an arrow", "write >= to compare, <=> between conditions"),
    "===": ("the sign ===", "write =="),
    "\u00a0": ("a non-breaking space", "use an ordinary space"),
    "\ufeff": ("an invisible byte order mark", "delete it"),
    "\u200b": ("an invisible zero-width space", "delete it"),
    "\x00": ("a NUL byte", "save the file as plain UTF-8 text"),
}
"""Characters and signs that cannot be read, in words, with what to write instead."""

POWERS = re.compile("[⁰¹²³⁴-⁹⁺⁻ⁿᵀ½¼¾⅓⅔]")
"""Characters Unicode counts among letters and digits but which mean an operation."""


def fold(text: str) -> str:
    """The plain spelling of a name: ``σ_w`` → ``sigma_w``, ``Σ`` → ``Sigma``, ``x₁`` → ``x1``."""
    if text.isascii():
        return text
    # NFKC spells the prime sign otherwise than the apostrophe it stands for, so primes go first.
    plain = unicodedata.normalize("NFKC", text.replace("′", "'"))
    return "".join(GREEK.get(letter, letter) for letter in plain)


def describe(character: str) -> tuple[str, str | None]:
    """A character, or a longer sign of :data:`HINTS`, in words; and what to write instead, if known."""
    if character in HINTS:
        return HINTS[character]
    if POWERS.match(character):
        return "a superscript or fraction sign", "write powers with ^ and fractions with /"
    if character.isprintable() and not character.isspace():
        return f"the character {character}", None
    code = f"U+{ord(character):04X}"
    return f"the invisible character {unicodedata.name(character, code)}", "delete it"
