"""A flax network as a function of its parameters, under torch's names and layouts."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from shared_specs.backends import jax_backend
from shared_specs.backends.jaxpr import evaluator
from shared_specs.backends.rounding import Rounding
from shared_specs.bridge import to_flax_layout, torch_name
from shared_specs.checking.arguments import Arrays


def build(constructor: Callable, sizes: dict[str, Any]) -> nnx.Module:
    """The network. Its initial parameters, which take most of the time and are never used, are shapes alone where they can be."""

    def make():
        seeded = {"rngs": nnx.Rngs(0)} if "rngs" in inspect.signature(constructor.__init__).parameters else {}
        return constructor(**sizes, **seeded)

    def others():
        return nnx.state(make(), nnx.Not(nnx.Param))

    try:
        network = nnx.eval_shape(make)
    except jax.errors.TracerArrayConversionError:  # parameters drawn by NumPy, from the value of a key
        return make()
    if jax.tree.leaves(nnx.state(network, nnx.Not(nnx.Param))):
        nnx.update(network, jax.jit(others)())
    return network


def named(network: nnx.Module, kind: type) -> dict[str, tuple]:
    """{torch's name: flax path} of every variable of the kind."""
    return {torch_name(path): path for path, _ in nnx.to_flat_state(nnx.state(network, kind))}


class Functional:
    """A network as functions of its parameters: outputs, statistics, gradients, trajectories of Adam.

    Parameters are dictionaries by torch's names, in flax's layout: from_torch converts. constants: the call's keyword arguments.
    """

    def __init__(self, network: nnx.Module, constants: dict[str, Any]) -> None:
        self.names, self.statistics = named(network, nnx.Param), named(network, nnx.BatchStat)
        self._constants = constants
        self._definition, self._state, self._rest = nnx.split(network, nnx.Param, ...)
        self._seen = jax.jit(self._all)
        self._adam = jax.jit(self._trajectory, static_argnames="steps")

    def from_torch(self, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Parameters in torch's layout, moved into flax's, in float64.  Raises KeyError for a name that only one side has."""
        if set(parameters) != set(self.names):
            raise KeyError(f"parameters differ by name: {sorted(set(parameters) ^ set(self.names))}")
        return {
            name: to_flax_layout(path[-1], np.asarray(parameters[name], dtype=np.float64)) for name, path in self.names.items()
        }

    def _merged(self, parameters):
        state = nnx.from_flat_state([(path, nnx.Param(parameters[name])) for name, path in self.names.items()])
        return nnx.merge(self._definition, state, self._rest, copy=True)  # statistics move, but not those kept here

    def _outputs(self, network, inputs):
        outputs = network(*inputs, **self._constants)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def _forward(self, parameters, inputs):
        network = self._merged(parameters)
        found = {"output": self._outputs(network, inputs), "statistic": (), "evaluated output": ()}
        if self.statistics:
            state = dict(nnx.to_flat_state(nnx.state(network, nnx.BatchStat)))
            found["statistic"] = tuple(state[path].get_value() for path in self.statistics.values())
            network.eval()
            found["evaluated output"] = self._outputs(network, inputs)
        return found

    def _all(self, parameters, inputs, targets):
        def loss(parameters):
            found = self._forward(parameters, inputs)
            return sum(((o - t) ** 2).sum() / 2 for o, t in zip(found["output"], targets, strict=True)), found

        gradient, found = jax.grad(loss, has_aux=True)(parameters)
        return found | {"gradient": gradient}

    def output_shapes(self, parameters: dict[str, np.ndarray], inputs: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
        """The outputs' shapes."""
        return [output.shape for output in jax.eval_shape(self._forward, parameters, inputs)["output"]]

    def seen(
        self, parameters: dict[str, np.ndarray], inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """{kind: arrays}, compiled: outputs in train mode, the statistics after it, the outputs in evaluation if there are any,
        and {name: the gradient of half the squared error to the targets}."""
        return jax.tree.map(np.asarray, self._seen(parameters, tuple(inputs), tuple(targets)))

    def seen_by_numpy(
        self,
        parameters: dict[str, np.ndarray],
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        points: tuple[dict[str, np.ndarray], tuple[np.ndarray, ...]],
        rounding: Rounding | None = None,
    ) -> dict[str, Any]:
        """The same of the same trace, at many points: parameters and inputs with an axis for them in front."""
        given = parameters, tuple(inputs), tuple(targets)
        return _by_numpy(self._seen.trace(*given), *points, given[2], rounding=rounding)

    def outputs_by_numpy(self, parameters: dict[str, np.ndarray], inputs: Sequence[np.ndarray]) -> Arrays:
        """The outputs in train mode for inputs of another width, for which nothing but a primitive without a rule is compiled."""
        given = jax.tree.map(np.asarray, (parameters, tuple(inputs)))
        return _by_numpy(jax.jit(self._forward).trace(*given), *given)["output"]

    def adam(
        self,
        parameters: dict[str, np.ndarray],
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        steps: int,
        points: dict[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """The parameters after the steps, compiled: learning rate 1e-3, beta 0.9 and 0.999, epsilon 1e-8 outside the root.

        points: parameters with an axis in front; NumPy takes all of these points through a step at once.
        """
        given = parameters, tuple(inputs), tuple(targets)
        if points is None:
            return jax.tree.map(np.asarray, self._adam(*given, steps=steps))
        return _by_numpy(self._adam.trace(*given, steps=steps), points, *given[1:])

    def _trajectory(self, parameters, inputs, targets, steps):
        # of one vector: fewer operations than on every parameter
        optimizer = optax.flatten(optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0))

        def step(carry, _):
            parameters, state = carry
            updates, state = optimizer.update(self._seen(parameters, inputs, targets)["gradient"], state)
            return (optax.apply_updates(parameters, updates), state), None

        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=steps)[0][0]


def _by_numpy(trace, *given, rounding=None):
    with np.errstate(all="ignore"):
        return evaluator(trace)(*given, rounding=rounding)


native = jax_backend.to_native
