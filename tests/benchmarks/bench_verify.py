"""The cost of ``tpsym verify`` on a small file, relative to importing what it stands on; printed, never asserted.

Run with ``python tests/benchmarks/bench_verify.py [REPEATS]``. Byte code is compiled once beforehand, the
commands take turns, and medians are compared.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
BASE = [sys.executable, "-c", "import sympy, networkx, lark"]
UNWANTED = ("numpy", "scipy", "rich", "hypothesis")


def verify(name: str) -> list[str]:
    code = "import sys; from tpsym.cli.main import main; sys.argv = ['tpsym', 'verify', sys.argv[1]]; main()"
    return [sys.executable, "-c", code, str(EXAMPLES / name)]


COMMANDS = {
    "import sympy, networkx, lark": BASE,
    "verify 06_attention.tp": verify("06_attention.tp"),
    "verify 05_residual_layernorm.tp": verify("05_residual_layernorm.tp"),
    "verify 03_activations.tp": verify("03_activations.tp"),
}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Processor time, so that what else the machine does counts little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(environment: dict[str, str]) -> list[str]:
    """What a run of verify imports although it has no use for it."""
    code = (
        "import sys, atexit; from tpsym.cli.main import main\n"
        f"atexit.register(lambda: print(*[m for m in {UNWANTED!r} if m in sys.modules], file=sys.stderr))\n"
        "sys.argv = ['tpsym', 'verify', sys.argv[1]]; main()"
    )
    command = [sys.executable, "-c", code, str(EXAMPLES / "06_attention.tp")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stderr.split()


def main(repeats: int) -> None:
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for command in COMMANDS.values():
            seconds(command, environment)
        for _ in range(repeats):
            for name, command in COMMANDS.items():
                times[name].append(seconds(command, environment))
        base = statistics.median(times["import sympy, networkx, lark"])
        for name, found in times.items():
            middle = statistics.median(found)
            print(f"{name:34} {middle:7.3f} s   ratio {middle / base:5.2f}")
        print("imported without need:", ", ".join(imported(environment)) or "nothing")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
