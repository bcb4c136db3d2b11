"""Contracts of adversarial games on pairs of example and latent (lecture 10)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Recipe, Rejects, given, log_of, normal, zeros

SOME = normal(7)
FAR_ENCODER, FAR_GENERATOR = [0.0, 25.0, -40.0, 80.0, -400.0], [3.0, -25.0, 40.0, -80.0, 4000.0]
UNCOMPARED = "slopes of e^-40 are not compared digit by digit, but next to 1, in a law below"


def joint(*shape, scale=1.0):
    """A table of log-probabilities that sums to one as a whole."""

    def draw(rng):
        logits = scale * rng.standard_normal(shape)
        return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())

    return Recipe(draw)


P, Q = log_of([[0.4, 0.1], [0.1, 0.4]]), log_of([[0.3, 0.2], [0.2, 0.3]])
SKEW = log_of([[0.5, 0.25], [0.0, 0.25]])
HOLES, OTHER_HOLES = log_of([[0.5, 0.25, 0.0], [0.0, 0.25, 0.0]]), log_of([[0.25, 0.25, 0.25], [0.0, 0.0, 0.25]])
INVERSE = log_of([[0.0, 0.2, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.3]])
NEARLY = log_of([[1e-5, 0.5 - 1e-5], [0.5 - 1e-4, 1e-4]])
PAIRS = dict(log_density_x=normal(5), log_encoder=normal(5), log_prior=normal(5), log_generator=normal(5))
MPMATH = "40 digits (mpmath), from the definition"


def entropy(log_probs):
    return -(np.exp(log_probs) * log_probs).sum()


def divergence(p, q):
    return (np.exp(p) * (p - q)).sum()


SPEC = (
    # The losses.
    Agree("bigan_discriminator_loss", "regular", given(logits_encoder=SOME, logits_generator=SOME)),
    Agree("bigan_discriminator_loss", "far out", given(logits_encoder=FAR_ENCODER, logits_generator=FAR_GENERATOR),
          no_gradient=UNCOMPARED),
    Anchor("bigan_discriminator_loss", "by hand", given(logits_encoder=[0.0, -LOG_2, -7 * LOG_2],
              logits_generator=[LOG_2, 0.0, 0.0]),
           gives=[LOG_2 + LOG_3, LOG_3 + LOG_2, np.log(129) + LOG_2],
             source="s(0) = log 2, s(log 2) = log 3, s(log 128) = log 129",
           near_misses={"labels exchanged": [LOG_3, LOG_3, np.log(129 / 128) + LOG_2], "half": [
               (LOG_2 + LOG_3) / 2, (LOG_2 + LOG_3) / 2, (np.log(129) + LOG_2) / 2],
               "the encoder's pairs alone": [LOG_2, LOG_3, np.log(129)]}),
    Law.equal("slopes far out", given(logits=np.array(FAR_ENCODER)),
              left=lambda f, logits: [2 + f.gradient("bigan_discriminator_loss", logits, logits, wrt=wrt) for wrt in (0, 1)],
              right=lambda f, logits: [2 - (1 - np.tanh(logits / 2)) / 2, 2 + (1 + np.tanh(logits / 2)) / 2]),
    Rejects("bigan_discriminator_loss", "fewer generated pairs", given(logits_encoder=zeros(3), logits_generator=zeros(2)),
            blames="logits_generator"),
    Rejects("bigan_discriminator_loss", "two axes", given(logits_encoder=zeros(3, 2), logits_generator=zeros(3, 2)),
            blames="logits_encoder"),
    Agree("bigan_generator_encoder_loss", "regular", given(logits_encoder=SOME, logits_generator=SOME)),
    Agree("bigan_generator_encoder_loss", "far out", given(logits_encoder=FAR_GENERATOR, logits_generator=FAR_ENCODER),
          no_gradient=UNCOMPARED),
    Anchor("bigan_generator_encoder_loss", "by hand", given(
        logits_encoder=[0.0, LOG_2, 7 * LOG_2], logits_generator=[-LOG_2, 0.0, 0.0]),
        gives=[LOG_2 + LOG_3, LOG_3 + LOG_2, np.log(129) + LOG_2], source="s(0) = log 2, s(log 2) = log 3, s(log 128) = log 129",
        near_misses={"the discriminator's loss": [LOG_3, LOG_3, np.log(129 / 128) + LOG_2],
          "the generator alone": [LOG_3, LOG_2, LOG_2],
                     "saturating": [-LOG_3, -LOG_3, -np.log(129 / 128) - LOG_2]}),
    Law.equal("the discriminator's loss with exchanged labels", given(encoder=SOME, generator=SOME),
              left=lambda f, e, g: f.bigan_generator_encoder_loss(e, g), right=lambda f, e, g: f.bigan_discriminator_loss(g, e)),
    Law.equal("their difference is that of the logits", given(encoder=SOME, generator=SOME),
              left=lambda f, e, g: f.bigan_generator_encoder_loss(e, g) - f.bigan_discriminator_loss(e, g),
              right=lambda f, e, g: e - g),
    Rejects("bigan_generator_encoder_loss", "fewer generated pairs", given(logits_encoder=zeros(3), logits_generator=zeros(2)),
            blames="logits_generator"),
    # The best logit.
    Agree("optimal_joint_logit", "regular", given(**PAIRS)),
    Agree("optimal_joint_logit", "densities of e^-4000", given(
        log_density_x=normal(5, mean=-4000), log_encoder=normal(5), log_prior=normal(5, mean=-4000), log_generator=normal(5))),
    Anchor("optimal_joint_logit", "also where one law of pairs is zero", given(
        log_density_x=[-1.0, -np.inf, -2.0, -np.inf], log_encoder=[-3.0, -1.0, -2.0, -1.0], log_prior=[-0.5, -1.0, -1.0, -2.0],
        log_generator=[-1.0, -1.0, -np.inf, -np.inf]), gives=[-2.5, -np.inf, np.inf, 0.0], source="by hand",
        near_misses={"the pairs exchanged": [2.5, np.inf, -np.inf, 0.0], "the prior forgotten": [-3.0, -np.inf, np.inf, 0.0],
                     "NaN where both are zero": [-2.5, -np.inf, np.inf, np.nan],
                       "the examples alone": [0.0, -np.inf, np.inf, 0.0]}),
    Law.equal("Bayes' rule: no opinion if the encoder is the posterior", given(prior=joint(3, 1), generator=joint(1, 4)),
              left=lambda f, prior, generator: 1 + f.optimal_joint_logit(
                  *(np.broadcast_to(part, (3, 4)).ravel() for part in (generator, prior, prior, generator))), right=1.0),
    Rejects("optimal_joint_logit", "a prior too few", given(**PAIRS | {"log_prior": zeros(4)}), blames="log_prior"),
    Rejects("optimal_joint_logit", "two axes", given(**dict.fromkeys(PAIRS, zeros(3, 2))), blames="log_density_x"),
    # The exact game.
    Agree("joint_exact_value", "regular", given(log_joint_encoder=joint(4, 3), log_joint_generator=joint(4, 3),
              logits=normal(4, 3))),
    Agree("joint_exact_value", "pairs of probability 0", given(log_joint_encoder=HOLES, log_joint_generator=OTHER_HOLES,
                                                             logits=[[0.5, 40.0, -400.0], [80.0, -2.0, 3.0]])),
    Anchor("joint_exact_value", "the best discriminator of two coins", given(
        log_joint_encoder=P, log_joint_generator=Q, logits=np.log([[4 / 3, 0.5], [0.5, 4 / 3]])), gives=-1.3379798475575480,
          source=MPMATH,
        near_misses={"the examples alone": -2 * LOG_2, "the pairs exchanged": -1.534146, "the mean": -0.3344949618893870}),
    Law.equal("at the best logit it is symmetric", given(p=joint(4, 3), q=joint(4, 3)),
              left=lambda f, p, q: f.joint_exact_value(p, q, p - q), right=lambda f, p, q: f.joint_exact_value(q, p, q - p)),
    Law.at_least("examples alone are no further apart than pairs", given(p=joint(4, 3), q=joint(4, 3)),
                 left=lambda f, p, q: f.joint_exact_value(p, q, p - q),
                 right=lambda f, p, q: f.joint_exact_value(p, q, np.broadcast_to(
                     np.log(np.exp(p).sum(1, keepdims=True) / np.exp(q).sum(1, keepdims=True)), (4, 3)))),
    Law.equal("the two losses differ by both divergences at the best logit", given(p=joint(4, 3), q=joint(4, 3)),
              left=lambda f, p, q: f.joint_exact_value(p, q, p - q) - f.joint_exact_value(q, p, p - q),
              right=lambda f, p, q: divergence(p, q) + divergence(q, p)),
    Rejects("joint_exact_value", "rows that sum to one", given(
        log_joint_encoder=log_of([[0.5, 0.5], [0.25, 0.75]]), log_joint_generator=Q, logits=zeros(2, 2)),
          blames="log_joint_encoder"),
    Rejects("joint_exact_value", "a generator off the simplex", given(log_joint_encoder=P, log_joint_generator=Q + 0.1,
                                                                    logits=zeros(2, 2)), blames="log_joint_generator"),
    Rejects("joint_exact_value", "logits of another shape", given(log_joint_encoder=P, log_joint_generator=Q, logits=zeros(2, 3)),
            blames="logits"),
    # What the latent leaves open.
    Agree("conditional_entropy", "regular", given(log_joint=joint(4, 3))),
    Agree("conditional_entropy", "pairs and latents of probability 0", given(log_joint=HOLES)),
    Agree("conditional_entropy", "nearly an inverse", given(log_joint=NEARLY)),
    Anchor("conditional_entropy", "a latent that belongs to two examples", given(log_joint=SKEW), gives=LOG_2 / 2,
              source="by hand",
           near_misses={"H(z|x)": 0.4773856262211097, "the joint entropy": 1.0397207708399179, "bits": 0.5, "not weighted": LOG_2,
                        "0 log 0": np.nan}),
    Anchor("conditional_entropy", "a bijection", given(log_joint=INVERSE), gives=0.0, source="each latent belongs to one example",
           near_misses={"the entropy of the pairs": 1.0296530140645737}),
    Law.equal("the chain rule of entropy", given(p=joint(4, 3)),
              left=lambda f, p: f.conditional_entropy(p),
              right=lambda f, p: entropy(p) - entropy(np.log(np.exp(p).sum(0)))),
    Law.equal("independent pairs: all of it", given(p=joint(4, 1), q=joint(1, 3)),
              left=lambda f, p, q: f.conditional_entropy(p + q), right=lambda f, p, q: entropy(p)),
    Law.at_least("no model reconstructs better", given(p=joint(4, 3), model=normal(4, 3)),
                 left=lambda f, p, model: -(np.exp(p) * (model - np.log(np.exp(model).sum(0)))).sum(),
                 right=lambda f, p, model: f.conditional_entropy(p)),
    Rejects("conditional_entropy", "columns that sum to one", given(log_joint=log_of([[0.5, 0.5], [0.5, 0.5]])),
              blames="log_joint"),
    Rejects("conditional_entropy", "one axis", given(log_joint=log_of([0.5, 0.5])), blames="log_joint"),
)  # fmt: skip
