"""Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's inverse.

The lecture on the functions of theory_jax/adversarial/bigan.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, exp, log

from theory_jax.adversarial.bigan import (
    bigan_discriminator_loss,
    bigan_generator_encoder_loss,
    conditional_entropy,
    joint_exact_value,
    optimal_joint_logit,
)
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's inverse",
    lectures=(10,),
    sources=(
        "Donahue, Kraehenbuehl & Darrell 2017, Adversarial Feature Learning",
        "Dumoulin et al. 2017, Adversarially Learned Inference",
        "Li et al. 2017, ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching",
    ),
    question="A GAN's generator has no inverse: given an example, nothing says which latent would have made it. BiGAN trains "
    "an encoder next to the generator, with no loss that compares an example with its reconstruction. Why should the encoder "
    "become the inverse, and when does it not?",
    setting=(
        "Examples $x$ and latents $z$ live on finitely many points. The data are distributed as $p(x)$ and the latents as the "
        "prior. Encoder and generator are stochastic, $q(z|x)$ and $g(x|z)$; deterministic maps are the limit in which each "
        "puts all probability on one point.",
        "There are two distributions of pairs: $P$, of an example from the data with its code, and $Q$, of a latent from the "
        r"prior with the example that is made from it. The discriminator gives a pair the logit $\ell(x, z)$ of being the "
        "encoder's.",
        r"By the lecture on GANs, on pairs: the best logit is $\log P - \log Q$, and the value of the game is then $2\, "
        r"\mathrm{JSD}(P, Q) - \log 4$.",
    ),
    limits=(
        "Continuous spaces with deterministic maps: both distributions of pairs live on thin sets and have no densities there. "
        "The argument by events carries over, the best logit does not.",
        "Training: at a distance from the optimum a small total variation is not what the losses measure.",
    ),
)

x, z = derivation.index("x", "an example"), derivation.index("z", "a latent")
p = derivation.law("p", x, "the distribution of the data", "exp(log_density_x)")
encoder = derivation.law("q({}|{})", (z, x), "the encoder", "exp(log_encoder)")
prior = derivation.law("r", z, "the prior of the latents", "exp(log_prior)")
generator = derivation.law("g({}|{})", (x, z), "the generator", "exp(log_generator)")
P = derivation.define("P({},{})", p * encoder, "the encoder's pairs", "exp(log_joint_encoder)", over=(x, z), positive=True)
Q = derivation.define(
    "Q({},{})", prior * generator, "the generator's pairs", "exp(log_joint_generator)", over=(x, z), positive=True
)
logit = derivation.define(r"\ell^*({},{})", log(P / Q), "the best logit", "optimal_joint_logit", over=(x, z))
best = derivation.define(
    "V^*",
    Total(x, Total(z, plus(P * log(P / (P + Q)), Q * log(Q / (P + Q))))),
    "the value of the game at the best discriminator",
    "joint_exact_value",
)


def _of_every_pair(p, q, r, g):
    """The best logit, of distributions p [X] and r [Z], and tables q and g [X, Z]."""
    tables = np.broadcast_arrays(p[:, None], q, r, g)
    return optimal_joint_logit(*(jnp.log(table).ravel() for table in tables)).reshape(tables[0].shape)


derivation.bridge(
    "The code computes the best logit of every pair",
    logit,
    _of_every_pair,
    p=p,
    q=encoder,
    r=prior,
    g=generator,
    calls=(optimal_joint_logit,),
    wrong={
        "the pairs exchanged": log(Q / P),
        "the examples alone": log(p / generator),
        "the prior forgotten": log(P / generator),
    },
    states=2,
)
derivation.bridge(
    "... and the value of the game with it",
    best,
    joint_exact_value,
    log_joint_encoder=log(P),
    log_joint_generator=log(Q),
    logits=log(P) - log(Q),
    wrong={"the sign": -best},
    states=2,
)


derivation.say("First, what matching pairs implies for the examples and for the latents by themselves.")
M_x = derivation.law("m", x, "half data, half generated examples")
M_zx = derivation.law("m({}|{})", (z, x), "the latents of an example, in pairs of both kinds")
derivation.chain(
    "Pairs are at least as far apart as their parts",
    Expectation(p, Expectation(encoder, log(p * encoder / (M_x * M_zx)))),
    equals(
        plus(Expectation(p, log(p / M_x)), Expectation(p, Expectation(encoder, log(encoder / M_zx)))),
        "the logarithm of a product; the first part does not depend on $z$",
        wrong={
            "the first part twice": plus(
                2 * Expectation(p, log(p / M_x)), Expectation(p, Expectation(encoder, log(encoder / M_zx)))
            )
        },
    ),
    equals(plus(Divergence(p, M_x), Expectation(p, Divergence(encoder, M_zx))), "the definition of the divergence, twice"),
    at_least(
        Divergence(p, M_x),
        "leave out the divergences of the latents (Gibbs)",
        dropping=Expectation(p, gibbs.at(encoder, M_zx)),
        wrong={"their double": plus(Divergence(p, M_x), Expectation(p, Divergence(encoder, M_zx)))},
    ),
    states=2,
    so="With $m$ half of $P$ and half of $Q$, and the same lines for $Q$, the Jensen-Shannon divergence of the pairs is at least "
    "that of the examples; by symmetry also that of the latents. So an optimum of the game on pairs is an optimal GAN with an "
    "encoder whose codes are distributed as the prior.",
)
derivation.chain(
    "The distribution of the pairs knows the encoder",
    P / Total(z, P),
    equals(encoder, prose("{data}", data=holds(Total(z, P), "=", p)), wrong={"the pairs themselves": P, "the data": p}),
    states=2,
    role="lemma",
    so=prose(
        "If the pairs match, {prior} and {generator}, the same division of $Q$ gives {bayes}, with {data}: Bayes' rule. The "
        "encoder is the posterior of the generator's model, learned without computing the sum.",
        prior=where(prior, Total(x, P)),
        generator=where(generator, P / Total(x, P)),
        bayes=holds(encoder, "=", Q / Total(z, Q), wrong={"by the prior": Q / prior}),
        data=holds(p, "=", Total(z, Q)),
    ),
)
posterior = derivation.define("b({}|{})", Q / Total(z, Q), "the generator's posterior", over=(z, x), law=True)
evidence = derivation.define("f", Total(z, Q), "the generator's examples", over=x, law=True)
derivation.chain(
    "The distance of the pairs is the distance of the examples and of the encoder from the posterior",
    Expectation(p, Expectation(encoder, logit)),
    equals(
        Expectation(p, Expectation(encoder, plus(log(p / evidence), log(encoder / posterior)))),
        prose("{parts}", parts=holds(Q, "=", times(evidence, posterior))),
    ),
    equals(plus(Divergence(p, evidence), Expectation(p, Divergence(encoder, posterior))), "the definition, twice"),
    at_least(
        0,
        prose(
            "leave out divergences; equality if and only if the generator makes the data, {data}, and the encoder is its "
            "posterior, {posterior}",
            data=where(p, evidence),
            posterior=where(encoder, posterior),
        ),
        dropping=plus(gibbs.at(p, evidence), Expectation(p, gibbs.at(encoder, posterior))),
    ),
    states=2,
    so=r"The left side is $\mathrm{KL}(P \,\|\, Q)$: as the variational autoencoder's bound, which has this $q$ in it, but "
    "learned from samples, and without a density of the generator.",
)

derivation.say(
    "Now deterministic maps. $P$ lives on the graph of $E$, $Q$ on that of $G$. Let $A$ be the event that the latent of a pair "
    "gives its example: under $Q$ it is certain, and under $P$ it means that the example is reconstructed, $G(E(x))$ is $x$."
)
derivation.symbol("E", "an encoder without noise")
derivation.symbol("G", "a generator without noise")
derivation.symbol("A", "the event that $G(z)$ is $x$")
i = derivation.index("i", "a pair in $A$")
j = derivation.index("j", "a pair outside of $A$", states=2)
h = derivation.number("h", "$P(A)$, the share of the data that is reconstructed", between=(0, 1))
made = derivation.law("Q", i, "the generator's pairs, all of which are in $A$")
inside = derivation.law("a", i, "the encoder's pairs, if they are in $A$")
outside = derivation.law("c", j, "... and if they are not")
tv = derivation.define(
    r"\mathrm{TV}",
    plus(Total(i, Abs(h * inside - made)), Total(j, times(1 - h, outside))) / 2,
    "the total variation of $P$ and $Q$",
)
inverse = derivation.chain(
    "Pairs that are nearly alike reconstruct nearly all of the data",
    plus(h, tv, -1),
    equals(
        Total(i, plus(Abs(h * inside - made), -plus(made, -times(h, inside)))) / 2,
        prose(
            "outside of $A$ there is the share {missed}, and inside the generator has as much more than the encoder, {more}",
            missed=1 - h,
            more=holds(Total(i, made - h * inside), "=", 1 - h),
        ),
        wrong={"half the distance": plus(h, tv / 2, -1)},
    ),
    equals(Total(i, Max(h * inside - made, 0)), "a number and its absolute value cancel or add up to twice the number"),
    at_least(
        0,
        "leave out what the encoder has more inside of $A$, which is never negative",
        dropping=Total(i, Max(h * inside - made, 0)),
    ),
    central=True,
    so=prose(
        "At least the share {share} of the data is reconstructed. If the pairs match, the distance is 0 and everything is. With "
        "the event that $E(x)$ is $z$, which is certain under $P$, the same lines say that every latent is found again: $E$ is "
        "the inverse of $G$, wherever data and prior are positive.",
        share=1 - tv,
    ),
)
derivation.answer = prose(
    "If the pairs match, so do the examples and the latents, and the encoder is the exact posterior of the generator's model. "
    "For deterministic maps the share $h$ of the data that is reconstructed exactly is at least what the total variation of "
    "the pairs leaves, {bound}: if the pairs match, the encoder is the inverse, $G^{-1}$. For stochastic ones a match does not "
    "imply that an example can be reconstructed: independent pairs match, too, {match}. A reconstruction term bounds what is "
    "left open, $H(x|z)$.",
    bound=holds(h, ">=", 1 - tv, wrong={"half the distance": 1 - tv / 2}),
    match=holds(P, "=", Q, when={encoder: prior, generator: p}),
)


@derivation.exact(
    r"\Pr\left(G(E(x)) = x\right) \ge 1 - \tfrac12 \sum \left|P - Q\right|",
    because="On three examples and three latents, both uniform, with all 27 encoders and 27 generators: how often the inequality "
    "fails, and how often the pairs match without inverse maps. Neither happens, and 6 pairs of maps match, one for each "
    "permutation.",
    outcomes=729,
    scale=1.0,
    role="remark",
)
def encoders_that_match_are_inverses():
    fails, match, unequal, loose = 0, 0, 0, 0
    for encode, decode in itertools.product(itertools.product(range(3), repeat=3), repeat=2):
        pairs = np.zeros((2, 3, 3))
        for state in range(3):
            pairs[0, state, encode[state]] += 1 / 3
            pairs[1, decode[state], state] += 1 / 3
        variation = np.abs(pairs[0] - pairs[1]).sum() / 2
        right = np.mean([decode[encode[state]] == state for state in range(3)])
        fails += right < 1 - variation - 1e-12
        loose += right < 1 - variation / 2 - 1e-12
        if variation < 1e-12:
            match += 1
            unequal += right < 1
    found = jnp.array([fails, match, unequal], float)
    return Sides(
        left=found, right=jnp.array([0.0, 6.0, 0.0]), wrong={"half the total variation": jnp.array([float(loose), 6.0, 0.0])}
    )


derivation.say("With stochastic encoders the optimum does not determine how much information about the example the latent keeps.")
pair_z = derivation.law("w", z, "the latents of the encoder's pairs")
back = derivation.law("v({}|{})", (x, z), "the examples that belong to a latent, among the encoder's pairs")
reconstruction = derivation.law("u({}|{})", (x, z), "any model that reconstructs an example from its latent")
derivation.chain(
    "A reconstruction loss bounds what the latent leaves open",
    Expectation(pair_z, Expectation(back, -log(reconstruction))),
    equals(Expectation(pair_z, plus(Entropy(back), Divergence(back, reconstruction))), r"add and subtract $\log v(x|z)$"),
    at_least(
        Expectation(pair_z, Entropy(back)),
        prose(
            "leave out the divergences (Gibbs); equality if and only if {same} for every pair", same=where(reconstruction, back)
        ),
        dropping=Expectation(pair_z, gibbs.at(back, reconstruction)),
    ),
    states=2,
    so=prose(
        "The last line is $H(x|z)$. With independent pairs the game is perfectly won and the code tells nothing, {nothing}. "
        "Adding the left side to the loss, with the generator as the model, pushes that entropy down (ALICE's cycle term); "
        "with maps without noise the game alone already makes it 0.",
        nothing=holds(Expectation(pair_z, Entropy(back)), "=", Entropy(p), when={back: p}),
    ),
)
derivation.bridge(
    "The code computes the entropy that is left, of a table of pairs",
    Expectation(pair_z, Entropy(back)),
    conditional_entropy,
    log_joint=log(back * pair_z),
    wrong={"every latent alike": Total(z, Entropy(back)), "the entropy of the latents": Entropy(pair_z)},
    states=3,
)
s, t = (
    derivation.number("s", "the logit of an encoder's pair", "logits_encoder"),
    derivation.number("t", "the logit of a generator's pair", "logits_generator"),
)
loss = plus(log(1 + exp(-s)), log(1 + exp(t)))
exchanged = plus(log(1 + exp(s)), log(1 + exp(-t)))
opponents = derivation.chain(
    "The loss of encoder and generator is the discriminator's with exchanged labels",
    plus(exchanged, -loss),
    equals(
        s - t,
        prose("{one}, and the same for $t$", one=holds(plus(log(1 + exp(s)), -log(1 + exp(-s))), "=", s)),
        wrong={"the sign": t - s},
    ),
    role="remark",
    so=r"At the best discriminator the mean of the difference is $\mathrm{KL}(P \,\|\, Q) + \mathrm{KL}(Q \,\|\, P)$. Both "
    "opponents want the same: an encoder's pair that looks generated, and a generated pair that looks encoded. The encoder is no "
    "helper of the discriminator.",
)
derivation.bridge(
    "The code computes both losses",
    loss,
    bigan_discriminator_loss,
    logits_encoder=[s],
    logits_generator=[t],
    wrong={"the labels exchanged": exchanged, "the sign": -loss},
)
derivation.bridge(
    "... this is that of encoder and generator",
    exchanged,
    bigan_generator_encoder_loss,
    logits_encoder=[s],
    logits_generator=[t],
    wrong={"the discriminator's": loss},
)

_P, _Q = np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([[0.3, 0.2], [0.2, 0.3]])


@derivation.algorithm(
    "Training a bidirectional GAN",
    do("repeat: draw $x$ from the data and its code $z$ from $q(z|x)$; draw $z'$ from $r$ and $x'$ from $g(x|z')$"),
    do(r"$s \leftarrow \ell(x, z)$ and $t \leftarrow \ell(x', z')$", indent=1),
    do(r"step the discriminator down $\log(1 + e^{-s}) + \log(1 + e^t)$", bigan_discriminator_loss, indent=1),
    do(
        r"step encoder and generator down $\log(1 + e^s) + \log(1 + e^{-t})$",
        bigan_generator_encoder_loss,
        by=opponents,
        indent=1,
    ),
)
def two_steps_of_the_discriminator():
    """A logit for each pair of the example, with exact expectations."""

    def mean(loss, logits):
        none = jnp.zeros(4)
        return _P.ravel() @ loss(logits, none) + _Q.ravel() @ loss(none, logits) - 2 * math.log(2)

    logits = jnp.zeros(4)
    for step, stated in ((1, "(0.2, -0.2)"), (2, "(0.2605, -0.3402)")):
        logits = logits - 4 * jax.grad(lambda logits: mean(bigan_discriminator_loss, logits))(logits)
        yield rf"\ell \text{{ where both agree, and else, after step }} {step} \text{{ of length }} 4", logits[:2], stated
    yield r"\text{loss of the discriminator}", mean(bigan_discriminator_loss, logits), "1.3467"
    yield r"\text{... of encoder and generator}", mean(bigan_generator_encoder_loss, logits), "1.4668"


@derivation.example(
    "Two examples and two latents, $P$ with 0.4 where both agree and 0.1 else, $Q$ with 0.3 and 0.2. All four parts are fair "
    "coins, so that a discriminator of examples alone, or of latents alone, can do nothing but toss one. The last bound has the "
    "generator as the model."
)
def two_coins():
    log_p, log_q = jnp.log(_P), jnp.log(_Q)
    best_logit = log_p - log_q
    yield r"\ell^* \text{ where both agree, and else}", best_logit[0], "0.2877, -0.6931"
    divergence = jensen_shannon_divergence(log_p.reshape(1, 4), log_q.reshape(1, 4))[0]
    yield r"\mathrm{JSD}(P, Q)", divergence, "0.024157"
    yield "V^*", joint_exact_value(log_p, log_q, best_logit), "-1.337980"
    yield r"2\, \mathrm{JSD} - \log 4", 2 * divergence - math.log(4), "-1.337980"
    yield "H(x|z)", conditional_entropy(log_p), "0.500402"
    yield r"-\mathbb{E}_P \log g(x|z)", -np.sum(_P * np.log(2 * _Q)), "0.591919"
    flat, none = best_logit.ravel(), jnp.zeros(4)
    means = [
        _P.ravel() @ loss(flat, none) + _Q.ravel() @ loss(none, flat)
        for loss in (bigan_generator_encoder_loss, bigan_discriminator_loss)
    ]
    yield r"\text{difference of the two losses}", means[0] - means[1], "0.196166"


@derivation.figure(
    "The example's pairs: the encoder's, the generator's, and the best logit. Rows and columns of the first two have the same "
    "sums, so only a discriminator of pairs tells them apart.",
    panels=3,
)
def pairs_and_logit(encoders, generators, logits):
    for axes, table, title in ((encoders, _P, "$P$"), (generators, _Q, "$Q$"), (logits, np.log(_P / _Q), r"$\ell^*$")):
        axes.imshow(table, cmap="RdBu_r", vmin=-1.4, vmax=1.4)
        for (row, column), number in np.ndenumerate(table):
            axes.text(column, row, f"{number:.2f}", ha="center", va="center")
        axes.set(xlabel="$z$", ylabel="$x$", title=title, xticks=(0, 1), yticks=(0, 1))
