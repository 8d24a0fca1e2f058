"""Exact linear conditions on exponents and the polyhedra they cut out. Knows nothing of programs."""
