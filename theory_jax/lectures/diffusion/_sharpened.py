"""Parts of the lecture on classifier guidance: the exact classifier of a mixture, and sharpening against noising."""

import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import LogDensity, Slope, Total, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient
from theory_jax.lectures.diffusion.forward_process import marginal_law


def log_probs(x, u, m, b, alpha_bar):
    return class_log_probs(x, np.full(len(x), 1), m[:, None], jnp.log(b), jnp.log(u), alpha_bar)


def gradients(x, u, m, b, alpha_bar):
    """The slope for every class at one point."""
    repeated = jnp.full((len(m), 1), x)
    return classifier_gradient(repeated, np.arange(len(m)), lambda x: log_probs(x, u, m, b, alpha_bar)).T


def classifier_of_a_mixture(derivation, x, a):
    """Adds to the lecture the classifier of a noised mixture of Gaussians, and its slope."""
    k = derivation.index("j", "a component of a mixture of Gaussians, which is a class")
    weight = derivation.law("u", k, "the components' weights", "exp(log_weights)")
    m = derivation.numbers("m", k, "their means", "means")
    b = derivation.numbers("b", k, "their variances", "exp(log_vars)", positive=True)
    joint = weight * exp(LogDensity(x, times(sqrt(a), m), plus(a * b, 1 - a)))
    share = derivation.define(
        "u({}|x)", joint / Total(k, joint), "the exact classifier of the noised mixture", "class_log_probs", over=k, law=True
    )
    derivation.bridge(
        "The code's exact classifier of a mixture",
        log(share),
        log_probs,
        x=[[x]],
        u=weight,
        m=m,
        b=b,
        alpha_bar=[1, a],
        calls=(class_log_probs,),
        wrong={"not normalized": log(joint)},
    )
    derivation.bridge(
        "... and its slope, for every class",
        Slope(log(share), x),
        gradients,
        x=x,
        u=weight,
        m=m,
        b=b,
        alpha_bar=[1, a],
        calls=(classifier_gradient,),
    )


def sharpening(derivation, x, a, w):
    """Adds to the lecture that sharpening and noising do not commute; returns r, both numerators and the lemma."""
    r = derivation.number("r", "by how much the variance of a class is below 1", between=(0, 1))
    at = derivation.number("m", "the mean of a class")
    derivation.say(
        r"Is the guided sample drawn from $q_0(x)\, q_0(y|x)^w$? That needs the guided densities of all levels to be the noised "
        r"versions of one distribution. Test it where all is Gaussian: the data are $\mathcal{N}(0, 1)$ and a class is "
        r"$\mathcal{N}(m, 1 - r)$, which is possible if the class is rare enough. Noised, they are $\mathcal{N}(0, 1)$ and "
        r"$\mathcal{N}(\sqrt{\bar\alpha_t}\, m, 1 - \bar\alpha_t r)$."
    )
    tilted_spread = derivation.chain(
        "The precision of the sharpened noised data is a ratio of two lines",
        -Slope(plus(times(1 - w, LogDensity(x, 0, 1)), times(w, LogDensity(x, times(sqrt(a), at), 1 - a * r))), x, 2),
        equals(plus(1 - w, w / (1 - a * r)), "minus the second derivative of a Gaussian's log-density is its precision"),
        equals(plus(1, times(w - 1, a, r)) / (1 - a * r), "over the common denominator"),
        role="lemma",
        so=r"The first line is the precision of $q_t(x)^{1 - w} q_t(x|y)^w$, which is proportional to $q_t(x)\, q_t(y|x)^w$.",
    )
    P_t = derivation.define("P_t", plus(1, times(w - 1, a, r)), "a numerator, at level $t$")
    P_0 = derivation.define("P_0", plus(1, times(w - 1, r)), r"the same without noise")
    derivation.chain(
        "Sharpening and noising do not commute",
        plus((1 - a * r) / P_t, times(-1, plus(times(a, 1 - r) / P_0, 1 - a))),
        equals(
            plus(times(w, a, r) / P_0, -times(w, a, r) / P_t),
            prose(
                "{late}, and {early}",
                late=holds(1 - a * r, "=", plus(P_t, -w * a * r)),
                early=holds(a * (1 - r), "=", plus(a * P_0, -w * a * r)),
            ),
            wrong={"the levels exchanged": plus(times(w, a, r) / P_t, -times(w, a, r) / P_0)},
        ),
        equals(
            -w * (w - 1) * a * (1 - a) * r**2 / times(P_0, P_t),
            prose(
                "over the common denominator; {apart}",
                apart=holds(plus(P_t, -P_0), "=", -times(w - 1, 1 - a, r), wrong={"the sign": times(w - 1, 1 - a, r)}),
            ),
        ),
        uses=(tilted_spread, marginal_law),
        so=prose(
            "The first line is the variance of the sharpened noised data minus that of the sharpened data, noised. It is {none} "
            "at scale 1 alone, where both are the noised class: at any other {differs}. There the guided scores of different "
            "levels belong to no single noising process, and there is no guarantee that guided sampling draws from $q_0(x)\\, "
            "q_0(y|x)^w$. The scale is a parameter of an algorithm, not the power of a posterior.",
            none=holds(-w * (w - 1) * a * (1 - a) * r**2 / times(P_0, P_t), "=", 0, when={w: 1}, named=True),
            differs=holds((1 - a * r) / P_t, "!=", plus(times(a, 1 - r) / P_0, 1 - a)),
        ),
    )
    return r, P_t, P_0, tilted_spread
