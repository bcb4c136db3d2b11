"""Three estimators of a divergence: their means, their variances, their gradients.

The lecture on the functions of theory_jax/reinforcement/kl_estimators.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, Rational, exp, factorial, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.reinforcement._kl_estimators import draw_estimators
from theory_jax.reinforcement.kl_estimators import adaptive_coefficient, kl_k1, kl_k2, kl_k3, token_kl

derivation = Derivation(
    module=__name__,
    title="Three estimators of a divergence: their means, their variances, their gradients",
    lectures=(51,),
    sources=(
        "Schulman 2020, Approximating KL divergence",
        "Ziegler et al. 2019, Fine-tuning language models from human preferences, section 2.2",
        "Shao et al. 2024, DeepSeekMath, eq. 4",
    ),
    question="The divergence from the reference that a training reports is negative now and then, and a penalty on it may pull "
    "nowhere, or to another place than was meant. Both come from what is computed from samples. Of three functions in use, which "
    "has the right mean, which has little variance, and which of them may be differentiated?",
    setting=(
        r"A sample $x$ is one of finitely many; it may be a token or a whole text. The policy gives it the positive "
        r"probability $\pi(x)$ and the reference $\pi_0(x)$, positive and fixed. Samples are drawn from $\pi$.",
        r"Used as a loss, an estimator is differentiated with the sample held fixed: the gradient sees how $\pi(x)$ changes, not "
        r"that other samples become more likely.",
    ),
    limits=(
        "Sequences: a sum of token estimates along sampled prefixes has the right mean, but as a loss it misses that the "
        "prefixes, too, depend on the policy.",
        "Variances of the gradients.",
    ),
    trained="These are estimates from samples. The experiments that tune language models by rewards report them.",
)

x = derivation.index("x", "a sample: a token, or a text")
pi = derivation.law(r"\pi({})", x, "the policy", "exp(log_probs)")
pi_0 = derivation.law(r"\pi_0({})", x, "the reference", "exp(reference_log_probs)")
ell = derivation.define(r"\ell({})", log(pi / pi_0), "the log-ratio of a sample", "kl_k1", over=x)
k_2 = derivation.define("k_2({})", ell**2 / 2, "half its square", "kl_k2", over=x)
k_3 = derivation.define(
    "k_3({})", plus(exp(-ell), -1, ell), "the ratio turned over, less one, plus the log-ratio", "kl_k3", over=x
)
derivation.symbol("k_1", r"the log-ratio $\ell$ itself", "kl_k1")

derivation.say(
    r"The mean of $k_1$, which is $\ell$, under $\pi$ is the divergence by definition. But $\ell$ is negative wherever $\pi$ "
    r"does a thing less often than the reference, so a mean over few samples often is, too, though no divergence is negative. "
    r"$k_2$ mends the sign by a square, $k_3$ by a number that has the mean zero."
)
third_mean = derivation.chain(
    "The mean of the third is the divergence",
    Expectation(pi, k_3),
    equals(Expectation(pi, plus(pi_0 / pi, -1, ell)), prose("{ratio}", ratio=holds(exp(-ell), "=", pi_0 / pi))),
    equals(
        plus(Total(x, pi_0), -1, Divergence(pi, pi_0)),
        r"multiply out: $\pi$ cancels in the first term, sums to one in the second, and the third is the mean of $k_1$",
    ),
    equals(
        Divergence(pi, pi_0),
        prose(r"{one}, over what $\pi$ does, which is everything", one=holds(Total(x, pi_0), "=", 1)),
        wrong={"as if it were half a square": Expectation(pi, k_2)},
    ),
    central=True,
    so=prose(
        r"So $\pi_0/\pi - 1$ is a control variate: its mean is {zero}, and where $\ell$ is very negative it is large.",
        zero=holds(Expectation(pi, plus(pi_0 / pi, -1)), "=", 0, named=True),
    ),
)
derivation.chain(
    "The third is never negative, whatever the sample",
    k_3,
    equals(plus(pi_0 / pi, -1, -log(pi_0 / pi)), prose("{turned}", turned=holds(ell, "=", -log(pi_0 / pi)))),
    at_least(
        0,
        prose("the logarithm is below its tangent, here at $\\pi_0 / \\pi$; equality where {same} alone", same=where(pi, pi_0)),
        dropping=tangent.at(pi_0 / pi),
    ),
    so=r"$k_2$ is half a square. Both are zero exactly for the samples on which policy and reference agree.",
    role="lemma",
)
missing = derivation.number("m", "the probability under the reference of all that the policy never does", between=(0, 1))
rest = derivation.law(r"\rho({})", x, "the reference, given that the policy could do it", "")
derivation.chain(
    "What the policy never does is missed by the third",
    Expectation(pi, plus((1 - missing) * rest / pi, -1, log(pi / ((1 - missing) * rest)))),
    equals(
        plus(1 - missing, -1, Expectation(pi, log(pi / ((1 - missing) * rest)))),
        r"on the policy's own samples the reference is $(1 - m)\rho$, which sums to $1 - m$",
    ),
    equals(
        plus(Expectation(pi, log(pi / ((1 - missing) * rest))), -missing), "what is left is the divergence, and what is missed"
    ),
    role="remark",
    so="So top-k and top-p sampling make the third too small by the probability of what they cut off; the mean of the first "
    "stays right, and so does token_kl, which sums over the whole vocabulary.",
)

derivation.say(
    r"How far off is $k_2$? Let the policy leave the reference in some direction, to $\pi_\epsilon$ proportional to $\pi_0\, "
    r"e^{\epsilon u}$: all that matters is the logarithm of the normalizer, which generates the cumulants of $u$."
)
epsilon = derivation.number(r"\epsilon", "how far the policy is from the reference", positive=True)
u = derivation.numbers("u({})", x, "the direction in which it left")
Lambda = derivation.define(r"\Lambda", log(Total(x, pi_0 * exp(epsilon * u))), "the logarithm of the normalizer")
near = derivation.define(r"\pi_\epsilon({})", pi_0 * exp(epsilon * u - Lambda), "the policy at this distance", over=x, law=True)
derivation.chain(
    "Along a direction the divergence follows from the normalizer and its slope",
    Divergence(near, pi_0),
    equals(
        plus(times(epsilon, Expectation(near, u)), -Lambda),
        prose("{ratio}", ratio=holds(log(near / pi_0), "=", plus(epsilon * u, -Lambda))),
    ),
    equals(
        plus(times(epsilon, Slope(Lambda, epsilon)), -Lambda),
        prose("{mean}", mean=holds(Slope(Lambda, epsilon), "=", Expectation(near, u))),
    ),
    states=2,
    role="lemma",
)
derivation.chain(
    "Along a direction the mean of the second follows from the normalizer and its slopes",
    Expectation(near, (epsilon * u - Lambda) ** 2 / 2),
    equals(
        times(Rational(1, 2), plus(times(epsilon**2, Variance(near, u)), (epsilon * Expectation(near, u) - Lambda) ** 2)),
        "the mean of a square is the variance and the square of the mean",
    ),
    equals(
        times(
            Rational(1, 2), plus(times(epsilon**2, Slope(Lambda, epsilon, 2)), (epsilon * Slope(Lambda, epsilon) - Lambda) ** 2)
        ),
        prose("the mean as above, and {variance}", variance=holds(Slope(Lambda, epsilon, 2), "=", Variance(near, u))),
    ),
    states=2,
    role="lemma",
)
kappa = [
    derivation.number(rf"\kappa_{n}", f"the {name} cumulant of $u$ under the reference", **assumption)
    for n, name, assumption in ((1, "first", {}), (2, "second", {"positive": True}), (3, "third", {}), (4, "fourth", {}))
]
series = derivation.define(
    r"\hat\Lambda",
    sum(k * epsilon**n / factorial(n) for n, k in enumerate(kappa, start=1)),
    r"$\Lambda$ by Taylor's formula, up to the fourth order",
)
kl_series = plus(times(epsilon, Slope(series, epsilon)), -series)
k_2_series = times(
    Rational(1, 2), plus(times(epsilon**2, Slope(series, epsilon, 2)), (epsilon * Slope(series, epsilon) - series) ** 2)
)
derivation.chain(
    "Close to the reference, the second is nearly unbiased",
    Limit(times(k_2_series, 1 / kl_series), epsilon, 0),
    equals(
        1,
        r"both are $\frac{\kappa_2}{2} \epsilon^2$ and terms of the third order; $\kappa_2$ is not 0, since $u$ is not constant",
    ),
    so=r"Half the squared log-ratio measures a small step as the divergence does.",
    role="lemma",
)
derivation.chain(
    "The bias of the second is of the third order, by the skewness of the direction",
    Limit(times(plus(k_2_series, -kl_series), epsilon**-3), epsilon, 0),
    equals(kappa[2] / 6, r"$\frac{\kappa_3}{2} - \frac{\kappa_3}{3}$"),
    so="A skewed direction makes the second too large or too small, according to the sign of the skewness.",
    role="remark",
)

derivation.say(
    r"Which one varies less? Two samples are enough to see that the answer depends on the distance. The policy gives the first "
    r"the probability $q$, the reference $p$."
)
q = derivation.number("q", "the policy's probability of the first of two samples", between=(0, 1))
p = derivation.number("p", "the reference's", between=(0, 1))
f_0, f_1 = (derivation.number(f"f_{n}", f"an estimator at the {name} sample") for n, name in enumerate(("first", "second")))
derivation.chain(
    "Over two samples a variance is a squared difference",
    plus(times(q, f_0**2), times(1 - q, f_1**2), -((q * f_0 + (1 - q) * f_1) ** 2)),
    equals(times(q, 1 - q, (f_0 - f_1) ** 2), "multiply out"),
    role="lemma",
)
apart_1 = derivation.define(r"\Delta k_1", log(q / p) - log((1 - q) / (1 - p)), "the difference of $k_1$ at the two samples")
apart_3 = derivation.define(
    r"\Delta k_3", p / q - (1 - p) / (1 - q) + log(q / p) - log((1 - q) / (1 - p)), "the difference of $k_3$"
)
derivation.chain(
    "Close to the reference, the third varies far less than the first",
    times(Slope(apart_3, q), 1 / Slope(apart_1, q)),
    equals(
        times(q, 1 - q, plus((q - p) / q**2, -(q - p) / (1 - q) ** 2)),
        prose(
            r"{slope}, which is also the slope of the logarithms in $\Delta k_3$",
            slope=holds(Slope(apart_1, q), "=", 1 / (q * (1 - q))),
        ),
    ),
    equals(times(q - p, (1 - 2 * q) / (q * (1 - q))), "a common denominator"),
    so=prose(
        "At {same} both differences are 0, {first} and {third}, so by L'Hopital's rule their quotient goes to zero there, like a "
        "multiple of $q - p$; the quotient of the variances is its square. To first order the control variate removes all that "
        "varies.",
        same=where(q, p),
        first=holds(apart_1, "=", 0),
        third=holds(apart_3, "=", 0),
    ),
    role="lemma",
)
derivation.chain(
    "Far from it, the third varies without bound",
    Limit(times(q, times(q, 1 - q, apart_3**2)), q, 0),
    equals(
        p**2,
        prose(r"$\Delta k_3$ is $p / q$ and terms of smaller order, {leading}", leading=holds(Limit(q * apart_3, q, 0), "=", p)),
    ),
    role="lemma",
)
derivation.chain(
    "Far from it, the first hardly varies any more",
    Limit(times(q, 1 - q, apart_1**2), q, 0),
    equals(0, prose("{none}", none=holds(Limit(q * log(q) ** 2, q, 0), "=", 0))),
    so=r"Where a policy does what it hardly ever does, $\pi_0/\pi$ is $p/q$. Neither estimator is better everywhere.",
    role="lemma",
)

derivation.say(
    r"Now the estimators become losses. Let $\theta$ be the logits of the policy, one for each sample; every other parameter "
    r"acts through them."
)
j = derivation.index("j", "a sample")
theta = derivation.numbers(r"\theta({})", x, "the logits of the policy", "logits")
soft = derivation.define(
    r"\pi_\theta({})", exp(theta) / Total(j, exp(theta.at(j))), "the policy of these logits", "softmax(logits)", over=x, law=True
)
ratio = derivation.define(r"\ell_\theta({})", log(soft / pi_0), "its log-ratio", over=x)
k_3_soft = derivation.define(r"k_{{3,\theta}}({})", plus(exp(-ratio), -1, ratio), "the third estimator", over=x)
by = theta.at(0)
derivation.answer = prose(
    "$k_1$ and $k_3$ have the divergence as their mean, {mean}, and $k_2$ nearly so if the policies are close; $k_2$ and $k_3$ "
    "are never negative, and close to the reference $k_3$ varies far less than $k_1$; far from it, it can vary far more. As "
    "losses they are something else: $k_1$ has the mean gradient {nothing}, $k_2$ that of the divergence, and $k_3$ "
    "that of the divergence turned over, {turned}. How well a function estimates a value does not say how well its slope "
    "estimates the slope.",
    mean=holds(Expectation(pi, k_3), "=", Divergence(pi, pi_0), wrong={"turned over": Divergence(pi_0, pi)}),
    nothing=holds(Expectation(soft, Slope(ratio, by)), "=", 0, named=True),
    turned=holds(
        Expectation(soft, Slope(k_3_soft, by)),
        "=",
        Slope(Divergence(pi_0, soft), by),
        wrong={"the same": Slope(Divergence(soft, pi_0), by)},
    ),
)
derivation.chain(
    "As a loss, the first does nothing on average",
    Expectation(soft, Slope(ratio, by)),
    equals(
        Total(x, Slope(soft, by)),
        prose("the reference is fixed, and {score}", score=holds(times(soft, Slope(log(soft), by)), "=", Slope(soft, by))),
        wrong={"the log-ratio kept": Total(x, times(ratio, Slope(soft, by)))},
    ),
    equals(0, "probabilities always sum to one"),
    so="What depends on the parameters in this loss is noise of mean zero; the reference is not even in it.",
)
second_loss = derivation.chain(
    "As a loss, the second has the gradient of the divergence",
    Expectation(soft, Slope(ratio**2 / 2, by)),
    equals(Total(x, times(ratio, Slope(soft, by))), "the chain rule, and the score as above"),
    equals(
        Slope(Divergence(soft, pi_0), by),
        prose("the product rule: the other term is {zero}", zero=holds(Total(x, Slope(soft, by)), "=", 0)),
    ),
    so=r"The biased estimator of the value is unbiased for the gradient. Its gradient, $\ell\, \partial \log \pi_\theta$, is "
    r"that of $-\ell$ as a reward.",
)
derivation.chain(
    "As a loss, the third has the gradient of the other divergence",
    Expectation(soft, Slope(k_3_soft, by)),
    equals(
        Expectation(soft, times(1 - pi_0 / soft, Slope(log(soft), by))),
        prose("{slope}", slope=holds(Slope(exp(-ratio), by), "=", times(-exp(-ratio), Slope(log(soft), by)))),
    ),
    equals(times(-1, Total(x, times(pi_0, Slope(log(soft), by)))), r"the mean of a score is zero, and $\pi_\theta$ cancels"),
    equals(
        Slope(Divergence(pi_0, soft), by),
        r"$\mathrm{KL}(\pi_0 \,\|\, \pi_\theta)$ depends on $\theta$ through $-\sum_x \pi_0 \log \pi_\theta$ only",
    ),
    so=prose(
        "In the first logit this is {slope}: bounded, and blind to how much more the policy does what the reference rarely does. "
        "It pulls back to the reference, but not at the price that the objective names.",
        slope=holds(Slope(Divergence(pi_0, soft), by), "=", plus(soft.at(0), -pi_0.at(0)), named=True),
    ),
)
derivation.chain(
    "Times the ratio of the policy to itself, the third has the right gradient",
    Expectation(soft, plus(times(k_3_soft, Slope(log(soft), by)), Slope(k_3_soft, by))),
    equals(
        Expectation(soft, times(plus(k_3_soft, 1 - pi_0 / soft), Slope(log(soft), by))),
        r"the product rule for $\frac{\pi_\theta}{\bar\pi} k_3$, where $\bar\pi$ is the policy that sampled, and equal to "
        r"$\pi_\theta$",
    ),
    equals(
        Expectation(soft, times(ratio, Slope(log(soft), by))),
        prose("{third}: the rest cancels", third=holds(k_3_soft, "=", plus(pi_0 / soft, -1, ratio))),
    ),
    equals(Slope(Divergence(soft, pi_0), by), "the gradient of the second as a loss, above"),
    so="With the ratio the loss knows that its samples depend on the policy. The same ratio mends samples from an older policy.",
    role="remark",
)
derivation.symbol(r"\bar\pi", "the policy that sampled, not differentiated")
old = derivation.law(r"\pi_{{old}}({})", x, "an older policy", "")
derivation.chain(
    "Samples of an older policy need a weight",
    Expectation(old, times(pi / old, k_3)),
    equals(Expectation(pi, k_3), r"the older policy cancels"),
    role="lemma",
    so="So for any function of the sample, and for the gradients above, where the weight is held fixed.",
)

derivation.say(
    "What a nat costs is often steered, so that the divergence stays near a target. The clip holds the relative error of the "
    "divergence within $c$, and the gain multiplies it: one step changes the coefficient by the share $K c$ at most, and on "
    "target it changes nothing."
)
beta = derivation.number(r"\beta", "the coefficient of the divergence", "coefficient", positive=True)
seen = derivation.number(r"\widehat{\mathrm{KL}}", "the divergence that was observed", "observed_kl")
target = derivation.number(r"\tau", "its target", "target", positive=True)
gain = derivation.number("K", "the gain", "gain", between=(0, 1))
clip = derivation.number("c", "the clip", "clip", between=(0, 1))
after = derivation.define(
    r"\beta'", beta * (1 + gain * Max(-clip, Min(clip, seen / target - 1))), "the next coefficient", "adaptive_coefficient"
)


def mean_gradient(estimator, logits, reference_log_probs):
    """The expected gradient, by the logits, of an estimator as a loss: over all samples, each held fixed in its turn."""
    weights = jax.lax.stop_gradient(jax.nn.softmax(logits))
    return jax.grad(lambda logits: jnp.sum(weights * estimator(jax.nn.log_softmax(logits), reference_log_probs)))(logits)


for _title, _code, _expression, _mistakes in (
    ("The code computes the first", kl_k1, log(pi / pi_0), {"turned over": log(pi_0 / pi)}),
    ("... the second", kl_k2, k_2, {"without the half": 2 * k_2, "the third": k_3}),
    ("... the third", kl_k3, k_3, {"the ratio turned over": plus(exp(ell), -1, -ell), "the second": k_2}),
):
    derivation.bridge(_title, _expression, _code, log_probs=log(pi), reference_log_probs=log(pi_0), wrong=_mistakes)
derivation.bridge(
    "... the divergence of two softmaxes", Divergence(soft, pi_0), token_kl, logits=[theta], reference_logits=[log(pi_0)]
)
derivation.bridge(
    "... the gradient of the third, as a loss, by the first logit",
    (Expectation(soft, Slope(k_3_soft, by)), None, None, None),
    mean_gradient,
    estimator=kl_k3,
    logits=theta,
    reference_log_probs=log(pi_0),
    calls=(kl_k3,),
)
derivation.bridge(
    "... and the next coefficient",
    after,
    adaptive_coefficient,
    coefficient=beta,
    observed_kl=seen,
    target=target,
    gain=gain,
    clip=clip,
    wrong={"no clip": beta * (1 + gain * (seen / target - 1))},
)

HALF, QUARTER = jnp.log(jnp.array([0.5, 0.5])), jnp.log(jnp.array([0.25, 0.75]))
_given = {pi: (Rational(1, 2), Rational(1, 2)), pi_0: (Rational(1, 4), Rational(3, 4)), theta: (0, 0)}


@derivation.algorithm(
    "A price that holds the divergence near a target",
    do(r"sample from $\pi$, and note $\log \pi$ and $\log \pi_0$ of each sample"),
    do(r"the price, in the reward: $-\beta k_1$ with $k_1$ held fixed (as a loss, $\beta k_2$)", kl_k1, by=second_loss),
    do("what is reported: the mean of $k_3$ over the samples", kl_k3, by=third_mean),
    do(r"$\beta \leftarrow \beta (1 + K \max(-c, \min(c, \widehat{\mathrm{KL}} / \tau - 1)))$", adaptive_coefficient),
    do("a step of the policy with this price; again"),
)
def two_rounds():
    coefficient, text = (
        jnp.array(1.0),
        r"\tau = 0.1, K = \tfrac12, c = \tfrac15, \beta = 1; \; \pi = (\tfrac12, \tfrac12): \quad ",
    )
    for share, said in ((0.5, ("(0.6931, -0.4055)", "0.1438", "1.1")), (0.4, ("(0.4700, -0.2231)", "0.0541", "0.99"))):
        both = jnp.log(jnp.array([share, 1 - share]))
        yield rf"{text}k_1", kl_k1(both, QUARTER), said[0]
        seen = jnp.exp(both) @ kl_k3(both, QUARTER)
        yield r"\text{the mean of } k_3", seen, said[1]
        coefficient = adaptive_coefficient(coefficient, seen, target=0.1, gain=0.5, clip=0.2)
        yield r"\beta", coefficient, said[2]
        text = r"\pi = (0.4, 0.6): \quad "


@derivation.example(
    r"Two samples of probability $\frac12$ each, $\frac14$ and $\frac34$ under the reference; the log-ratios are $\log 2$ and "
    r"$\log \frac23$."
)
def two_samples():
    yield Divergence(pi, pi_0), value(Divergence(pi, pi_0), _given), "0.1438"
    yield Divergence(pi_0, pi), value(Divergence(pi_0, pi), _given), "0.1308"
    yield ell, value(ell, _given), "(0.6931, -0.4055)"
    yield k_2, value(k_2, _given), "(0.2402, 0.0822)"
    yield k_3, value(k_3, _given), "(0.1931, 0.0945)"
    yield Expectation(pi, k_2), value(Expectation(pi, k_2), _given), "0.1612"
    yield Expectation(pi, k_3), value(Expectation(pi, k_3), _given), "0.1438"
    for name, estimator, said in (("k_1", kl_k1, "0.0000"), ("k_2", kl_k2, "0.2747"), ("k_3", kl_k3, "0.2500")):
        gradient = mean_gradient(estimator, jnp.zeros(2), QUARTER)[0]
        yield rf"\text{{the mean gradient of }} {name} \text{{ by the first logit}}", gradient, said


@derivation.figure(
    "Left: the three estimators as functions of the log-ratio of a sample; to second order the last two are the same. Right: the "
    r"variance over two samples, if the reference gives $\frac12$ to each and the policy $q$ to the first. The two cross at "
    "0.1018.",
    panels=2,
)
def three_functions(left, right):
    draw_estimators(left, right)


derivation.symbol("d", r"the log-ratio turned over, $-\ell$")
derivation.symbol("s", "a number between 0 and 1")


@derivation.numeric(
    r"e^d - 1 - d = d^2 \int_0^1 (1 - s)\, e^{s d}\, ds",
    because="Near 0 the three terms on the left nearly cancel: at $10^{-6}$ in float64 four digits are left of $e^d - 1 - d$, "
    "and none in float32. Taylor's remainder on the right does not cancel. The code integrates it by eight Gauss-Legendre nodes "
    "where the size of $d$ is below 1; here it is compared with the series.",
    role="appendix",
)
def the_third_close_to_zero():
    d = np.array([1e-9, -1e-6, 1e-3, -0.1, 0.5, -0.9])
    series = sum(d**n / float(factorial(n)) for n in range(2, 22))
    return Sides(
        left=kl_k3(jnp.zeros(6), jnp.asarray(d)) / series,
        right=np.ones(6),
        wrong={"of exp and a difference": (np.exp(d) - 1 - d) / series},
    )
