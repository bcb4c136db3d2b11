"""A landscape of energies when it is heated: the second figure of the lecture on energy-based models."""

import jax.numpy as jnp
import numpy as np

from theory_jax.energy.energy_models import boltzmann_log_probs, helmholtz_free_energy


def heating(landscape, balance):
    """Left: a double well, and its Boltzmann distributions. Right: what the free energy of three states consists of."""
    line = np.linspace(-1.9, 1.9, 161)
    energies = (line**2 - 1) ** 2 + 0.3 * line
    landscape.plot(line, energies, color="gray", label="energy")
    for temperature in (0.1, 0.4, 2.0):
        density = np.exp(np.asarray(boltzmann_log_probs(jnp.array(energies[None]), temperature=temperature))[0])
        landscape.plot(line, density / (line[1] - line[0]), label=f"density, $T = {temperature:g}$")
    landscape.set(xlabel="$x$", ylabel="energy, density", ylim=(-0.5, 3.8))
    landscape.legend(fontsize="small", loc="upper center")
    states, temperatures = jnp.array([[0.0, 1.0, 1.5]]), np.linspace(0.1, 2, 20)
    free = np.array([float(helmholtz_free_energy(states, temperature=t)[0]) for t in temperatures])
    log_p = -np.asarray(states) / temperatures[:, None]
    log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    mean, entropy = np.exp(log_p) @ np.asarray(states)[0], -(np.exp(log_p) * log_p).sum(axis=1)
    balance.plot(temperatures, mean, label=r"mean energy")
    balance.plot(temperatures, -temperatures * entropy, label=r"$-T$ times the entropy")
    balance.plot(temperatures, free, "--", color="gray", label="free energy $F$")
    balance.set(xlabel="temperature $T$", ylabel="energy")
    balance.legend(loc="lower left")
