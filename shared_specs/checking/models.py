"""Model rows: one set of parameters in two networks, compared in outputs, gradients, statistics and a trajectory of Adam.

Three properties are checked on the torch network only: train mode, where dropout differs from network to network
(`shared_specs.checking.training`), the initial parameters (`shared_specs.checking.initial`), and what its other methods have to
do with its outputs (`shared_specs.checking.relations`).
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from zlib import crc32

import numpy as np

from shared_specs.bridge import to_torch_layout
from shared_specs.checking.arguments import mapped
from shared_specs.checking.initial import initial_outcomes
from shared_specs.checking.reference import wing_function
from shared_specs.checking.relations import relation_outcomes
from shared_specs.checking.tolerance import DRAWS, neighbors, nudge, ratio, tolerances
from shared_specs.checking.training import training_outcomes
from shared_specs.checking.trial import Outcome
from shared_specs.checking.widths import narrowed
from shared_specs.rows import Model


def compare_networks(
    topic: str, row: Model, precision: str, practice: Callable | None = None, *, widths: bool = False, compiled: bool = False
) -> Iterator[Outcome]:
    """Outcomes of the practice network against the theory network in float64.

    practice: the torch constructor, when another than the practice wing's is under test. widths: whether both networks are asked
    for their outputs in narrower integers, too. compiled: whether XLA runs the theory network's trajectory, as it always does its
    outputs and gradients; else, and for all neighbors, NumPy does, from the same trace.
    Trajectories are compared in float64 only: rounding noise in float32 is amplified by Adam's first steps. Train mode, the
    initial parameters and relations between methods are checked once, there.
    """
    torch = import_module("shared_specs.backends.torch_network")
    constructor = practice or wing_function("torch", topic, row.network)
    network = torch.build(constructor, row.sizes)
    arrays, constants = _split(row.given.draw(f"{topic}/{row.network}/{row.case}"))
    twin = _twin(topic, row, constants)
    start = generic(torch.parameters(network))
    if set(start) != set(twin.names):
        yield Outcome("parameter names", np.inf, f"{sorted(set(start) ^ set(twin.names))} are not in both networks")
        return
    torch.load(network, start)
    inputs = tuple(arrays.values())
    rng = np.random.default_rng(crc32(f"targets/{topic}/{row.case}".encode()))
    native = twin.from_torch(start)
    targets = tuple(rng.standard_normal(shape) for shape in twin.output_shapes(native, inputs))
    wanted = _in_order(twin, start, twin.seen(native, inputs, targets))
    near = neighbors({"inputs": inputs, "parameters": start}, precision)
    moved = [near.at(draw)[0] for draw in range(DRAWS)]
    points = _stacked([twin.from_torch(each["parameters"]) for each in moved]), near.arguments["inputs"]
    around = twin.seen_by_numpy(native, inputs, targets, points, near.rounding)
    moved = [_flat(_in_order(twin, start, each)) for each in _one_by_one(around, DRAWS)]
    limits = tolerances([np.stack(arrays) for arrays in zip(*moved, strict=True)], _flat(wanted), precision)
    limits_in_order = iter(limits)
    found = torch.seen(network, inputs, constants, targets, precision, twin.statistics)
    labels = {"gradient": start, "statistic": twin.statistics}
    for kind, values in wanted.items():
        for label, got, want in zip(labels.get(kind, range(len(values))), found[kind], values, strict=True):
            yield _outcome(f"{kind} {label}", got, want, next(limits_in_order), precision)
    if precision == "float64":
        if widths:
            yield from _in_narrow_integers(torch, network, twin, start, arrays, constants, wanted["output"], limits)
        if row.steps:
            yield from _trajectory(row, twin, torch, network, start, inputs, constants, targets, compiled)
        yield from training_outcomes(torch, constructor, row, start, arrays, constants)
        yield from initial_outcomes(torch, constructor, row)
        yield from relation_outcomes(constructor, row, start, arrays)


def generic(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters moved away from where they begin: behind a zero there is no gradient to compare, and a gain of one hides itself.

    By normal draws: of deviation 0.3 in a vector, of unit gain in a matrix or kernel.
    """
    rng = np.random.default_rng(7)
    return {
        name: np.asarray(value + rng.standard_normal(value.shape) * (0.3 if value.ndim < 2 else value[0].size ** -0.5))
        for name, value in parameters.items()
    }


def forget() -> None:
    """Drops the compiled twins."""
    _twins.clear()


# by topic and row: both precisions are compared with one compiled twin
_twins = {}


def _twin(topic, row, constants):
    if (topic, id(row)) not in _twins:
        theory = import_module("shared_specs.backends.jax_network")
        network = theory.build(wing_function("jax", topic, row.network), row.sizes)
        _twins[topic, id(row)] = row, theory.Functional(network, constants)  # the row is held, so that its id stays its own
    return _twins[topic, id(row)][1]


def _split(arguments):
    """The network's inputs, and its keyword arguments, which are no arrays."""
    arrays = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    return arrays, {name: value for name, value in arguments.items() if name not in arrays}


def _in_order(twin, start, seen):
    """The observed arrays, outputs first; gradients in torch's layout and in the order of the parameters."""
    gradients = _in_torch_layout(twin, seen["gradient"])
    seen = seen | {"gradient": tuple(gradients[name] for name in start)}
    return {kind: seen[kind] for kind in ("output", "statistic", "evaluated output", "gradient")}


def _stacked(points):
    return {name: np.stack([point[name] for point in points]) for name in points[0]}


def _one_by_one(stacked, count):
    return [mapped(stacked, lambda _, array, i=i: array[i]) for i in range(count)]


def _flat(seen):
    return tuple(array for arrays in seen.values() for array in arrays)


def _trajectory(row, twin, torch, network, start, inputs, constants, targets, compiled):
    def disturbed(seed):
        draw = np.random.default_rng((seed, 3))
        return {name: nudge(value, "float64", draw) for name, value in start.items()}

    points = [twin.from_torch(parameters) for parameters in (start, *map(disturbed, range(DRAWS)))]
    ends = twin.adam(points[0], inputs, targets, row.steps, _stacked(points))
    wanted, *moved = [_in_torch_layout(twin, end) for end in _one_by_one(ends, len(points))]
    if compiled:
        wanted = _in_torch_layout(twin, twin.adam(points[0], inputs, targets, row.steps))
    change = {name: np.max([np.abs(each[name] - value) for each in moved], axis=0) for name, value in wanted.items()}
    u = np.finfo("float64").eps / 2
    for name, got in torch.adam(network, inputs, constants, targets, row.steps).items():
        # Every step rounds every parameter once.
        limit = 16 * (change[name] + row.steps * u * np.abs(wanted[name])) + np.finfo("float64").tiny
        yield _outcome(f"{name} after {row.steps} steps of Adam", got, wanted[name], limit, "float64")


def _in_narrow_integers(torch, network, twin, start, arrays, constants, wanted, limits):
    """The outputs of both networks from integers of other widths; the theory's are computed by NumPy."""
    parameters = twin.from_torch(start)
    for width, narrow in narrowed(arrays):
        inputs = tuple(narrow.values())
        found = {
            "practice": torch.outputs(network, inputs, constants, seed=0, training=True),
            "theory": twin.outputs_by_numpy(parameters, inputs),
        }
        for wing, outputs in found.items():
            for number, (got, want, limit) in enumerate(zip(outputs, wanted, limits, strict=False)):
                yield _outcome(f"output {number} in {width}, {wing}", got, want, limit, "float64")


def _in_torch_layout(twin, parameters):
    return {name: to_torch_layout(path[-1], np.asarray(parameters[name])) for name, path in twin.names.items()}


def _outcome(quantity, got, wanted, limit, precision):
    if got.shape != wanted.shape:
        return Outcome(quantity, np.inf, f"has shape {list(got.shape)} in torch and {list(wanted.shape)} in flax")
    worst = ratio(got, wanted, limit, precision)
    said = "" if worst <= 1 else f"differs by {np.abs(got - wanted).max():.3g}, {worst:.3g} tolerances"
    return Outcome(quantity, worst, said)
