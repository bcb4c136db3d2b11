"""Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's posterior.

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
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's posterior",
    lectures=(10,),
    sources=(
        "Donahue, Kraehenbuehl & Darrell 2017, Adversarial Feature Learning",
        "Dumoulin et al. 2017, Adversarially Learned Inference",
        "Li et al. 2017, ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching",
    ),
    question="A GAN trains no inverse of its generator: given an example, nothing says which latent would have made it, and a "
    "search for it is slow and may fail. BiGAN trains an encoder next to the generator, with no loss that ever compares an "
    "example with its reconstruction. Why should the encoder become the inverse, and when does it not?",
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
        "The bound carries over, with events in place of probabilities; the best logit does not.",
        "Training: the losses measure the Jensen-Shannon divergence, and only with a discriminator near its best; the total "
        "variation is at most the root of twice that divergence.",
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

derivation.say(
    "The game pushes the pairs towards each other. First, what that means for the encoder: when are the pairs the same?"
)
evidence = derivation.define("Q({})", Total(z, Q), "the generator's examples", over=x, law=True)
posterior = derivation.define("Q({}|{})", Q / Total(z, Q), "the generator's posterior", over=(z, x), law=True)
parts = derivation.chain(
    "Pairs match if and only if the generator makes the data and the encoder is its posterior",
    Expectation(p, Expectation(encoder, logit)),
    equals(
        Expectation(p, Expectation(encoder, plus(log(p / evidence), log(encoder / posterior)))),
        prose("{parts}", parts=holds(Q, "=", times(evidence, posterior))),
        wrong={"by the prior": Expectation(p, Expectation(encoder, plus(log(p / evidence), log(encoder / prior))))},
    ),
    equals(plus(Divergence(p, evidence), Expectation(p, Divergence(encoder, posterior))), "the definition, twice"),
    at_least(
        0,
        prose(
            "leave out divergences; equality if and only if {data} and {posterior}",
            data=where(p, evidence),
            posterior=where(encoder, posterior),
        ),
        dropping=plus(gibbs.at(p, evidence), Expectation(p, gibbs.at(encoder, posterior))),
    ),
    states=2,
    so=r"The left side is $\mathrm{KL}(P \,\|\, Q)$. So a match is a solved GAN with an encoder that inverts it by Bayes' rule, "
    "learned from samples and without computing the sum. The variational autoencoder's bound has the same second term, but needs "
    "a density of the generator.",
)

spread = derivation.define(r"\mathrm{TV}", Total(x, Total(z, Abs(P - Q))) / 2, "the total variation of $P$ and $Q$")
more, less = Max(Q - P, 0), Max(P - Q, 0)
comes_back = Expectation(p, Expectation(encoder, generator))
repeats = Expectation(prior, Expectation(generator, generator))
derivation.say(
    "But a posterior need not be an inverse. Encode an example and decode the code: with which probability does the same example "
    "come back? And if an example is generated, with which probability does its latent give it again?"
)
inverse = derivation.chain(
    "Pairs that are nearly alike reconstruct nearly as well as the generator repeats itself",
    plus(repeats, -comes_back),
    equals(
        Total(x, Total(z, times(generator, Q - P))),
        prose("{made} and {encoded}", made=holds(Q, "=", times(prior, generator)), encoded=holds(P, "=", times(p, encoder))),
    ),
    equals(
        plus(Total(x, Total(z, more)), -Total(x, Total(z, plus(times(1 - generator, more), times(generator, less))))),
        "a number is what it is above zero less what it is below",
        wrong={"nothing below zero": plus(Total(x, Total(z, more)), -Total(x, Total(z, times(1 - generator, more))))},
    ),
    at_most(
        Total(x, Total(z, more)),
        "leave out what is never negative: a probability is between 0 and 1",
        adding=Total(x, Total(z, plus(times(1 - generator, more), times(generator, less)))),
    ),
    equals(
        spread,
        "both distributions sum to one, so one is above the other by as much as it is below it",
        wrong={"twice the distance": 2 * spread},
    ),
    states=2,
    central=True,
    so=prose(
        r"A generator without noise always repeats itself: the first term is 1. So at least the share $1 - \mathrm{TV}$ of the "
        "data is reconstructed, and all of it if the pairs match. The same lines hold with encoder and generator exchanged, from "
        "{exchanged} on: if the pairs match, an encoder without noise finds every latent again. If neither has noise, each is "
        "the inverse of the other, since data and prior are positive everywhere.",
        exchanged=holds(
            plus(Expectation(p, Expectation(encoder, encoder)), -Expectation(prior, Expectation(generator, encoder))),
            "=",
            Total(x, Total(z, times(encoder, P - Q))),
        ),
    ),
)
derivation.answer = prose(
    "The pairs match if and only if the generator makes the data and the encoder is its posterior. An encoded example comes back "
    "with the probability {back}, and that is at least {itself}, the probability with which the generator repeats itself, less "
    "the total variation of the pairs. A generator without noise always repeats itself: if the pairs match, every example comes "
    "back, and if the encoder has no noise either, it is the inverse. A noisy generator may not repeat itself, and a match then "
    "implies no more than its probability to do so, which can be that of a guess: if the encoder draws from the prior whatever "
    "the example is, and the generator from the data whatever the latent is, the pairs match, too, {match}. A reconstruction "
    "term bounds what is left open, $H(x|z)$.",
    back=comes_back,
    itself=repeats,
    match=holds(P, "=", Q, when={encoder: prior, generator: p}),
)


def _all_maps(chances=(1 / 3, 1 / 3, 1 / 3)):
    """(total variation, share that is reconstructed) of all pairs of maps on three examples and latents with these chances."""
    rows = []
    for encode, decode in itertools.product(itertools.product(range(3), repeat=3), repeat=2):
        pairs = np.zeros((2, 3, 3))
        for state, chance in enumerate(chances):
            pairs[0, state, encode[state]] += chance
            pairs[1, decode[state], state] += chance
        back = sum(chance for state, chance in enumerate(chances) if decode[encode[state]] == state)
        rows.append((np.abs(pairs[0] - pairs[1]).sum() / 2, back))
    return np.array(rows).round(12)


derivation.symbol("E", "an encoder without noise")
derivation.symbol("G", "a generator without noise")


@derivation.exact(
    r"\Pr\left(G(E(x)) = x\right) \ge 1 - \tfrac12 \sum \left|P - Q\right|",
    because="Maps without noise, an encoder $E$ and a generator $G$, on three examples and three latents, both uniform: all 27 "
    "encoders with all 27 generators. How often the inequality fails, and how often the pairs match without inverse maps: "
    "neither happens, and 6 pairs of maps match, one for each permutation.",
    outcomes=729,
    scale=1.0,
    role="remark",
)
def encoders_that_match_are_inverses():
    variation, right = _all_maps().T
    found = jnp.array(
        [np.sum(right < 1 - variation - 1e-9), np.sum(variation < 1e-9), np.sum((variation < 1e-9) & (right < 1 - 1e-9))]
    )
    loose = np.sum(right < 1 - variation / 2 - 1e-12)
    return Sides(left=found, right=jnp.array([0.0, 6.0, 0.0]), wrong={"half the total variation": jnp.array([loose, 6.0, 0.0])})


derivation.say(
    "With noise, the optimum does not determine how much about the example the latent keeps. What does? Read the encoder's pairs "
    "from the latent: $P(x,z)$ is $P(z) P(x|z)$."
)
pair_z = derivation.law("P({})", z, "the latents of the encoder's pairs")
back = derivation.law("P({}|{})", (x, z), "the examples that belong to a latent, among the encoder's pairs")
reconstruction = derivation.law("u({}|{})", (x, z), "any model that reconstructs an example from its latent")
derivation.chain(
    "A reconstruction loss bounds what the latent leaves open",
    Expectation(pair_z, Expectation(back, -log(reconstruction))),
    equals(Expectation(pair_z, plus(Entropy(back), Divergence(back, reconstruction))), r"add and subtract $\log P(x|z)$"),
    at_least(
        Expectation(pair_z, Entropy(back)),
        prose(
            "leave out the divergences (Gibbs); equality if and only if {same} for every pair", same=where(reconstruction, back)
        ),
        dropping=Expectation(pair_z, gibbs.at(back, reconstruction)),
    ),
    states=2,
    so=prose(
        "The last line is $H(x|z)$. If encoder and generator ignore what they are given, and draw from the prior and from the "
        "data, the game is perfectly won and the code tells nothing, {nothing}. "
        "Adding the left side to the loss, with the generator as the model, pushes that entropy down (ALICE's cycle term). "
        "If the generator has no noise and the pairs match, it is 0 already.",
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
    repeats, back, apart = np.sum(2 * _Q * _Q), np.sum(2 * _Q * _P), np.abs(_P - _Q).sum() / 2
    yield r"\text{the generator repeats itself; an example comes back; TV}", [repeats, back, apart], "0.52, 0.56, 0.2"
    yield "H(x|z)", conditional_entropy(log_p), "0.500402"
    yield r"-\mathbb{E}_P \log g(x|z)", -np.sum(_P * np.log(2 * _Q)), "0.591919"
    flat, none = best_logit.ravel(), jnp.zeros(4)
    means = [
        _P.ravel() @ loss(flat, none) + _Q.ravel() @ loss(none, flat)
        for loss in (bigan_generator_encoder_loss, bigan_discriminator_loss)
    ]
    yield r"\text{difference of the two losses}", means[0] - means[1], "0.196166"


@derivation.figure(
    "Left: all 729 pairs of maps without noise on three examples and three latents, of which both have the probabilities 0.5, "
    "0.3 and 0.2; the size of a dot is how many they are. None is below the line: what is not reconstructed is at most the "
    "total variation. Right: the pairs match, and a noisy generator on two examples makes the other example with the "
    "probability on the axis. An encoded example comes back less and less, and the game does not see it.",
    panels=2,
)
def maps_and_noise(left, right):
    spots, counts = np.unique(_all_maps((0.5, 0.3, 0.2)), axis=0, return_counts=True)
    left.scatter(*spots.T, s=counts, color="C0")
    left.plot([0, 1], [1, 0], color="gray", linestyle="--", label=r"$1 - \mathrm{TV}$")
    left.set(xlabel="total variation of the pairs", ylabel="share that is reconstructed")
    left.legend()
    noise = np.linspace(0, 0.5, 26)
    tables = np.stack([1 - noise, noise, noise, 1 - noise], axis=1).reshape(-1, 2, 2) / 2
    right.plot(noise, np.sum(2 * tables**2, axis=(1, 2)), label="an example comes back")
    values = [joint_exact_value(table, table, jnp.zeros((2, 2))) for table in jnp.log(jnp.asarray(tables[1:]))]
    right.plot(noise[1:], np.array(values) + math.log(4), label=r"value of the game $+ \log 4$")
    right.set(xlabel="noise of the generator", ylabel="probability, nats")
    right.legend()
