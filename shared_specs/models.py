"""Model rows: one set of parameters in two networks, followed through outputs, gradients and a trajectory of Adam."""

from importlib import import_module
from zlib import crc32

import numpy as np

from shared_specs.bridge import to_torch_layout
from shared_specs.reference import WINGS, wing_function
from shared_specs.tolerance import DRAWS, nudge, ratio, tolerances


def compare_networks(topic, row, precision, practice=None):
    """Outcomes (quantity, ratio, message) of the practice network against the theory network in float64.

    practice: the torch constructor, when another than the practice wing's is under test.
    Trajectories are compared in float64 only: rounding noise in float32 is amplified by Adam's first steps.
    """
    theory = import_module("shared_specs.backends.jax_network")
    torch = import_module("shared_specs.backends.torch_network")
    network = torch.build(practice or wing_function("torch", topic, row.network), row.sizes)
    twin = theory.Functional(theory.build(wing_function("jax", topic, row.network), row.sizes))
    start = torch.parameters(network)
    if set(start) != set(twin.names):
        yield "parameter names", np.inf, f"{sorted(set(start) ^ set(twin.names))} are not in both of {', '.join(WINGS.values())}"
        return
    inputs = tuple(row.given.draw(f"{topic}/{row.network}/{row.case}").values())
    rng = np.random.default_rng(crc32(f"targets/{topic}/{row.case}".encode()))
    targets = tuple(rng.standard_normal(o.shape) for o in twin.outputs(twin.from_torch(start), inputs))

    def reference(inputs, parameters):
        native = twin.from_torch(parameters)
        gradients = twin.gradients(native, inputs, targets)
        return twin.outputs(native, inputs) + tuple(_in_torch_layout(twin, gradients)[name] for name in start)

    def moved(arguments, seed):
        draw = np.random.default_rng((seed, 2))
        return reference(arguments["inputs"], {name: nudge(value, precision, draw) for name, value in start.items()})

    wanted = reference(inputs, start)
    limits = tolerances(moved, {"inputs": inputs}, wanted, precision)
    outputs, gradients = torch.outputs_and_gradients(network, inputs, targets, precision)
    for i, (got, want, limit) in enumerate(zip(outputs, wanted, limits, strict=False)):
        yield _outcome(f"output {i}", got, want, limit, precision)
    for name, want, limit in zip(start, wanted[len(outputs) :], limits[len(outputs) :], strict=True):
        yield _outcome(f"gradient {name}", gradients[name], want, limit, precision)
    if precision == "float64" and row.steps:
        yield from _trajectory(topic, row, twin, torch, network, start, inputs, targets)


def _trajectory(topic, row, twin, torch, network, start, inputs, targets):
    def after(parameters):
        return _in_torch_layout(twin, twin.adam(twin.from_torch(parameters), inputs, targets, row.steps))

    wanted = after(start)
    change = {name: np.zeros(value.shape) for name, value in wanted.items()}
    for seed in range(DRAWS):
        draw = np.random.default_rng((seed, 3))
        disturbed = after({name: nudge(value, "float64", draw) for name, value in start.items()})
        for name, value in disturbed.items():
            np.maximum(change[name], np.abs(value - wanted[name]), out=change[name])
    u = np.finfo("float64").eps / 2
    for name, got in torch.adam(network, inputs, targets, row.steps).items():
        # Every step rounds every parameter once.
        limit = 16 * (change[name] + row.steps * u * np.abs(wanted[name])) + np.finfo("float64").tiny
        yield _outcome(f"{name} after {row.steps} steps of Adam", got, wanted[name], limit, "float64")


def _in_torch_layout(twin, parameters):
    return {name: to_torch_layout(path[-1], np.asarray(parameters[name])) for name, path in twin.names.items()}


def _outcome(quantity, got, wanted, limit, precision):
    if got.shape != wanted.shape:
        return quantity, np.inf, f"has shape {list(got.shape)} in torch and {list(wanted.shape)} in flax"
    worst = ratio(got, wanted, limit, precision)
    return quantity, worst, "" if worst <= 1 else f"differs by {np.abs(got - wanted).max():.3g}, {worst:.3g} tolerances"
