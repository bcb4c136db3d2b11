"""Masked diffusion: its bound is the average over all reading orders, and what is drawn together is lost.

The lecture on the functions of theory_jax/diffusion/masked_diffusion.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.masked_diffusion import mask_tokens, masked_diffusion_loss, posterior_log_probs, unmask_step
from theory_jax.lectures.diffusion._bits_in_steps import (
    LEVELS,
    draw_excess,
    draw_lattice,
    entropy,
    mean_bound,
    mean_total_correlation,
    texts_appear,
    uniform_levels,
)
from theory_jax.lectures.diffusion._two_tokens import two_tokens
from theory_jax.lectures.lemmas.gumbel_max import gumbel_max
from theory_jax.lectures.lemmas.jensen import jensen

derivation = Derivation(
    module=__name__,
    title="Masked diffusion: its bound is the average over all reading orders, and what is drawn together is lost",
    sources=(
        "Austin, Johnson, Ho, Tarlow & van den Berg 2021, Structured Denoising Diffusion Models in Discrete State-Spaces (D3PM)",
        "Sahoo, Arriola, Schiff, Gokaslan, Marroquin, Chiu, Rush & Kuleshov 2024, Simple and Effective Masked Diffusion Language "
        "Models (MDLM)",
        "Shi, Han, Wang, Doucet & Titsias 2024, Simplified and Generalized Masked Diffusion for Discrete Data",
        "Ou, Nie, Xue, Zhu, Sun, Li & Li 2024, Your Absorbing Discrete Diffusion Secretly Models the Conditional Distributions "
        "of Clean Data",
    ),
    question="Gaussian noise does not suit text: between two words there is nothing to walk through. Let the noise be that a "
    "token is gone: a mask takes its place. What is the likelihood bound of this diffusion, does its schedule matter, and how "
    "is it related to reading from left to right?",
    setting=(
        r"A text $x$ has the tokens $x^1, \dots, x^L$, and $m$ is a mask that no text contains. At the level $\alpha$ every "
        r"token is kept with probability $\alpha$, else replaced by $m$, independently.",
        r"$\alpha$ falls from 1 at time 0 to 0 at time 1. A step goes back from $\alpha_t$ to a higher $\alpha_s$; with $T$ "
        r"steps these are neighbors among $\alpha_0, \dots, \alpha_T$, which fall from 1 to 0, and $\Delta_t$ is $\alpha_{t-1} "
        r"- \alpha_t$.",
        "The model gives every masked position $l$ a distribution of its token given the visible ones, $V$, but not given the "
        r"time; its cost $c_l(V)$ is $-\log p_\theta(x^l|V)$. A step back draws all masked positions independently; visible "
        "ones stay.",
    ),
    limits=(
        "How far the conditionals of a trained network are from those of one distribution. The gap to the best order measures "
        "it.",
        "The best schedule for more than two tokens, and samplers that fill in the positions of which the model is surest: "
        "they are not this process, and the bound does not hold for them.",
        r"Other noise on tokens, such as uniform noise, in which a visible token can be wrong.",
    ),
)

a_s = derivation.number(r"\alpha_s", "the probability that a token is kept after a step back", "alpha_s", between=(0, 1))
ratio = derivation.number(r"\rho", r"the probability that a token kept at $\alpha_s$ is kept at $\alpha_t$", between=(0, 1))
a_t = derivation.define(r"\alpha_t", a_s * ratio, "the probability that it is kept before it", "alpha_t", positive=True)
masked = derivation.chain(
    "A token is masked in the first part of the way or in the second",
    plus(1 - a_s, times(a_s, 1 - ratio)),
    equals(
        1 - a_t,
        prose("{both}", both=holds(a_s * ratio, "=", a_t)),
        wrong={"a mask is lost again": plus(1 - a_s, -times(a_s, 1 - ratio))},
    ),
    role="lemma",
    so=r"Two parts with the levels $\alpha_s$ and $\rho$ are one with their product, and $m$ stays $m$: the state absorbs.",
)
unmask = derivation.define("u", (a_s - a_t) / (1 - a_t), "the probability that a step back fills a masked position")
late = derivation.chain(
    "A masked position was masked late with a probability that its token does not change",
    times(a_s, 1 - ratio) / (1 - a_t),
    equals(
        (a_s - a_t) / (1 - a_t),
        prose(
            "Bayes' rule: kept, then masked, over masked at all; {late}", late=holds(times(a_s, 1 - ratio), "=", plus(a_s, -a_t))
        ),
        wrong={"not divided by the mask's probability": a_s - a_t, "masked early": (1 - a_s) / (1 - a_t)},
    ),
    equals(
        plus(1, -(1 - a_s) / (1 - a_t)),
        r"it is masked at $\alpha_s$ otherwise",
        wrong={"the levels exchanged": plus(1, -(1 - a_t) / (1 - a_s))},
    ),
    role="lemma",
    uses=(masked,),
    so=r"This is $u$, and it does not depend on the token. A visible token is known at both levels.",
)
p = derivation.number("p", r"the model's probability of the true token in a masked position, $p_\theta(x^l|V)$", between=(0, 1))


derivation.bridge(
    "The code computes the distribution of a step back, with the token averaged over the model",
    [[[log(unmask * p), log(unmask * (1 - p)), log(1 - unmask)]]],
    posterior_log_probs,
    x0_log_probs=[[[log(p), log(1 - p), -sympy.oo]]],
    tokens_t=np.array([[2]]),
    alpha_s=[a_s],
    alpha_t=[a_t],
    mask_id=2,
    wrong={r"$\alpha_t$ for $\alpha_s$ in what stays": [[[log(unmask * p), log(unmask * (1 - p)), sympy.Integer(0)]]]},
)


derivation.say(
    "The bound is that of every chain of latent variables, a divergence for each step (lecture on the bound of diffusion). At "
    r"$\alpha_T = 0$ both chains begin with masks alone, which costs nothing. Given the text both distributions of a step are "
    "products over positions, so divergences add up, and visible positions have none."
)
u = derivation.number(r"\upsilon", "the probability that a step fills the position, now any number", between=(0, 1))
true_fill = derivation.define("q(x^l)", u, "the step back that knows the text: the token", positive=True)
true_stay = derivation.define("q(m)", 1 - u, "... and the mask", positive=True)
model_fill = derivation.define(r"p_\theta(x^l)", u * p, "the model's step back: the same token", positive=True)
model_stay = derivation.define(r"p_\theta(m)", 1 - u, "... and the mask", positive=True)
step_cost = derivation.chain(
    "One step costs a masked position a share of the cross entropy",
    plus(times(true_fill, log(true_fill / model_fill)), times(true_stay, log(true_stay / model_stay))),
    equals(
        times(u, -log(p)),
        prose(
            "staying masked is equally likely in both, and in the other logarithm {ratio}",
            ratio=holds(true_fill / model_fill, "=", 1 / p),
        ),
        wrong={"the whole cross entropy": -log(p), "the share that stays": times(1 - u, -log(p))},
    ),
    so=prose(
        "A step from {before} to {after} fills a position with the probability {share}. Summed over positions and steps the "
        r"bound is $\mathcal{L}_T(x)$, the sum over $t$ of $\frac{\Delta_t}{1 - \alpha_t}$ times the mean of the costs "
        r"$c_l(V)$ of all masked positions; it is at least $-\log p_\theta(x)$. With ever smaller steps the sum becomes an "
        r"integral, with $-\alpha'\, d\tau$ for $\Delta_t$.",
        before=a_t,
        after=a_s,
        share=holds(plus(1, -(1 - a_s) / (1 - a_t)), "=", unmask, named=True),
    ),
)
level = derivation.number(r"\alpha", "a level between nothing and the text", "alpha", between=(0, 1))
fall = derivation.number("w", "how fast it falls in time", "-alpha_slope", positive=True)
time = derivation.number(r"\tau", "a time from 0, the text, to 1, masks alone", "time", between=(0, 1))
derivation.symbol(r"\alpha'", "the slope of the level in time", "alpha_slope")
derivation.bridge(
    "The code computes the integrand: two masked positions, with an even chance in the second, and a visible one",
    times(fall / (1 - level), plus(-log(p), log(2))),
    masked_diffusion_loss,
    logits=[[[log(p), log(1 - p), p], [0, 0, p], [p, fall, 0]]],
    tokens=np.array([[0, 1, 1]]),
    tokens_t=np.array([[2, 2, 1]]),
    alpha=[level],
    alpha_slope=[-fall],
    mask_id=2,
    wrong={
        r"no $1/(1 - \alpha)$": times(fall, plus(-log(p), log(2))),
        "the mask left in the softmax": times(fall / (1 - level), plus(log(1 + sympy.exp(p)), -log(p), log(2 + sympy.exp(p)))),
        "a mean over masked positions": times(fall / (1 - level), plus(-log(p), log(2))) / 2,
        "all positions": times(fall / (1 - level), plus(-log(p), log(2), log(sympy.exp(p) + sympy.exp(fall)), -fall)),
    },
    uses=(step_cost,),
)

derivation.say(
    "Three tokens. The cost $c_l(V)$ is written $c_{l|V}$, such as $c_{3|12}$; there are twelve. A set $M$ of $n$ masked "
    r"positions has the probability $\alpha^{3 - n} (1 - \alpha)^n$."
)
_SETS = [seen for size in range(4) for seen in itertools.combinations((1, 2, 3), size)]
_COSTS = {
    (place, seen): derivation.number(
        "c_{" + str(place) + "|" + ("".join(map(str, seen)) or r"\emptyset") + "}",
        f"what token {place} costs, given {' and '.join(map(str, seen)) or 'nothing'}",
    )
    for place in (1, 2, 3)
    for seen in _SETS
    if place not in seen
}
_BY_COUNT = {n: plus(*(cost for (_, seen), cost in _COSTS.items() if len(seen) == 3 - n)) for n in (3, 2, 1)}
C3, C2, C1 = (
    derivation.define(f"C_{n}", _BY_COUNT[n], f"the costs of masked positions, over all sets of {n} masked positions")
    for n in (3, 2, 1)
)


@derivation.symbolic(
    r"\int_0^1 \frac{-\alpha'}{1 - \alpha} \left[(1 - \alpha)^3 C_3 + \alpha (1 - \alpha)^2 C_2 + \alpha^2 (1 - \alpha) "
    r"C_1\right] d\tau \text{ is the same for } \alpha = 1 - \tau,\ 1 - \tau^2,\ (1 - \tau)^2,\ \cos \tfrac{\pi \tau}{2}",
    because=r"Take $\alpha$ itself for the variable of integration, from 1 to 0: $-\alpha'\, d\tau$ becomes $-d\alpha$. The "
    r"costs do not depend on $\tau$. Nor should they: every text that fits the visible tokens has the same probability of "
    "these masks, so the number of masks says nothing about what is behind them.",
    role="lemma",
)
def four_schedules():
    t, c1, c2, c3 = sympy.symbols("t c_1:4", positive=True)
    left = []
    for alpha in (1 - t, 1 - t**2, (1 - t) ** 2, sympy.cos(sympy.pi * t / 2)):
        mean_cost = (1 - alpha) ** 2 * c3 + alpha * (1 - alpha) * c2 + alpha**2 * c1
        left.append(sympy.integrate(sympy.expand(mean_cost * -sympy.diff(alpha, t)), (t, 0, 1)))
    return Sides(left=left, right=[c3 / 3 + c2 / 6 + c1 / 3] * 4, wrong={"only masks count": [c3 / 3] * 4})


_READ = [
    derivation.define(
        "h_{" + "".join(map(str, order)) + "}",
        plus(*(_COSTS[place, tuple(sorted(order[:k]))] for k, place in enumerate(order))),
        f"what the text costs, read in the order {', '.join(map(str, order))}",
    )
    for order in itertools.permutations((1, 2, 3))
]
derivation.symbol(r"\mathcal{L}", "the bound with ever smaller steps, of one text")
orders = derivation.chain(
    "The bound is the average over all reading orders",
    Integral(plus(times((1 - level) ** 2, C3), times(level, 1 - level, C2), times(level**2, C1)), (level, 0, 1)),
    equals(
        plus(C3 / 3, C2 / 6, C1 / 3),
        prose(
            r"the Beta integrals of $\alpha^{L - n} (1 - \alpha)^{n - 1}$, which are $\frac{(n - 1)!\, (L - n)!}{L!}$: such as "
            "{two}",
            two=holds(Integral(times(level, 1 - level), (level, 0, 1)), "=", Rational(1, 6), wrong={"one": Rational(1, 3)}),
        ),
        wrong={"all sets alike": plus(C3 / 3, C2 / 3, C1 / 3), r"no $1/(1 - \alpha)$": plus(C3 / 4, C2 / 12, C1 / 12)},
    ),
    equals(
        times(Rational(1, 6), plus(*_READ)),
        r"$l$ follows $V$ in $(n - 1)!\, (L - n)!$ of the $L!$ orders: those that read $V$ first, then $l$, then the rest",
        wrong={"left to right": _READ[0]},
    ),
    central=True,
    so=r"So $\mathcal{L}(x)$ is the mean of $-\log p_\pi(x)$ over the orders $\pi$, where $p_\pi$ is the autoregressive model "
    "with the network's conditionals in that order. If the conditionals are those of one distribution $p$, every order gives "
    r"$p(x)$ (chain rule), and $\mathcal{L}(x)$ is $-\log p(x)$: nothing is lost.",
)
order = derivation.index(r"\pi", "an order of reading")
chance = derivation.law("w", order, "the probabilities of the orders, here all equal")
of_order = derivation.numbers("p_{{{}}}(x)", order, "the probability of the text, read in that order", positive=True)
derivation.chain(
    "A network whose orders disagree pays for it",
    Expectation(chance, -log(of_order)),
    at_least(
        -log(Expectation(chance, of_order)),
        prose(
            "Jensen's inequality; equality if and only if all orders give the text the same probability, {same}",
            same=where(of_order, of_order.at(0)),
        ),
        dropping=jensen.at(chance, of_order),
    ),
    uses=(orders,),
    so="The right side is the cost of a model that draws an order first, then reads: masked diffusion with ever smaller steps.",
)

_RANDOM = np.random.default_rng(5).dirichlet(np.ones(8)).reshape(2, 2, 2)
_LEVELS = np.array([1.0, 0.7, 0.25, 0.0])
derivation.symbol(
    r"\mathrm{TC}", "the total correlation: the divergence of the joint distribution from the product of its marginals"
)
derivation.symbol("S_t, V_t", "the positions that step $t$ fills in, and those that are visible before it")
H = derivation.number("H", "the entropy of the text, in nats")
step = derivation.index("t", "a step")
T = derivation.count(step, "T", "the number of steps")
derivation.symbol("x", "a text")
derivation.symbol("l", "a position in it")
derivation.symbol("m", "the mask", "mask_id")
derivation.symbol(r"\mathbb{E}", "the mean over texts and masks")
derivation.symbol(r"\mathcal{L}_T", "the bound with $T$ steps")


@derivation.exact(
    r"\mathbb{E}_x \mathcal{L}_T(x) = H(x) + \sum_t \mathbb{E}\, \mathrm{TC}(x^{S_t}|x^{V_t})",
    because="Exact conditionals; a distribution of three bits drawn at random, and three unequal steps. A token has its step "
    r"with the probability $\Delta_t$, so the share $\Delta_t / (1 - \alpha_t)$ in the bound is that of the masked tokens in "
    "$S_t$. By the chain rule the joint entropies of the steps add up to $H(x)$. What is left is the total correlation: the "
    "entropies of the tokens of $S_t$ less their joint entropy.",
    outcomes=27,
    tolerance=1e-11,
)
def what_is_drawn_together_is_lost():
    return Sides(
        left=mean_bound(_RANDOM, _LEVELS),
        right=entropy(_RANDOM) + mean_total_correlation(_RANDOM, _LEVELS),
        wrong={"nothing is lost": entropy(_RANDOM), "all tokens in one step": mean_bound(_RANDOM, uniform_levels(1))},
    )


two_tokens(derivation, step, T, H, level, time)
derivation.answer = prose(
    "One step costs a masked position the share {share} of its cross entropy. With ever smaller steps the schedule drops out, "
    "and the bound is the mean cost over all orders in which the text can be read, for three tokens {orders}: it is $-\\log "
    "p(x)$ for a model with exact conditionals. With finitely many steps the bound of such a model is larger by the "
    "dependence among tokens that are drawn together.",
    share=holds(times(a_s, 1 - ratio) / (1 - a_t), "=", (a_s - a_t) / (1 - a_t), named=True),
    orders=holds(plus(C3 / 3, C2 / 6, C1 / 3), "=", times(Rational(1, 6), plus(*_READ))),
)
_BITS = np.array([[0.4, 0.1], [0.1, 0.4]])


@derivation.monte_carlo(
    r"\Pr(x^1 = x^2) = \tfrac12 \cdot 0.8 + \tfrac12 \cdot 0.5",
    because="Two bits that are equal with probability $0.8$, exact conditionals, two equal steps from masks alone: the code's "
    "draws. In half of the texts both bits are filled in by the same step, and then independently.",
    role="remark",
    uses=(gumbel_max,),
)
def two_steps_of_the_code():
    rng, draws = np.random.default_rng(8), 40_000
    tokens = np.full((draws, 2), 2)
    for before, after in ((0.0, 0.5), (0.5, 1.0)):
        logits = np.log([[0.8, 0.2, 1.0], [0.2, 0.8, 1.0], [0.5, 0.5, 1.0]])[tokens[:, ::-1]]
        gumbels = -np.log(-np.log(rng.uniform(size=logits.shape)))
        levels = np.full(draws, after), np.full(draws, before)
        tokens = np.asarray(unmask_step(tokens, logits, rng.uniform(size=tokens.shape), gumbels, *levels, mask_id=2))
    equal = (tokens[:, :1] == tokens[:, 1:]).astype(float)
    return SampleSides(samples=equal, expected=np.array([0.65]), wrong={"never together": 0.8, "always together": 0.5})


@derivation.example(
    r"A step from the level $\frac14$ back to $\frac12$, and the shares of 60 equally spaced uniform numbers for which the "
    r"code keeps a token at $\alpha_t$, and fills a mask in this step. Then two bits that are equal with probability $0.8$: "
    "their entropy $H$ is 1.1935 and their mutual information $I$ 0.1927. The mean bound with exact conditionals, uniform "
    r"steps, then the schedule $\cos \frac{\pi \tau}{2}$, and conditionals that ignore the visible bit. Two steps draw equal "
    "bits with probability $0.65$; the divergence from the true distribution to theirs is below the excess of the bound, half "
    "of $I$, by the convexity of the divergence."
)
def two_bits():
    model = jnp.array([[[math.log(0.75), math.log(0.25), -math.inf]]] * 60)
    masks, uniforms, half, quarter = np.full((60, 1), 2), (np.arange(60)[:, None] + 0.5) / 60, np.full(60, 0.5), np.full(60, 0.25)
    law = jnp.exp(posterior_log_probs(model, masks, half, quarter, mask_id=2))[0, 0]
    yield r"u\, p,\ u (1 - p),\ 1 - u \text{ at } p = \tfrac34", law, "(0.25, 0.0833, 0.6667)"
    yield r"\text{kept}", np.mean(np.asarray(mask_tokens(0 * masks, uniforms, quarter, mask_id=2)) == 0), "0.25"
    filled = unmask_step(masks, model, uniforms, np.zeros((60, 1, 3)), half, quarter, mask_id=2)
    yield r"\text{filled}", np.mean(np.asarray(filled) != 2), "0.3333"
    for steps, printed in ((1, "1.3863"), (2, "1.2899"), (4, "1.2417"), (64, "1.1966")):
        yield rf"T = {steps}", mean_bound(_BITS, uniform_levels(steps)), printed
    yield r"T = 4, \text{ cosine}", mean_bound(_BITS, np.sin(np.pi * uniform_levels(4) / 2)), "1.2522"
    yield r"\text{visible bit ignored}", mean_bound(_BITS, uniform_levels(64), informed=False), "1.3863"
    yield r"\mathrm{KL}", np.sum(_BITS * np.log(_BITS / [[0.325, 0.175], [0.175, 0.325]])), "0.0542"


@derivation.algorithm(
    "Training on a text, and sampling in $T$ steps",
    do(
        r"training: take a text $x$, a time $\tau$ and $\alpha$; mask every token with probability $1 - \alpha$",
        mask_tokens,
        by=masked,
    ),
    do(
        r"a gradient step on $\frac{-\alpha'}{1 - \alpha}$ times the cross entropies of the masked positions",
        masked_diffusion_loss,
        by=step_cost,
    ),
    do(r"sampling: begin with masks alone; for the steps from $\alpha_t$ back to $\alpha_s$:"),
    do(r"$p_\theta \leftarrow$ the network's distributions, given the visible tokens", indent=1),
    do(r"with probability $u$ fill a masked position with a token from $p_\theta$", unmask_step, by=late, indent=1),
)
def a_text_and_two_steps():
    log_conditionals = np.log([[0.8, 0.2, 1.0], [0.2, 0.8, 1.0], [0.5, 0.5, 1.0]])  # given 0, 1 and a mask
    text, uniforms, half = np.array([[0, 1]]), np.array([[0.3, 0.8]]), np.array([0.5])
    noisy = np.asarray(mask_tokens(text, uniforms, half, mask_id=2))
    yield (
        r"\text{the text } (0, 1) \text{ of the two bits, uniform numbers } (0.3, 0.8), \alpha = \tfrac12, \text{ with 2 for } m",
        noisy,
        "(0, 2)",
    )
    loss = masked_diffusion_loss(log_conditionals[noisy[:, ::-1]], text, noisy, half, np.array([-1.0]), mask_id=2)
    yield r"2\, (-\log 0.2)", loss, "3.2189"
    tokens, gumbels = np.full((1, 2), 2), np.zeros((1, 2, 3))
    gumbels[..., 1] = 0.1
    for before, after, printed in ((0.0, 0.5, "(1, 2)"), (0.5, 1.0, "(1, 1)")):
        levels = np.array([after]), np.array([before])
        tokens = np.asarray(unmask_step(tokens, log_conditionals[tokens[:, ::-1]], uniforms, gumbels, *levels, mask_id=2))
        yield (
            rf"\text{{masks alone, from }} {before:g} \text{{ to }} {after:g}"
            if before == 0
            else rf"\text{{then to }} {after:g}",
            tokens,
            printed,
        )


derivation.figure(
    "16 texts of bits (red and blue) appear from masks (pale). The model is exact: a bit is equal to the one before it but for "
    "one time in twenty. Left: in 64 steps few bits are drawn together, and the texts have long runs. Right: in four steps many "
    "are drawn together and do not see each other: the texts are torn, although nothing in the model is wrong.",
    panels=2,
    frames=[rf"$\alpha = {level:g}$" for level in LEVELS],
)(texts_appear)


@derivation.figure(
    "Left: the sets of visible positions of three tokens, from none to all. A path upward is a reading order; an edge is the "
    "cost of the position that is added, with its weight in the bound. Right: the excess of the bound of two bits over the "
    "entropy, against the number of steps.",
    panels=2,
)
def lattice_and_excess(lattice, excess):
    draw_lattice(lattice, _SETS)
    draw_excess(excess, _BITS)
