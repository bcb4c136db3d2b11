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
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.tangent import tangent
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
    question="A language model is trained and its divergence from a reference is watched, or paid for, from samples. Three "
    "functions of the two probabilities of a sample are in use. Which of them has the right mean, which has little variance, "
    "and which of them may be differentiated?",
    setting=(
        r"A sample $x$ is one of finitely many; it may be a token or a whole text. The policy gives it the probability $\pi(x) > "
        r"0$ and the reference $\pi_0(x) > 0$, fixed. Samples are drawn from $\pi$.",
        r"Used as a loss, an estimator is differentiated with the sample held fixed: the gradient sees how $\pi(x)$ changes, not "
        r"that other samples become more likely.",
    ),
    answer=r"$k_1$ and $k_3$ have the divergence as their mean, $k_2$ nearly so if the policies are close; $k_2$ and $k_3$ are "
    r"never negative, and close to the reference $k_3$ varies far less than $k_1$. As losses they are something else: $k_1$ has "
    r"the mean gradient 0, $k_2$ that of $\mathrm{KL}(\pi \,\|\, \pi_0)$, and $k_3$ that of the divergence turned over, "
    r"$\mathrm{KL}(\pi_0 \,\|\, \pi)$. How well a function estimates a value does not say how well its slope estimates the "
    r"slope.",
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
    r"The mean of $k_1 = \ell$ under $\pi$ is the divergence by definition. But $\ell$ is negative wherever $\pi$ does a thing "
    r"less often than the reference, so a mean over few samples often is, too, though no divergence is negative. $k_2$ mends the "
    r"sign by a square, $k_3$ by a number that has the mean zero."
)
derivation.chain(
    "The mean of the third is the divergence",
    Expectation(pi, k_3),
    equals(Expectation(pi, plus(pi_0 / pi, -1, ell)), r"$e^{-\ell}$ is $\pi_0 / \pi$ by definition"),
    equals(
        plus(Total(x, pi_0), -1, Divergence(pi, pi_0)),
        r"multiply out: $\pi$ cancels in the first term, sums to one in the second, and the third is the mean of $k_1$",
    ),
    equals(
        Divergence(pi, pi_0),
        r"$\pi_0$ sums to one over what $\pi$ does, which is everything",
        wrong={"as if it were half a square": Expectation(pi, k_2)},
    ),
    central=True,
    so=r"So $\pi_0/\pi - 1$ is a control variate: its mean is zero, and where $\ell$ is very negative it is large.",
)
derivation.chain(
    "The third is never negative, whatever the sample",
    k_3,
    equals(plus(pi_0 / pi, -1, -log(pi_0 / pi)), r"$\ell = -\log(\pi_0 / \pi)$"),
    at_least(
        0,
        r"the logarithm is below its tangent: $\log t \le t - 1$, here at $t = \pi_0 / \pi$, with equality at $t = 1$ alone",
        dropping=tangent.at(pi_0 / pi),
    ),
    so=r"$k_2$ is half a square. Both are zero exactly where $\pi(x) = \pi_0(x)$.",
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
    r"How far off is $k_2$? Let the policy leave the reference in some direction, $\pi_\epsilon \propto \pi_0\, e^{\epsilon u}$: "
    r"all that matters is the logarithm of the normalizer, which generates the cumulants of $u$."
)
epsilon = derivation.number(r"\epsilon", "how far the policy is from the reference", positive=True)
u = derivation.numbers("u({})", x, "the direction in which it left")
Lambda = derivation.define(r"\Lambda", log(Total(x, pi_0 * exp(epsilon * u))), "the logarithm of the normalizer")
near = derivation.define(r"\pi_\epsilon({})", pi_0 * exp(epsilon * u - Lambda), "the policy at this distance", over=x, law=True)
derivation.chain(
    "The divergence by cumulants",
    Divergence(near, pi_0),
    equals(plus(times(epsilon, Expectation(near, u)), -Lambda), r"the log-ratio is $\epsilon u - \Lambda$"),
    equals(plus(times(epsilon, Slope(Lambda, epsilon)), -Lambda), r"the slope of $\Lambda$ is the mean of $u$"),
    states=2,
    role="lemma",
)
derivation.chain(
    "The mean of the second by cumulants",
    Expectation(near, (epsilon * u - Lambda) ** 2 / 2),
    equals(
        times(Rational(1, 2), plus(times(epsilon**2, Variance(near, u)), (epsilon * Expectation(near, u) - Lambda) ** 2)),
        "the mean of a square is the variance and the square of the mean",
    ),
    equals(
        times(
            Rational(1, 2), plus(times(epsilon**2, Slope(Lambda, epsilon, 2)), (epsilon * Slope(Lambda, epsilon) - Lambda) ** 2)
        ),
        r"the second derivative of $\Lambda$ is the variance of $u$",
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
        1, r"both are $\frac{\kappa_2}{2} \epsilon^2$ and terms of the third order; $\kappa_2 > 0$, since $u$ is not constant"
    ),
    so=r"Half the squared log-ratio measures a small step as the divergence does: both are $\frac12 \epsilon^2$ times the "
    r"variance.",
)
derivation.chain(
    "... and its bias is of the third order",
    Limit(times(plus(k_2_series, -kl_series), epsilon**-3), epsilon, 0),
    equals(kappa[2] / 6, r"$\frac{\kappa_3}{2} - \frac{\kappa_3}{3}$"),
    so="A skewed direction makes the second too large or too small, according to the sign of the skewness.",
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
    "Close to the reference, the third varies far less",
    times(Slope(apart_3, q), 1 / Slope(apart_1, q)),
    equals(
        times(q, 1 - q, plus((q - p) / q**2, -(q - p) / (1 - q) ** 2)),
        r"$\Delta k_1$ has the slope $\frac{1}{q(1 - q)}$, which is also that of the logarithms in $\Delta k_3$",
    ),
    equals(times(q - p, (1 - 2 * q) / (q * (1 - q))), "a common denominator"),
    so=r"At $q = p$ both differences are 0, so by L'Hopital's rule their quotient goes to zero there, like a multiple of $q - "
    r"p$; the quotient of the variances is its square. To first order the control variate removes all that varies.",
)
derivation.chain(
    "Far from it, the third varies without bound",
    Limit(times(q, times(q, 1 - q, apart_3**2)), q, 0),
    equals(p**2, r"$\Delta k_3 \approx p / q$, and everything else is of smaller order"),
    role="lemma",
)
derivation.chain(
    "... while the first hardly varies any more",
    Limit(times(q, 1 - q, apart_1**2), q, 0),
    equals(0, r"$q \log^2 q \to 0$"),
    so=r"A policy that hardly ever does what the reference does sees, when it does, a ratio $\pi_0/\pi$ of $p/q$. So neither "
    r"estimator is better everywhere.",
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
derivation.chain(
    "As a loss, the first does nothing",
    Expectation(soft, Slope(ratio, by)),
    equals(
        Total(x, Slope(soft, by)),
        r"the reference is fixed, and $\pi_\theta\, \partial \log \pi_\theta = \partial \pi_\theta$",
        wrong={"the log-ratio kept": Total(x, times(ratio, Slope(soft, by)))},
    ),
    equals(0, "probabilities always sum to one"),
    so="What depends on the parameters in this loss is noise of mean zero; the reference is not even in it.",
)
derivation.chain(
    "As a loss, the second has the gradient of the divergence",
    Expectation(soft, Slope(ratio**2 / 2, by)),
    equals(
        Total(x, times(ratio, Slope(soft, by))),
        r"the chain rule, and $\pi_\theta\, \partial \log \pi_\theta = \partial \pi_\theta$",
    ),
    equals(Slope(Divergence(soft, pi_0), by), r"the product rule: the other term is $\sum_x \partial \pi_\theta = 0$"),
    so=r"The biased estimator of the value is unbiased for the gradient. Its gradient, $\ell\, \partial \log \pi_\theta$, is "
    r"that of $-\ell$ as a reward.",
)
derivation.chain(
    "As a loss, the third has the gradient of the other divergence",
    Expectation(soft, Slope(k_3_soft, by)),
    equals(
        Expectation(soft, times(1 - pi_0 / soft, Slope(log(soft), by))),
        r"$\partial e^{-\ell_\theta} = -e^{-\ell_\theta}\, \partial \log \pi_\theta$",
    ),
    equals(times(-1, Total(x, times(pi_0, Slope(log(soft), by)))), r"the mean of a score is zero, and $\pi_\theta$ cancels"),
    equals(
        Slope(Divergence(pi_0, soft), by),
        r"$\mathrm{KL}(\pi_0 \,\|\, \pi_\theta)$ depends on $\theta$ through $-\sum_x \pi_0 \log \pi_\theta$ only",
    ),
    so=r"This is $\pi_\theta - \pi_0$ in the logits: bounded, and blind to how much more the policy does what the reference "
    r"rarely does. It pulls back to the reference, but not at the price that the objective names.",
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
        Expectation(soft, times(ratio, Slope(log(soft), by))), r"$k_3 = \pi_0 / \pi_\theta - 1 + \ell_\theta$: the rest cancels"
    ),
    equals(Slope(Divergence(soft, pi_0), by), "the second chain above"),
    so="With the ratio the loss knows that its samples depend on the policy. The same ratio mends samples from an older policy.",
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


@derivation.example(
    r"Two samples, $\pi = (\frac12, \frac12)$ and $\pi_0 = (\frac14, \frac34)$; the log-ratios are $\log 2$ and $\log \frac23$."
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


def _variance(estimator, share, reference=0.5):
    """The estimator's variance over two samples, for each share q of the first."""
    law = np.stack([share, 1 - share])
    values = np.asarray(
        estimator(jnp.log(law), jnp.log(np.stack([np.full_like(share, reference), np.full_like(share, 1 - reference)])))
    )
    return share * (1 - share) * (values[0] - values[1]) ** 2


@derivation.figure(
    "Left: the three estimators as functions of the log-ratio of a sample; to second order the last two are the same. Right: the "
    r"variance over two samples, if the reference gives $\frac12$ to each and the policy $q$ to the first. The two cross at $q = "
    r"0.1018$.",
    panels=2,
)
def three_functions(left, right):
    grid = np.linspace(-2.0, 2.0, 81)
    for name, estimator in (("$k_1$", kl_k1), ("$k_2$", kl_k2), ("$k_3$", kl_k3)):
        left.plot(grid, estimator(jnp.asarray(grid), jnp.zeros(81)), label=name)
    left.axhline(0.0, color="gray", linewidth=0.5)
    left.set(xlabel=r"log-ratio $\ell$", ylabel="estimate, nats", ylim=(-2.1, 4.5))
    left.legend()
    shares = np.concatenate([np.logspace(-4, -1, 60), np.linspace(0.11, 0.49, 40)])
    for name, estimator, color in (("$k_1$", kl_k1, 0), ("$k_3$", kl_k3, 2)):
        right.loglog(shares, _variance(estimator, shares), label=name, color=left.lines[color].get_color())
    right.axvline(0.1018, color="gray", linestyle="--", linewidth=1)
    right.set(xlabel="$q$", ylabel="variance", ylim=(1e-6, 1e4))
    right.legend()


@derivation.exercise(
    r"How much too large is the mean of $k_2$ in the example, and what does $\frac{\kappa_3}{6} \epsilon^3$ say? Take $\epsilon "
    r"= 1$ and $u = (\log 3, 0)$.",
    r"$0.1612 - 0.1438 = 0.0174$. The reference does the first sample with $\frac14$, so $\kappa_3 = \frac14 \cdot \frac34 \cdot "
    r"\frac12 \log^3 3 = 0.1243$, and a sixth of it is 0.0207: the right size, though $\epsilon$ is not small.",
)
def bias_of_the_second():
    yield value(Expectation(pi, k_2) - Divergence(pi, pi_0), _given), "0.0174"
    third = 0.25 * 0.75 * 0.5 * np.log(3) ** 3
    yield third, "0.1243"
    yield third / 6, "0.0207"


@derivation.exercise(
    r"The reference gives $\frac12$ to each of two samples. At which $q < \frac12$ do $k_1$ and $k_3$ vary alike? How do the "
    r"variances compare at $q = 0.49$ and at $q = 10^{-6}$?",
    r"$\Delta k_3 = -\Delta k_1$ gives $\frac{1}{2q} - \frac{1}{2(1-q)} = 2 \log \frac{1-q}{q}$, so $q = 0.1018$. At 0.49 the "
    r"variance of $k_3$ is $7.1 \cdot 10^{-8}$ of that of $k_1$; at $10^{-6}$ it is $1.3 \cdot 10^9$ times as large.",
)
def where_they_cross():
    low, high = 0.05, 0.2
    for _ in range(40):
        middle = np.array([(low + high) / 2])
        more = _variance(kl_k3, middle)[0] > _variance(kl_k1, middle)[0]
        low, high = (middle[0], high) if more else (low, middle[0])
    yield low, "0.1018"
    close, far = (_variance(kl_k3, np.array([q]))[0] / _variance(kl_k1, np.array([q]))[0] for q in (0.49, 1e-6))
    yield close / 1e-8, "7.1"
    yield far / 1e9, "1.3"


@derivation.exercise(
    r"The policy does the first of two samples only, the reference each with $\frac12$. What is the divergence, and what do "
    r"$k_1$ and $k_3$ say?",
    r"The divergence is $\log 2 = 0.6931$, and so is $k_1$ on the only sample there is; $k_3 = \frac12 - 1 + \log 2 = 0.1931$, "
    r"too small by the $m = \frac12$ that is never sampled.",
)
def a_policy_that_never_does_it():
    yield token_kl(jnp.array([0.0, -jnp.inf]), jnp.zeros(2)), "0.6931"
    yield kl_k3(jnp.zeros(1), -jnp.log(2.0) * jnp.ones(1))[0], "0.1931"


derivation.symbol("d", r"the log-ratio turned over, $-\ell$")
derivation.symbol("s", "a number between 0 and 1")


@derivation.numeric(
    r"e^d - 1 - d = d^2 \int_0^1 (1 - s)\, e^{s d}\, ds",
    because="Near $d = 0$ the three terms on the left nearly cancel: at $d = 10^{-6}$ in float64 four digits are left of $e^d - "
    "1 - d$, and none in float32. Taylor's remainder on the right does not cancel. The code integrates it by eight "
    "Gauss-Legendre nodes for $|d| < 1$; here it is compared with the series.",
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
