"""Runs that stopped half-way, in a file that belongs to one task."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tpsym.errors import fail
from tpsym.particles.training import Plan
from tpsym.simulate.payload import Array

FORMAT = "tpsym particles 1"


def fingerprint(plan: Plan, *, particles: int, replicates: int, seed: tuple[int, ...]) -> str:
    """A digest of all that a run depends on but the code of unknown functions."""
    training, program, ready = plan.training, plan.ready.program, plan.ready
    parts: list[object] = [FORMAT, particles, replicates, seed, ready.stages]
    parts += [training.outputs, training.batches, training.loss, training.steps]
    parts += [repr(program[k]) for k in sorted(ready.leads)] + [plan.targets.tolist(), plan.updates]
    parts += sorted((pair, str(value)) for pair, value in program.covariances.items() if pair[0] in ready.leads)
    parts += [*sorted(ready.setting.parameters.items()), *sorted(ready.setting.functions)]
    parts += [(name, point.tolist()) for name, point in sorted(plan.points.items())]
    parts += [training.optimizer.rule, training.optimizer.momentum, training.optimizer.beta1, training.optimizer.beta2]
    parts += [(a.trainable.name, a.trainable.uses, a.step, a.shrink, a.eps, a.centre) for a in plan.arrays]
    parts += [(label, formula.lead) for label, formula, _ in plan.observed]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def save(path: Path, mark: str, arrays: Mapping[str, Array]) -> None:
    """Write a checkpoint in one piece: beside the file first, then in its place.

    Raises:
        TpError: ``bad-checkpoint`` where nothing can be written.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            named: dict[str, Any] = {f"x/{k}": v for k, v in arrays.items()}
            np.savez(file, mark=np.array(mark), **named)
        os.replace(temporary, path)
    except OSError as error:
        raise fail("bad-checkpoint", f"{path} cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def load(path: Path, mark: str) -> dict[str, Array] | None:
    """What a checkpoint holds, ``None`` where there is no file.

    Raises:
        TpError: ``bad-checkpoint`` for a file of another task, or that is none.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise fail("bad-checkpoint", f"{path} is no checkpoint", fix="remove it or name another file") from error
    if str(found.get("mark", "")) != mark:
        raise fail(
            "bad-checkpoint", f"{path} belongs to another training", fix="remove it or name another file",
        )
    return {name[2:]: array for name, array in found.items() if name.startswith("x/")}
