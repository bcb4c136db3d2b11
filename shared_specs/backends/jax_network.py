"""A flax network as a function of its parameters, under torch's names and layouts."""

import inspect

import jax
import numpy as np
import optax
from flax import nnx

from shared_specs.backends import jax_backend
from shared_specs.bridge import to_flax_layout, torch_name


def build(constructor, sizes):
    """The network, its initial parameters drawn from seed 0 where it takes rngs."""
    seeded = {"rngs": nnx.Rngs(0)} if "rngs" in inspect.signature(constructor.__init__).parameters else {}
    return constructor(**sizes, **seeded)


def named_parameters(network):
    """{torch's name: (flax path, torch-layout shape)} of every parameter."""
    return {torch_name(path): path for path, _ in nnx.to_flat_state(nnx.state(network, nnx.Param))}


class Functional:
    """outputs(parameters, *inputs), gradients of the squared error to targets, and trajectories of Adam under it.

    Parameters are dictionaries by torch's names, in flax's layout: from_torch converts.
    """

    def __init__(self, network):
        self.names = named_parameters(network)
        self._definition, self._state, self._rest = nnx.split(network, nnx.Param, ...)
        self._outputs = jax.jit(self.apply)
        self._gradients = jax.jit(jax.grad(self.loss))
        self._adam = jax.jit(self._trajectory, static_argnames="steps")

    def from_torch(self, parameters):
        """Parameters in torch's layout, moved into flax's, in float64.  Raises KeyError for a name that only one side has."""
        if set(parameters) != set(self.names):
            raise KeyError(f"parameters differ by name: {sorted(set(parameters) ^ set(self.names))}")
        return {
            name: jax.numpy.asarray(to_flax_layout(path[-1], np.asarray(parameters[name], dtype=np.float64)))
            for name, path in self.names.items()
        }

    def apply(self, parameters, inputs):
        state = nnx.from_flat_state([(path, nnx.Param(parameters[name])) for name, path in self.names.items()])
        outputs = nnx.merge(self._definition, state, self._rest)(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def loss(self, parameters, inputs, targets):
        return sum(((o - t) ** 2).sum() / 2 for o, t in zip(self.apply(parameters, inputs), targets, strict=True))

    def outputs(self, parameters, inputs):
        return tuple(map(np.asarray, self._outputs(parameters, inputs)))

    def gradients(self, parameters, inputs, targets):
        return self._gradients(parameters, inputs, targets)

    def adam(self, parameters, inputs, targets, steps):
        """The parameters after the steps: learning rate 1e-3, beta 0.9 and 0.999, epsilon 1e-8 outside the root."""
        return self._adam(parameters, inputs, targets, steps=steps)

    def _trajectory(self, parameters, inputs, targets, steps):
        optimizer = optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0)

        def step(carry, _):
            parameters, state = carry
            updates, state = optimizer.update(jax.grad(self.loss)(parameters, inputs, targets), state)
            return (optax.apply_updates(parameters, updates), state), None

        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=steps)[0][0]


native = jax_backend.to_native
