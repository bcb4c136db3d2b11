"""The kinds of rows in a spec, and the generators of its arrays.

A spec is a tuple SPEC of rows. Every row names a case and the arguments it is about, `given(...)`:

    Agree     both backends give the reference's value and vector-Jacobian product
    Anchor    literal input, literal answer, its source, and the near misses that must be rejected
    Law       what holds for every input; its sides are functions of `f`, the implementation under test, and NumPy arrays
    Model     two networks with the same parameters: outputs, every gradient, a trajectory of optimizer steps
    Rejects   bad input, and the argument that the error must blame

`edge` of a row is the reason why correct float32 code of a well-known library cannot follow it; it is empty in the core. Empty
batches are at the edge, too. Both wings must hold these rows; for other people's code the report counts them apart.

Rows are data; `shared_specs.checking.check` runs them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from shared_specs.complex_pair import Complex

LOG_2, LOG_3 = 0.6931471805599453, 1.0986122886681098  # what many answers by hand are made of

# ---------------------------------------------------------------------------------------------------- arrays


@dataclass(frozen=True)
class Recipe:
    """An array to be drawn: the same array for the same topic, case and argument on every machine.

    simplex: whether it holds log-probabilities over its last axis.
    """

    draw: Callable[[np.random.Generator], np.ndarray]
    simplex: bool = False


class LogTable(np.ndarray):
    """A literal table of logarithms. Where its last axis sums to one, it holds log-probabilities."""


def normal(*shape: int, mean: float = 0.0, scale: float = 1.0) -> Recipe:
    """Independent N(mean, scale^2) entries."""
    return Recipe(lambda rng: mean + scale * rng.standard_normal(shape))


def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Recipe:
    """Independent entries, uniform on (low, high)."""
    return Recipe(lambda rng: rng.uniform(low, high, shape))


def log_simplex(*shape: int, scale: float = 1.0) -> Recipe:
    """Rows of log-probabilities: the log-softmax of N(0, scale^2) logits over the last axis."""

    def draw(rng):
        logits = scale * rng.standard_normal(shape)
        shifted = logits - logits.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    return Recipe(draw, simplex=True)


def integers(*shape: int, low: int = 0, high: int) -> Recipe:
    """Independent integers, uniform on low..high-1 (labels, tokens, timesteps)."""
    return Recipe(lambda rng: rng.integers(low, high, shape))


def bits(*shape: int, probability: float = 0.5) -> Recipe:
    """Independent 0.0 / 1.0 entries (binary images, masks)."""
    return Recipe(lambda rng: (rng.uniform(size=shape) < probability).astype(np.float64))


def linspace(start: float, stop: float, count: int) -> Recipe:
    """Evenly spaced values, both ends included."""
    return Recipe(lambda rng: np.linspace(start, stop, count))


def full(*shape: int, value: float) -> Recipe:
    """A constant array."""
    return Recipe(lambda rng: np.full(shape, float(value)))


def zeros(*shape: int) -> Recipe:
    """An array of zeros."""
    return full(*shape, value=0.0)


def scalar(value: float) -> Recipe:
    """An array without axes. (A bare Python number is a hyper-parameter.)"""
    return Recipe(lambda rng: np.array(value))


def log_of(probabilities: Any) -> LogTable:
    """log of a literal table, with log 0 = -inf and no warning."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, dtype=np.float64)).view(LogTable)


def concatenate(*parts: Any, axis: int = 0) -> Recipe:
    """Recipes and literal arrays joined along an axis: an edge next to a regular draw."""
    marked = all(isinstance(part, LogTable) or getattr(part, "simplex", False) for part in parts)
    return Recipe(lambda rng: np.concatenate([_draw(part, rng) for part in parts], axis=axis), simplex=marked)


def on_simplex(value: Any, drawn: np.ndarray) -> bool:
    """Whether an argument is marked as log-probabilities and, as drawn, sums to one over its last axis."""
    if not (isinstance(value, LogTable) or getattr(value, "simplex", False)):
        return False
    return bool(np.all(np.abs(np.exp(drawn).sum(axis=-1) - 1.0) < 1e-12))


def channels_last(images: Any) -> Recipe:
    """The same array with its channels, axis 1, last in memory: strided, as images from libraries of [B, H, W, C] are."""
    return Recipe(lambda rng: np.moveaxis(np.ascontiguousarray(np.moveaxis(_draw(images, rng), 1, -1)), -1, 1))


def _draw(value, rng):
    if isinstance(value, Recipe):
        return value.draw(rng)
    if isinstance(value, list | np.ndarray):
        return np.asarray(value)
    if isinstance(value, Complex):
        return Complex(*(_draw(part, rng) for part in value))
    if isinstance(value, tuple):
        return tuple(_draw(part, rng) for part in value)
    if isinstance(value, dict):
        return {name: _draw(part, rng) for name, part in value.items()}
    return value


@dataclass(frozen=True)
class Given:
    """The arguments of one case, by name, in the function's order.

    A Recipe, list or NumPy array is an array argument, a Complex of two of them a complex one; a complex function returns
    its results as (real, imaginary) parts, too; tuples and dictionaries of arrays may be nested; everything else
    (numbers, strings, None, callables written with operators only) is handed over as it is.
    """

    arguments: dict[str, Any]

    def draw(self, seed_text: str) -> dict[str, Any]:
        """The arguments with every recipe drawn; seed_text and the argument's name are the seed."""
        return {
            name: _draw(value, np.random.default_rng(crc32(f"{seed_text}/{name}".encode())))
            for name, value in self.arguments.items()
        }


def given(**arguments: Any) -> Given:
    """The arguments of one case."""
    return Given(arguments)


# ---------------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Cancels:
    """Adds 16 u magnitude to the tolerance: terms of this magnitude cancel in sound code, and in the reference none do.

    What cancels in the reference needs no mark: its operations are rounded where the tolerance is measured.
    """

    magnitude: float
    because: str


@dataclass(frozen=True)
class Agree:
    """Value and vector-Jacobian product equal the reference's.

    differentiate: names of the arguments to differentiate (default: every floating-point array).
    no_gradient: why there is no gradient to compare (a kink, an integer result); empty when there is one. The gradient of the
        arguments to differentiate must still be free of NaN: a masked row of a batch would spread it.
    smallest_batch: the smallest number of examples for which the function is defined (1 for a mean, 2 for a variance).
    frozen: arguments in which the result jumps (a threshold, say): they, and what is computed of them alone, stay where they
        are while the tolerance is measured.
    traced: False where the function cannot be traced, because the shape of its result depends on values.
    """

    function: str
    case: str
    given: Given
    differentiate: tuple[str, ...] | None = None
    no_gradient: str = ""
    smallest_batch: int = 0
    frozen: tuple[str, ...] = ()
    cancels: Cancels | None = None
    traced: bool = True
    edge: str = ""


@dataclass(frozen=True)
class Anchor:
    """A literal answer. gives: an array-like, or a tuple of them where the function returns several.

    near_misses: what typical mistakes would give, by the mistake's name; each differs from `gives` by more than the tolerance,
    in float64 and in float32, or the row itself is at fault.
    """

    function: str
    case: str
    given: Given
    gives: Any
    source: str
    near_misses: dict[str, Any] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    cancels: Cancels | None = None
    traced: bool = True
    edge: str = ""


@dataclass(frozen=True)
class Law:
    """A relation over the implementation `f`, written in NumPy.

    Its callables take f and then the given arguments by position. `f.name(...)` calls the implementation with NumPy arrays and
    returns NumPy arrays; `f.gradient("name", ..., wrt=0)` is the gradient of the sum of its results with respect to the
    positional argument wrt, and `f.jacobian("name", ..., wrt=0)` its Jacobian, [outputs..., inputs...]. `f.precision` is
    "float64" or "float32".
    """

    relation: str
    case: str
    given: Given
    left: Callable
    right: Callable | float
    at: tuple[float, ...] = ()
    order: float = 0.0
    draws: int = 0
    detects: float = 0.0
    frozen: tuple[str, ...] = ()
    cancels: Cancels | None = None
    traced: bool = True
    edge: str = ""

    @classmethod
    def equal(
        cls,
        case: str,
        given: Given,
        *,
        left: Callable,
        right: Callable | float,
        frozen: tuple[str, ...] = (),
        cancels: Cancels | None = None,
        traced: bool = True,
        edge: str = "",
    ) -> "Law":
        """left = right: an identity, an invariance, a tight case, a sum that is 1."""
        return cls("equal", case, given, left, right, frozen=frozen, cancels=cancels, traced=traced, edge=edge)

    @classmethod
    def at_least(
        cls,
        case: str,
        given: Given,
        *,
        left: Callable,
        right: Callable | float,
        frozen: tuple[str, ...] = (),
        cancels: Cancels | None = None,
        traced: bool = True,
        edge: str = "",
    ) -> "Law":
        """left >= right, up to the tolerance."""
        return cls("at_least", case, given, left, right, frozen=frozen, cancels=cancels, traced=traced, edge=edge)

    @classmethod
    def normalized(cls, case: str, given: Given, *, total: Callable, cancels: Cancels | None = None) -> "Law":
        """total = 1: probabilities sum to one, a density integrates to one."""
        return cls("equal", case, given, total, 1.0, cancels=cancels)

    @classmethod
    def inverse(cls, case: str, given: Given, *, round_trip: Callable, start: Callable, cancels: Cancels | None = None) -> "Law":
        """round_trip(f, ...) returns to start(f, ...)."""
        return cls("equal", case, given, round_trip, start, cancels=cancels)

    @classmethod
    def log_determinant(
        cls, case: str, given: Given, *, log_determinant: Callable, jacobian: Callable, cancels: Cancels | None = None
    ) -> "Law":
        """log_determinant equals log |det| of the square Jacobian(s) `jacobian`, [..., D, D], taken by autodiff."""
        return cls("equal", case, given, log_determinant, lambda *given: np.linalg.slogdet(jacobian(*given))[1], cancels=cancels)

    @classmethod
    def limit(
        cls, case: str, given: Given, *, value: Callable, at: Sequence[float], limit: Callable | float, order: float
    ) -> "Law":
        """value(f, h, ...) -> limit as h -> 0, with an error of O(h^order): measured at the three or more h of `at`."""
        return cls("order", case, given, value, limit, at=tuple(at), order=order)

    @classmethod
    def unbiased(cls, case: str, given: Given, *, samples: Callable, expected: Callable, draws: int, detects: float) -> "Law":
        """The mean of samples(f, rng, draws, ...), [draws, ...], is expected, within 5 standard errors at a fixed seed.

        A correct estimator is refused with probability below 6e-7 per number compared; a bias of `detects` is refused with
        probability at least 0.999, or the row sets more draws.
        """
        return cls("unbiased", case, given, samples, expected, draws=draws, detects=detects)


@dataclass(frozen=True)
class Initial:
    """Initial entries of a parameter. shape: "constant" (at value), "normal" or "uniform" (about it), "drawn" (as by draw).

    scale: the standard deviation, given the inputs and the outputs of one entry of the layer's result.
    draw: the whole parameter, given a generator and its shape.
    """

    shape: str
    value: Any = 0.0
    scale: Callable[[int, int], float] | None = None
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] | None = None


def begins_at(value: Any) -> Initial:
    """Every entry begins at this number, or at its own of this array."""
    return Initial("constant", np.asarray(value, dtype=np.float64))


def begins_normal(deviation: float, mean: float = 0.0) -> Initial:
    """Entries begin as draws from N(mean, deviation^2)."""
    return Initial("normal", mean, lambda inputs, outputs: deviation)


def begins_glorot() -> Initial:
    """Entries begin as uniform draws of variance 2 / (inputs + outputs).  Source: Glorot & Bengio 2010."""
    return Initial("uniform", scale=lambda inputs, outputs: (2 / (inputs + outputs)) ** 0.5)


def begins_by_inputs() -> Initial:
    """Entries of a layer's weight and bias begin as uniform draws from (-1/sqrt(inputs), 1/sqrt(inputs)): torch's own choice."""
    return Initial("uniform", scale=lambda inputs, outputs: (3 * inputs) ** -0.5)


def begins_as(draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]) -> Initial:
    """The parameter is initialized as draw(generator, shape): every entry has the mean and the mean square of its draws."""
    return Initial("drawn", draw=draw)


@dataclass(frozen=True)
class Model:
    """Two networks of this class name, one in each wing, with the same parameters.

    sizes: the constructor's keyword arguments. given: the network's inputs; what is no array goes to both calls as a keyword.
    Outputs and the gradient of every parameter are compared; of a network with statistics of its batches these, and the outputs
    in evaluation, too; then `steps` steps of Adam (learning rate 1e-3, 0.9, 0.999, epsilon 1e-8) on the squared error to a drawn
    target. All of them begin at parameters that are moved away from the initial ones.

    The rest is about the torch network alone. initial: how its parameters begin, by patterns of their dotted names.
    training: sizes for a further comparison in train mode, mainly dropout={a probability}.
    sees: {input: lag}: output t depends on the input up to step t + lag, and on no later one, in train mode.
    apart: no example's output depends on the others of its batch; False with batch normalization.
    relations: {what is equal: a function of the network and its inputs, as tensors, that gives two sides}, such as
    inverse(forward(x)) and x, for the methods that the theory network does not have. A side is a tensor, or several of them.
    """

    network: str
    case: str
    given: Given
    sizes: dict[str, Any]
    steps: int = 50
    initial: dict[str, Initial] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    sees: dict[str, int] = field(default_factory=dict)
    apart: bool = True
    relations: dict[str, Callable] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejects:
    """A ValueError with `blames` in its message: an argument, and for the wings optionally its value (`t is 4`)."""

    function: str
    case: str
    given: Given
    blames: str

    @property
    def argument(self) -> str:
        """The name alone, which suffices for a graded file."""
        return re.match(r"\w+", self.blames)[0]


Row = Agree | Anchor | Law | Model | Rejects
