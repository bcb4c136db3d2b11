"""The panels of the figure of the lecture on conjugates."""

import numpy as np


def draw_tangent(axes, generator, conjugate):
    """Kullback-Leibler's generator and a tangent, which meets the axis at minus the conjugate; from the topics' functions."""
    ratios, touching = np.linspace(0.01, 3, 120), 1.4
    axes.plot(ratios, generator(np.log(ratios), divergence="kl"), label="$f(u) = u \\log u$")
    intercept = -float(conjugate(touching, divergence="kl"))
    line = np.linspace(0, 3, 2)
    axes.plot(line, touching * line + intercept, "--", color="gray", label="tangent of slope 1.4")
    axes.plot(0, intercept, "o", color="gray")
    axes.annotate("$-f^*(t)$", (0, intercept), xytext=(0.2, intercept - 0.15))
    axes.set(xlabel="$u$", ylabel="$f(u)$")
    axes.legend()


def draw_conjugates(axes, conjugate):
    """Three conjugates, from the topic's function."""
    for name, end in (("pearson_chi_squared", 2.0), ("total_variation", 0.5), ("squared_hellinger", 0.75)):
        places = np.linspace(-4, end, 120)
        axes.plot(places, conjugate(places, divergence=name), label=name.replace("_", " "))
    axes.set(xlabel="$t$", ylabel="$f^*(t)$")
    axes.legend()
