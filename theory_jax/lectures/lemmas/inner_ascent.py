r"""The slope through the steps of an inner ascent has a second term, which vanishes after no steps and after all of them."""

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, plus, times

derivation = Derivation(
    module=__name__,
    title="The slope through the steps of an inner ascent",
    question=r"A function of $x$ and $y$ is maximized over $y$ by gradient ascent, and then differentiated in $x$ through the "
    "steps. How does the result differ from the slope of the maximum?",
    answer="By a second term, from the slope of the steps' end in $x$. It vanishes after no steps, and in the limit of many.",
    setting=(
        r"The function is $F(x, y) = x y - \frac\gamma2 y^2$, with the maximum $\frac{x^2}{2\gamma}$ at $y = \frac x\gamma$. A "
        r"step of size $h$ is $y \leftarrow y + h (x - \gamma y) = r y + (1 - r) \frac x\gamma$ with $r = 1 - h \gamma$, and $0 "
        r"< h \gamma < 1$.",
    ),
    sources=("Metz et al. 2017, Unrolled Generative Adversarial Networks",),
)
derivation.symbol("F", "the function")
derivation.symbol("h", "the size of a step")
x = derivation.number("x", "the outer variable")
y = derivation.number("y", "the start of the ascent")
gamma = derivation.number(r"\gamma", "the curvature of the inner problem", positive=True)
r = derivation.number("r", "what is left of the distance to the best answer after a step", between=(0, 1))
s = derivation.number("s", "... and after all $K$ steps, $r^K$", between=(0, 1))
derivation.symbol("K", "the number of steps")
end = derivation.define(r"\tilde y", s * y + (1 - s) * x / gamma, "the end of the ascent")
derivation.chain(
    "One more step",
    plus(r * end, times(1 - r, x / gamma)),
    equals(
        plus(times(r * s, y), times(1 - r * s, x / gamma)),
        r"insert $\tilde y$, and collect",
        wrong={"the fractions added": plus(times(r + s, y), times(1 - r - s, x / gamma))},
    ),
    role="lemma",
    so=r"The same form with $r s$ in place of $s$. So it holds for every number of steps, beginning with $s = 1$.",
)
inner_ascent = derivation.chain(
    "The slope through the steps of an inner ascent",
    Slope(plus(x * end, -gamma / 2 * end**2), x),
    equals(plus(end, times(x - gamma * end, Slope(end, x))), "the chain rule", wrong={"detached": end}),
    equals(
        plus(end, times(s * (1 - s) / gamma, x - gamma * y)),
        r"$x - \gamma \tilde y = s\,(x - \gamma y)$, and the slope of the end is $(1 - s)/\gamma$",
    ),
    central=True,
    role="lemma",
    so=r"The second term vanishes for $s = 1$ (no steps) and $s = 0$ (all of them), and is largest at $s = \frac12$.",
)
