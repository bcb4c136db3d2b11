"""Gradient ascent on the logits of a distribution over eight states: the second figure of the lecture on the bound."""

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.elbo import exact_elbo

LOG_JOINT = np.log(np.array([0.02, 0.09, 0.12, 0.04, 0.01, 0.02, 0.06, 0.04]))  # of eight states and one observation
SHOWN = (0, 4, 60)
STEP = 1.5


def ascent():
    """At every step: the distribution [8], and its bound."""
    logits, seen = np.zeros(8), []
    for _ in range(SHOWN[-1] + 1):
        log_q = logits - np.log(np.exp(logits).sum())
        bound = float(exact_elbo(jnp.array(LOG_JOINT[None]), jnp.array(log_q[None]))[0])
        seen.append((np.exp(log_q), bound))
        logits = logits + STEP * np.exp(log_q) * (LOG_JOINT - log_q - bound)
    return seen


def climb(states, bounds):
    """Left: the distribution at three steps, and the posterior. Right: the bound of every step, and what it lacks."""
    evidence = np.exp(LOG_JOINT).sum()
    seen = ascent()
    states.bar(np.arange(1, 9), np.exp(LOG_JOINT) / evidence, color="0.85", label="posterior")
    for step in SHOWN:
        states.plot(np.arange(1, 9), seen[step][0], "o-", markersize=4, linewidth=1, label=f"$q$ after step {step}")
    states.set(xlabel="$z$", ylabel="probability", ylim=(0, 0.42))
    states.legend(fontsize="small", ncols=2, loc="upper center")
    values = np.array([bound for _, bound in seen])
    bounds.plot(values, color="C0", label="ELBO")
    bounds.axhline(np.log(evidence), linestyle="--", color="gray", label=r"$\log p(x)$")
    bounds.fill_between(np.arange(len(values)), values, np.log(evidence), color="C0", alpha=0.2, linewidth=0)
    bounds.set(xlabel="step", ylabel="nats")
    bounds.legend(loc="lower right")
