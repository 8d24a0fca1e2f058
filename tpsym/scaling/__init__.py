"""Sizes: the graph read as powers of n in the symbolic exponents of a parametrisation."""
