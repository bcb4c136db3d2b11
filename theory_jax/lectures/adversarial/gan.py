"""The adversarial game: what a perfect discriminator measures, and what it tells the generator.

The lecture on the functions of theory_jax/adversarial/gan.py.
"""

import math

import jax.numpy as jnp
from sympy import Rational, Subs, exp, log, oo

from theory_jax.adversarial.gan import (
    discriminator_loss,
    exact_value,
    jensen_shannon_divergence,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_discriminator_logit,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._game import answers_in_turn, certainty, one_point_and_two_losses, two_rounds
from theory_jax.lectures.adversarial._saturation import MOMENTS, chase_by_both_losses
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.score import score
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The adversarial game: what a perfect discriminator measures, and what it tells the generator",
    lectures=(6,),
    sources=(
        "Goodfellow et al. 2014, Generative Adversarial Nets, eq. 1, propositions 1 and 2, theorem 1, algorithm 1",
        "Arjovsky & Bottou 2017, Towards Principled Methods for Training Generative Adversarial Networks",
        "Salimans et al. 2016, Improved Techniques for Training GANs, section 3.4",
    ),
    question="A generator that only samples has no density, so its likelihood cannot be computed, and nothing says how far its "
    "samples are from the data. A generative adversarial network trains a classifier to tell samples from data, and the "
    "generator to fool it. What does a perfect classifier measure, what does its answer tell the generator, and what can go "
    "wrong?",
    setting=(
        "The generator is a network that turns random numbers $z$ into a sample $G(z)$. Only the distribution of its samples "
        "matters here.",
        r"The data are distributed as $p$, the generator's samples as $q$, both on finitely many points and positive; at the "
        r"boundary the sums run over points with $p_k + q_k > 0$, and a term with weight 0 is 0.",
        r"The discriminator gives every point a probability $d_k$ of being data; the network's output is its logit $\ell_k$, "
        r"with $d_k = \sigma(\ell_k) = 1/(1 + e^{-\ell_k})$. The value of the game is $V(q, d) = \mathbb{E}_p[\log d] + "
        r"\mathbb{E}_q[\log(1 - d)]$: the discriminator raises it, the generator lowers it.",
        r"The generator's loss at a fake with logit $\ell$ is $\log(1 - \sigma(\ell))$ in the game itself (minimax), or $-\log "
        r"\sigma(\ell)$ (non-saturating).",
    ),
    limits=(
        "Discriminators of a restricted class, and finite samples.",
        "Alternating gradient steps of both players: the lecture on f-GANs has the local analysis.",
        "Proposition 2 is about descent in $q$; a network's parameters enter $q$ in a way that is not convex.",
    ),
)

k = derivation.index("k", "a point")
j = derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the distribution of the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the distribution of the generator's samples", "exp(log_probs_q)")
logit = derivation.numbers(r"\ell", k, "the discriminator's logits", "logits")
d = derivation.define("d", 1 / (1 + exp(-logit)), "the discriminator: the probability of being data", over=k, positive=True)
fake = derivation.define(r"\bar d", 1 / (1 + exp(logit)), "$1 - d_k$, the probability of being fake", over=k, positive=True)
best = derivation.define(
    "d^*", p / (p + q), "the best discriminator", "sigmoid(optimal_discriminator_logit)", over=k, positive=True
)
best_fake = derivation.define(r"\bar d^*", q / (p + q), "$1 - d^*_k$", over=k, positive=True)
m = derivation.define("m", (p + q) / 2, "half data, half samples", over=k, law=True)
value_of = derivation.define("V", plus(Expectation(p, log(d)), Expectation(q, log(fake))), "the value of the game", "exact_value")
best_value = derivation.define(
    "V^*", plus(Expectation(p, log(best)), Expectation(q, log(best_fake))), "its value at the best discriminator"
)
jsd = derivation.define(
    r"\mathrm{JSD}", (Divergence(p, m) + Divergence(q, m)) / 2, "the Jensen-Shannon divergence", "jensen_shannon_divergence"
)
derivation.symbol(r"\sigma", "the sigmoid")
derivation.answer = prose(
    "The best discriminator is {best}. Its value is {value}, so the minimum over the generator of the maximum over the "
    "discriminator is {least}, reached if and only if $q$ is $p$. Against a discriminator that is the best at every step, the "
    "generator descends {twice} in the game itself; with the non-saturating loss it descends {reverse}.",
    best=p / (p + q),
    value=holds(best_value, "=", plus(-log(4), times(2, jsd)), named=True, wrong={"once": jsd - log(4)}),
    least=holds(best_value, "=", -log(4), when={q: p}, named=True),
    twice=2 * jsd,
    reverse=plus(Divergence(q, p), -2 * jsd),
)
derivation.say(
    prose(
        "Watch one point. If half of all examples are data, the share of data among the examples at this point is {share}. The "
        "discriminator sees the point and nothing else: it does best to answer with this share.",
        share=p / (p + q),
    )
)
missed = Expectation(p, tangent.at(d / best)), Expectation(q, tangent.at(fake / best_fake))
missing = tuple(-part for part in missed)
derivation.chain(
    "Every other discriminator earns less (Proposition 1)",
    value_of,
    equals(
        plus(best_value, Expectation(p, log(d / best)), Expectation(q, log(fake / best_fake))),
        r"add and subtract $\log d^*$ and $\log \bar d^*$",
    ),
    equals(
        plus(best_value, Expectation(p, d / best - 1), Expectation(q, fake / best_fake - 1), *missing),
        r"$\log t = t - 1 - (t - 1 - \log t)$ at both ratios",
    ),
    equals(
        plus(best_value, Total(k, times(p + q, plus(d, fake, -1))), *missing),
        prose("{a}, {b}; $p$ and $q$ sum to one", a=holds(p / best, "=", p + q), b=holds(q / best_fake, "=", p + q)),
    ),
    equals(plus(best_value, *missing), prose("{both}", both=holds(plus(d, fake), "=", 1))),
    at_most(
        best_value,
        prose("add the distances from the tangent, zero if and only if {best}", best=where(logit, log(p / q))),
        adding=plus(*missed),
    ),
    states=2,
    so=prose(
        "So the logit of the best discriminator is {logit}: a perfect classifier knows the density ratio.",
        logit=holds(log(best / best_fake), "=", plus(log(p), -log(q)), named=True),
    ),
)
derivation.say(
    prose(
        "How well can it do? Where even the best discriminator can only guess, its value is {guess}. What it earns above this "
        "comes from points at which samples and data differ in frequency: it measures how far the samples are from the data.",
        guess=holds(best_value, "=", -log(4), when={q: p}, named=True, wrong={"log 2 once": -log(2)}),
    )
)
central = derivation.chain(
    "The value at the best discriminator is a divergence",
    best_value,
    equals(
        plus(Expectation(p, log(p / (2 * m))), Expectation(q, log(q / (2 * m)))),
        prose("{a} and {b}", a=holds(best, "=", p / (2 * m)), b=holds(best_fake, "=", q / (2 * m))),
        wrong={"no factor 2": plus(Expectation(p, log(p / m)), Expectation(q, log(q / m)))},
    ),
    equals(
        plus(-log(4), Divergence(p, m), Divergence(q, m)),
        r"each of the two means gives $-\log 2$",
        wrong={
            "log 2 once": plus(-log(2), Divergence(p, m), Divergence(q, m)),
            "the arguments exchanged": plus(-log(4), Divergence(m, p), Divergence(m, q)),
        },
    ),
    equals(plus(-log(4), times(2, jsd)), "the definition of the Jensen-Shannon divergence"),
    at_least(
        -log(4),
        prose("leave out two divergences (Gibbs), zero if and only if {same} for all $k$", same=where(q, p)),
        dropping=plus(gibbs.at(p, m), gibbs.at(q, m)),
    ),
    central=True,
    so=r"This is the theorem: the minimum over $q$ of the maximum over $d$ of the value is $-\log 4$, and it is reached if and "
    r"only if $q = p$. The best discriminator is then $\frac12$ everywhere: a fair coin. At the other end $V^* < 0$, being a "
    r"mean of logarithms of probabilities, so $\mathrm{JSD} < \log 2$; it is $\log 2$ at the boundary, for disjoint supports.",
)
derivation.bridge(
    "The code computes the value",
    value_of,
    exact_value,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    logits=[logit],
    wrong={"real and fake exchanged": plus(Expectation(q, log(d)), Expectation(p, log(fake))), "the sign": -value_of},
)
derivation.bridge(
    "... the best discriminator's logit",
    log(best / best_fake),
    optimal_discriminator_logit,
    log_density_data=log(p),
    log_density_model=log(q),
)
derivation.bridge(
    "... and the divergence",
    jsd,
    jensen_shannon_divergence,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    wrong={"no half": 2 * jsd},
)

theta = derivation.numbers(r"\theta", k, "the generator's parameters, here logits of $q$")
soft = derivation.define(
    r"q^\theta",
    exp(theta) / Total(j, exp(theta.at(j))),
    "the generator's samples, as a function of its parameters",
    over=k,
    law=True,
)
i = derivation.index("i", "the parameter that is moved")
derivation.say(
    r"What the generator descends. Its gradient step is taken with the discriminator frozen at $d^*$. One fact is used "
    r"repeatedly: however the parameters move, the probabilities keep the sum 1, so the score has mean zero (lemmas/score)."
)
epsilon = derivation.number(r"\varepsilon", "the parameter's change")
free = derivation.numbers("z", k, "arbitrary numbers, of which changes with the sum 0 are made")
change = derivation.define("h", plus(free, -q * Total(j, free.at(j))), "a change of the probabilities that sums to zero", over=k)
moved = derivation.define(r"q_\varepsilon", q + epsilon * change, "the samples after the change", over=k)
middle = derivation.define(r"m_\varepsilon", (p + moved) / 2, "half data, half of those", over=k)


def _at_zero(expression):
    return Subs(Slope(expression, epsilon), epsilon, 0)


twice_jsd = Total(k, p * log(p / middle)), Total(k, moved * log(moved / middle))
minimax = derivation.chain(
    "In the game itself the generator descends twice the Jensen-Shannon divergence",
    _at_zero(plus(*twice_jsd)),
    equals(
        Total(k, plus(change * log(2 * q / (p + q)), change, -change)),
        r"differentiate: the factor in front of the logarithm, the numerator, and the two denominators, which give $-h_k (p_k "
        r"+ q_k)/(p_k + q_k)$",
    ),
    equals(Total(k, change * log(q / (p + q))), r"the changes sum to zero, so $\log 2$ has no effect either"),
    equals(
        _at_zero(Total(k, moved * log(best_fake))),
        r"$\bar d^*_k = q_k/(p_k + q_k)$, frozen: only the samples move",
        wrong={"the other loss": _at_zero(-Total(k, moved * log(best)))},
    ),
    states=2,
    uses=(score,),
    role="lemma",
)
derivation.chain(
    "With the non-saturating loss the generator descends the reverse divergence minus twice the Jensen-Shannon divergence",
    _at_zero(-Total(k, moved * log(best))),
    equals(
        Total(k, change * plus(log(q / p), -log(q / (p + q)))), r"$-\log \frac{p}{p+q} = \log\frac{q}{p} - \log\frac{q}{p+q}$"
    ),
    equals(
        _at_zero(plus(Total(k, moved * log(moved / p)), *(-part for part in twice_jsd))),
        r"the derivative of $\mathrm{KL}(q \,\|\, p)$ is $\sum_k h_k (\log(q_k/p_k) + 1)$, and the changes sum to zero; the "
        r"second term is the last lemma",
        wrong={
            "the divergence added": _at_zero(plus(Total(k, moved * log(moved / p)), *twice_jsd)),
            "the divergence of the data": _at_zero(plus(Total(k, p * log(p / moved)), *(-part for part in twice_jsd))),
        },
    ),
    states=2,
    uses=(minimax,),
    so=r"The reverse divergence forbids samples where there is no data and forgives data that is never sampled, and the other "
    r"term pushes away from the data: this loss favors sharp samples and dropped modes.",
)
l = derivation.number("l", "the logit of a fake", "logits_fake")  # noqa: E741 (the lecture's letter)
derivation.chain(
    "The game's own loss saturates",
    Slope(log(1 - 1 / (1 + exp(-l))), l),
    equals(-1 / (1 + exp(-l)), r"the chain rule: $-\sigma(l)$", wrong={"the other sigmoid": -1 / (1 + exp(l))}),
    so=r"It tends to 0 as $l \to -\infty$: where the discriminator is sure of a fake, the generator learns almost nothing.",
)
derivation.chain(
    "The non-saturating loss keeps its slope where the discriminator is sure of a fake",
    Limit(Slope(-log(1 / (1 + exp(-l))), l), l, -oo),
    equals(Limit(-1 / (1 + exp(l)), l, -oo), r"the chain rule: $-\sigma(-l)$"),
    equals(-1, r"$e^l$ tends to 0"),
    so=r"Both losses rest at the same solution, $q = p$ with $d = \frac12$.",
    role="lemma",
)
for _words, _expression, _code in (
    ("The code computes the loss of the game", -log(1 + exp(l)), minimax_generator_loss),
    ("... the non-saturating loss", log(1 + exp(-l)), non_saturating_generator_loss),
):
    generator_part = derivation.bridge(
        _words, _expression, _code, logits_fake=[l], wrong={"the sign of the logit": _expression.subs(l, -l)}
    )
    derivation.bridge("... and its slope, differentiated", _expression.diff(l), _code, logits_fake=[l], slope="logits_fake")

new = derivation.law(r"\bar q", k, "another distribution of samples")
new_best = derivation.define(r"\hat d", p / (p + new), r"the best discriminator against $\bar q$", over=k, positive=True)
new_fake = derivation.define(r"\hat{\bar d}", new / (p + new), r"$1 - \hat d_k$", over=k, positive=True)
new_value = plus(Expectation(p, log(new_best)), Expectation(new, log(new_fake)))
above = Expectation(p, tangent.at(best / new_best)), Expectation(new, tangent.at(best_fake / new_fake))
derivation.chain(
    "The value at the best discriminator is a convex function of the samples' distribution (Proposition 2)",
    plus(new_value, -best_value),
    equals(
        plus(Total(k, (new - q) * log(best_fake)), *above),
        r"the value is linear in $q$ for a fixed $d$; the rest is what $d^*$ loses against the best discriminator for $\bar q$ "
        r"(Proposition 1)",
    ),
    at_least(
        Total(k, (new - q) * log(best_fake)),
        prose("leave out what is never negative, zero if and only if {same} for all $k$", same=where(new, q)),
        dropping=plus(*above),
    ),
    states=2,
    so=r"The right side is the tangent plane at $q$: its slope $\log \bar d^*$ is the gradient that the generator sees. A "
    r"convex function has no local minimum but the global one, $q = p$, so sufficiently small descent steps in $q$ itself, "
    r"each against a perfect discriminator, approach it. In a network's parameters the function need not be convex.",
    role="lemma",
)

derivation.say(
    "What can go wrong: a perfect discriminator is too sure, a frozen one is fooled best by one sample. Then a remedy."
)


@derivation.exact(
    r"\mathrm{JSD} = \log 2,\qquad \sigma(-\infty) = 0 \quad\text{if}\quad p \text{ and } q \text{ have disjoint supports}",
    because=r"The best discriminator is sure of every point, and the divergence is $\log 2$ at every distance of the "
    r"supports. The slope of the game's own loss at every fake, $-\sigma(\ell)$, is zero. Three pairs on four points.",
    outcomes=15,
    scale=1.0,
    role="remark",
)
def disjoint_supports_give_no_gradient():
    wanted = jnp.repeat(jnp.array([math.log(2), 0.0]), 3)
    return Sides(left=certainty(), right=wanted, wrong={"half": wanted / 2})


convincing = derivation.assume(
    "No point convinces the discriminator more than point 0",
    log(d.at(0) / d),
    example={logit: (2, 0, -1)},
    wrong={"less": log(d / d.at(0))},
)
derivation.chain(
    "Against a frozen discriminator a single point is the best answer",
    -Expectation(q, log(d)),
    equals(plus(-log(d.at(0)), Expectation(q, convincing.at())), r"add and subtract $\log d_0$, which is its own mean"),
    at_least(-log(d.at(0)), "leave out a mean of numbers that are not negative", dropping=Expectation(q, convincing.at())),
    states=2,
    so=r"No distribution of samples has a smaller loss than samples at point 0 alone: mode collapse is the generator's best "
    r"answer to a discriminator that does not change.",
    role="remark",
)


@derivation.exact(
    r"d^*: \left(\tfrac13, 1\right) \to \left(1, \tfrac13\right) \to \left(\tfrac13, 1\right)",
    because=r"Best answers in turn on two modes with data $(\frac12, \frac12)$. All samples are at the first mode, so the "
    r"discriminator believes in the second; the generator moves all of them there; and so on. The cycle never comes near $q = "
    r"p$, although each move is a best answer. Players who take small steps do not jump like this; the lecture on f-GANs shows "
    r"when they converge.",
    outcomes=4,
    role="remark",
)
def best_answers_cycle():
    first = jnp.array([1 / 3, 1.0])
    return Sides(left=answers_in_turn(), right=jnp.stack([first, first[::-1], first]), wrong={"at rest": jnp.stack([first] * 3)})


a = derivation.number("a", "the label of the data, 1 or a little less", "real_target", between=(0, 1))
smoothed = Total(k, plus(a * p * log(d), ((1 - a) * p + q) * log(fake)))
derivation.chain(
    "One-sided label smoothing bounds the discriminator's confidence",
    Slope(smoothed, logit.at(j)),
    equals(
        plus(a * p.at(j) * fake.at(j), -times(plus((1 - a) * p.at(j), q.at(j)), d.at(j))),
        r"$\partial \log d = \bar d$ and $\partial \log \bar d = -d$ for the logit",
        wrong={"the two slopes exchanged": plus(a * p.at(j) * d.at(j), -((1 - a) * p.at(j) + q.at(j)) * (1 - d.at(j)))},
    ),
    equals(
        plus(a * p.at(j), -times(plus(p.at(j), q.at(j)), d.at(j))),
        "collect the terms",
        wrong={"both labels smoothed": plus(a * p.at(j) + (1 - a) * q.at(j), -(p.at(j) + q.at(j)) * d.at(j))},
    ),
    states=2,
    so=r"It is zero at $d = a p/(p + q)$, which is at most $a$: no logit runs to infinity on data.",
    role="remark",
)
derivation.chain(
    "One-sided label smoothing leaves the gradient of the non-saturating loss as it was",
    _at_zero(-Total(k, moved * log(a * best))),
    equals(
        _at_zero(-Total(k, moved * log(best))),
        r"$\log(a d^*) = \log a + \log d^*$, and the samples' probabilities keep the sum 1",
        wrong={"scaled by the label": _at_zero(-a * Total(k, moved * log(best)))},
    ),
    states=2,
    uses=(score,),
    role="remark",
)
real = derivation.number("r", "the logit of a real sample", "logits_real")
nine = Rational(9, 10)
loss = nine * log(1 + exp(-real)) + (1 - nine) * log(1 + exp(real)) + log(1 + exp(l))
discriminator_part = derivation.bridge(
    "The code computes the discriminator's loss, here for the label 0.9",
    loss,
    discriminator_loss,
    logits_real=[real],
    logits_fake=[l],
    real_target=0.9,
    wrong={
        "the fakes' label smoothed, too": loss + (log(1 + exp(-l)) - log(1 + exp(l))) / 10,
        "no smoothing": log(1 + exp(-real)) + log(1 + exp(l)),
    },
)

derivation.algorithm(
    "Training a GAN: a step of the discriminator, then one of the generator",
    do("repeat: take a data point, and $z$ for a sample $G(z)$; let $r$ and $l$ be the discriminator's logits of both"),
    do(
        r"step the discriminator down the gradient of $-a \log \sigma(r) - (1 - a) \log \sigma(-r) - \log \sigma(-l)$, with $G$ "
        "fixed ($a$ is 1 without smoothing)",
        discriminator_loss,
        by=discriminator_part,
        indent=1,
    ),
    do("take new $z$, and the logit $l$ of $G(z)$ by the discriminator after its step", indent=1),
    do(
        r"step the generator down the gradient of $-\log \sigma(l)$, through $G$, with the discriminator fixed",
        non_saturating_generator_loss,
        by=generator_part,
        indent=1,
    ),
)(two_rounds)
_given = {p: (0.75, 0.25), q: (0.25, 0.75)}


@derivation.example(
    r"Two points, $p = (0.75, 0.25)$ and $q = (0.25, 0.75)$; then three discriminators, and the generator's slopes."
)
def two_points():
    def at(*probabilities):
        logits = [math.log(one / (1 - one)) for one in probabilities]
        return exact_value(jnp.log(jnp.array([_given[p]])), jnp.log(jnp.array([_given[q]])), jnp.array([logits]))[0]

    yield best, value(best, _given), "(0.75, 0.25)"
    yield jsd, value(jsd, _given), "0.1308"
    yield best_value, value(best_value, _given), "-1.1247"
    yield r"V \text{ at } d = (0.75, 0.25)", at(0.75, 0.25), "-1.1247"
    yield r"V \text{ at } d = (0.6, 0.4)", at(0.6, 0.4), "-1.2244"
    yield r"V \text{ at } d = (0.5, 0.5)", at(0.5, 0.5), "-1.3863"
    slopes = [value(Total(k, change * part), _given | {free: (Rational(4, 3), 0)}) for part in (log(best_fake), -log(best))]
    yield r"\text{slopes of both losses as probability moves to the first point}", slopes, "(-1.0986, -1.0986)"


derivation.figure(
    "A normal generator (blue) chases normal data (orange), by gradient steps on each of its losses; the discriminator is the "
    "optimal one at every step (dashed, its probability of data). At the start it tells samples from data with near certainty. "
    "Left: the game's own loss is flat there, and the generator hardly moves. Right: the non-saturating loss takes it to the "
    "data, until the discriminator can only guess.",
    panels=2,
    frames=["start", *(f"step {moment}" for moment in MOMENTS[1:])],
)(chase_by_both_losses)


derivation.figure(
    r"Left: the value of one point with $p = 0.75$ and $q = 0.25$, as a function of the discriminator's output; its maximum "
    r"is at $p/(p + q)$. Right: the two generator losses against the logit of a fake. Where the discriminator is sure of it, "
    r"on the left, the game's own loss is flat.",
    panels=2,
)(one_point_and_two_losses)
