"""Tokens with gates, a random mixer, and the first steps and figure of the lecture on selective state spaces."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import Sides
from theory_jax.state_space.convolution import causal_convolution_direct
from theory_jax.state_space.selective import (
    MIXER,
    discretize_selective,
    inverse_softplus,
    mamba_mixer,
    selective_scan,
    selective_step,
)


def states_of_gates(z, signals):
    """The states [..., T] of channels with A = -1, B = C = 1 and the steps softplus(z), for signals [T] or [batch, T]."""
    signals = jnp.asarray(signals)
    batch = signals.reshape(-1, len(z), 1)
    ones = jnp.ones((len(batch), len(z), 1))
    step = ones * np.log1p(np.exp(z))[:, None]
    start, rate = jnp.zeros((len(batch), 1, 1)), jnp.array([[-1.0]])
    return selective_scan(batch, step, ones, ones, start, rate, jnp.zeros(1))[0].reshape(signals.shape)


def random_mixer():
    """Six tokens of width three, and a mixer of four channels with two states, two taps, rank one."""
    rng = np.random.default_rng(0)
    shapes = (8, 3), (4, 2), (4,), (5, 4), (4, 1), (4,), (4, 2), (4,), (3, 4)
    return jnp.array(rng.normal(size=(1, 6, 3))), {
        name: jnp.array(rng.normal(size=shape)) for name, shape in zip(MIXER, shapes, strict=True)
    }


def two_tokens_step_by_step():
    """The steps, decays and states of the example's tokens, with the code's weight."""
    one, rate, h = jnp.ones((1, 1)), -jnp.ones((1, 1)), jnp.zeros((1, 1, 1))
    sizes = jnp.log1p(jnp.exp(jnp.array([jnp.log(3.0), -jnp.log(3.0)])))
    yield r"\text{bias for the step } \log 4: \quad z", inverse_softplus(sizes[:1]), "1.0986"
    for u, size, parts, state in ((4.0, sizes[0], "(0.25, 5.5452)", "5.5452"), (8.0, sizes[1], "(0.75, 2.3015)", "6.4603")):
        given = {"inputs": u * one, "step_size": size * one, "b": one, "a": rate}
        at_once = {name: part if name == "a" else part[:, None] for name, part in given.items()}
        decay, content = discretize_selective(**at_once)
        yield rf"u = {u:g}: \quad (e^{{-\Delta}}, \Delta u)", jnp.array([decay.ravel()[0], content.ravel()[0]]), parts
        _, h = selective_step(**given, c=one, state=h, skip=jnp.zeros(1))
        yield "h", h, state
    ones = jnp.ones((1, 2, 1))
    scanned = selective_scan(jnp.array([[[4.0], [8.0]]]), sizes[None, :, None], ones, ones, 0 * h, rate, jnp.zeros(1))[0]
    yield r"\text{by the scan}", scanned.ravel(), "(5.5452, 6.4603)"


def marked_tokens(stream, selective, constant):
    """Draws a stream of which two tokens are kept, and what is left of each token at each time."""
    count, marks = 24, (8, 15)
    signal = np.random.default_rng(5).normal(size=count)
    z_values = np.where(np.isin(np.arange(count), marks), 3.0, -6.0)
    sizes = np.log1p(np.exp(z_values))
    stream.bar(np.arange(count), signal, color="lightgray")
    stream.plot(marks, signal[list(marks)], "o", label="marked")
    stream.plot(states_of_gates(z_values, signal / sizes.max()), label="state")
    stream.step(np.arange(count), np.cumsum(sizes) / sizes.sum(), where="post", label="clock, from 0 to 1")
    stream.set(xlabel="token", ylabel="input")
    stream.legend()
    for axes, choice, title in ((selective, z_values, "chosen steps"), (constant, np.full(count, -1.5), "one step")):
        axes.imshow(states_of_gates(choice, np.eye(count)).T, cmap="Blues", vmin=0)
        axes.set(xlabel="token $s$", ylabel="time $t$", title=title)


def constants_give_a_convolution():
    """The scan with constants, next to a causal convolution."""
    rng = np.random.default_rng(0)
    signal, rates, reads = rng.normal(size=(2, 12, 1)), -np.array([0.5, 1.0, 2.0]), rng.normal(size=3)
    kernel = 0.3 * np.exp(0.3 * np.arange(12)[:, None] * rates) @ reads

    def scanned(step):
        ones = np.ones((2, 12, 3))
        system = jnp.array(rates[None]), jnp.zeros(1)
        return selective_scan(jnp.array(signal), step, jnp.array(ones), jnp.array(ones * reads), jnp.zeros((2, 1, 3)), *system)[0]

    convolved = causal_convolution_direct(jnp.array(signal[..., 0]), jnp.array(kernel))[..., None]
    uneven = jnp.broadcast_to(0.05 * (1.0 + jnp.arange(12.0))[None, :, None], (2, 12, 1))
    return Sides(left=scanned(jnp.full((2, 12, 1), 0.3)), right=convolved, wrong={"steps that differ": scanned(uneven)})


def the_gate_multiplies_the_skip():
    """The mixer with a C of zero, next to its skip, gated."""
    tokens, parameters = random_mixer()
    p = parameters | {"projection_weight": parameters["projection_weight"].at[-2:].set(0.0)}
    content, gate = jnp.split(tokens @ p["input_weight"].T, 2, axis=-1)
    before = jnp.pad(content, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    mixed = jax.nn.silu(before * p["convolution_weight"][:, 0] + content * p["convolution_weight"][:, 1] + p["convolution_bias"])
    ungated = (p["skip"] * mixed) @ p["output_weight"].T
    return Sides(
        left=mamba_mixer(tokens, p),
        right=(p["skip"] * mixed * jax.nn.silu(gate)) @ p["output_weight"].T,
        wrong={"not gated": ungated},
    )


def gates_and_weights(gate, quotient):
    """Draws the shares that the exact hold keeps and takes, with the weight of Mamba, and the quotient of the two weights."""
    z = np.linspace(-5, 4, 91)
    step = np.log1p(np.exp(z))
    gate.plot(z, np.exp(-step), label="kept of the state")
    gate.plot(z, 1 - np.exp(-step), label="taken of the input")
    gate.plot(z, step, "--", color="C1", label=r"taken by Mamba, $\Delta$")
    gate.set(xlabel="$z$", ylabel="share", ylim=(0, 1.9))
    gate.legend(loc="upper left", fontsize="small")
    w = np.linspace(0.02, 3, 80)
    quotient.fill_between(w, 1 + w / 2, 1 + w, color="gray", alpha=0.2, linewidth=0, label="between the bounds")
    quotient.plot(w, w / (1 - np.exp(-w)), color="C0", label=r"$w / (1 - e^{-w})$")
    quotient.set(xlabel=r"$w = \Delta |A|$", ylabel="quotient of the weights")
    quotient.legend(loc="upper left", fontsize="small")
