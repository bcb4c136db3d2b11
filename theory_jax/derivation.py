"""Derivations: a lecture's argument as a list of steps, each of which is executed.

A step claims something (LaTeX), says why it follows, and returns what its kind compares. The engine refuses a step that would
pass whatever the mathematics says: one that compares nothing, or a thing with itself, or in too coarse a way to notice.

Importing this module switches JAX to float64, before any step runs, and keeps what JAX compiles in the user's cache folder.
"""

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import jax

from shared_specs.backends.jax_settings import CACHE, OLDER_EMITTER, UNFINISHED
from theory_jax.kinds import KINDS, STANDARD_ERRORS, Refused, require

jax.config.update("jax_enable_x64", True)
if OLDER_EMITTER not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{OLDER_EMITTER} {os.environ.get('XLA_FLAGS', '')}"
if jax.config.jax_compilation_cache_dir is None:
    for setting, value in CACHE.items():
        jax.config.update(setting, value)
    warnings.filterwarnings("ignore", UNFINISHED)

LOOSE = 1e-9  # a tolerance beyond this needs a reason

# ---------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Step:
    """One line of the argument. tolerance: relative, except monte_carlo (standard errors) and symbolic (none: 0)."""

    name: str
    kind: str
    claim: str
    because: str
    tolerance: float
    since: str
    body: Callable


@dataclass(frozen=True)
class Result:
    """What came of a step. residual is None where there is no number to give; error is empty if the step passed."""

    step: Step
    residual: float | None
    passed: bool
    error: str

    @property
    def tolerance(self):
        """The step's tolerance."""
        return self.step.tolerance


@dataclass
class Derivation:
    """A title, the lectures it belongs to, its sources, and the steps in the order in which they were written."""

    title: str
    lectures: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    steps: list[Step] = field(default_factory=list)

    def symbolic(self, claim, *, because):
        """left, right: SymPy expressions (or equally long lists of them) whose difference simplifies to zero."""
        return self._append("symbolic", claim, because, 0.0, "")

    def numeric(self, claim, *, because, tolerance=1e-12, since=""):
        """left, right: two float64 computations by different routes."""
        return self._append("numeric", claim, because, tolerance, since)

    def exact(self, claim, *, because, tolerance=1e-12, since=""):
        """left, right: both by enumeration of every outcome; equal infinities are allowed."""
        return self._append("exact", claim, because, tolerance, since)

    def autodiff(self, claim, *, because, tolerance=1e-12, since=""):
        """gradient, formula: the first from automatic differentiation."""
        return self._append("autodiff", claim, because, tolerance, since)

    def bound(self, claim, *, because, tolerance=1e-12, since=""):
        """smaller, larger, (left, right): an inequality, and the pair that are equal where it is tight."""
        return self._append("bound", claim, because, tolerance, since)

    def monte_carlo(self, claim, *, because):
        """samples, expected: draws [N, ...] at a fixed seed, and their mean."""
        return self._append("monte_carlo", claim, because, STANDARD_ERRORS, "")

    def _append(self, kind, claim, because, tolerance, since):
        def decorate(body):
            self.steps.append(Step(body.__name__, kind, claim, because, tolerance, since, body))
            return body

        return decorate

    def run(self, *, debug=False):
        """A Result for every step, in order. debug: let the exceptions of the steps' bodies through.

        Raises ValueError if there is no step at all.
        """
        if not self.steps:
            raise ValueError(f"the derivation {self.title!r} has no steps; it must have at least one")
        names = Counter(step.name for step in self.steps)
        return [_execute(step, names[step.name], debug) for step in self.steps]

    def main(self):
        """Run every step, print the page, and exit with 1 if a step failed: for `python -m theory_jax.family.topic`."""
        from theory_jax.page import print_page

        results = self.run()
        print_page(self, results)
        sys.exit(0 if all(result.passed for result in results) else 1)


# ---------------------------------------------------------------------------------------------------- execution


def _execute(step, namesakes, debug):
    residual = None
    try:
        require(namesakes == 1, f"{namesakes} steps are called {step.name}: the later hides the earlier")
        require(step.claim.strip() and step.because.strip(), "a step needs a claim and a reason")
        if step.kind != "monte_carlo":
            require(
                0 <= step.tolerance <= LOOSE or (step.since and step.tolerance < 1),
                f"a tolerance of {step.tolerance:g} is looser than {LOOSE:g} and gives no reason in since=",
            )
        returned = step.body()
        residual, what = KINDS[step.kind](step, returned)
        passed = residual is not None and residual <= step.tolerance
        return Result(step, residual, passed, "" if passed else what)
    except Refused as refusal:
        return Result(step, residual, False, f"refused: {refusal}")
    except Exception as error:
        if debug:
            raise
        return Result(step, residual, False, f"raised {type(error).__name__}: {error}")
