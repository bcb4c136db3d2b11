"""What must hold of least-squares, hinge and relativistic losses."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, normal, scalar, zeros

SOME = normal(7, scale=2.0)
REAL, FAKE = [2.0, -1.0, 0.5], [-0.5, 3.0, 1.5]
PAIRS = dict(scores_real=SOME, scores_fake=SOME)
LABELS = dict(real_target=2.0, fake_target=-0.5)
FAR_REAL, FAR_FAKE = [0.0, 25.0, -40.0, 400.0, -4000.0, 80.0], [0.0, 40.0, 25.0, -400.0, 4000.0, 81.0]
# The real example of each pair scores lower, so that the loss is of size 1 or more.
LOST_REAL, LOST_FAKE = [0.0, 25.0, -40.0, -80.0, 400.0, -4000.0], [0.5, 25.0, 0.0, 80.0, 4000.0, 400.0]
MPMATH = "40 digits (mpmath), from the definition"


def _pairs():
    """Inputs rejected by every loss of two scores."""
    for function in ("least_squares_discriminator_loss", "hinge_discriminator_loss", "relativistic_discriminator_loss"):
        yield Rejects(function, "sizes differ", given(scores_real=zeros(3), scores_fake=zeros(2)), blames="scores_fake")
        yield Rejects(function, "two axes", given(scores_real=zeros(3, 2), scores_fake=zeros(3, 2)), blames="scores_real")
        yield Rejects(function, "no axis", given(scores_real=scalar(1.0), scores_fake=scalar(1.0)), blames="scores_real")
        yield Law.equal(
            f"{function}: no pair depends on the others",
            given(real=SOME, fake=SOME),
            left=lambda f, r, g, function=function: getattr(f, function)(r, g),
            right=lambda f, r, g, function=function: np.concatenate(
                [getattr(f, function)(r[n : n + 1], g[n : n + 1]) for n in range(7)]
            ),
        )


SPEC = (
    # Least squares.
    Agree("least_squares_discriminator_loss", "labels 0 and 1", given(**PAIRS)),
    Agree("least_squares_discriminator_loss", "labels -0.5 and 2", given(**PAIRS, **LABELS)),
    Agree("least_squares_discriminator_loss", "far out", given(scores_real=FAR_REAL, scores_fake=FAR_FAKE, **LABELS)),
    Anchor(
        "least_squares_discriminator_loss", "labels 0 and 1", given(scores_real=REAL, scores_fake=FAKE),
        gives=[0.625, 6.5, 1.25], source="by hand",
        near_misses={
            "without the halves": [1.25, 13.0, 2.5],
            "sigmoid before the squares": [0.0783685286, 0.7211041205, 0.4054784366],
            "labels exchanged": [3.125, 2.5, 0.25],
            "sign": [-0.625, -6.5, -1.25],
            "averaged over the batch": [2.7916666667] * 3,
            "mean of the two": [0.3125, 3.25, 0.625],
            "absolute values": [0.75, 2.5, 1.0],
        },
    ),
    Anchor(
        "least_squares_discriminator_loss", "labels -0.5 and 2", given(scores_real=REAL, scores_fake=FAKE, **LABELS),
        gives=[0.0, 10.625, 3.125], source="by hand",
        near_misses={
            "labels ignored": [0.625, 6.5, 1.25],
            "the fakes' label ignored": [0.125, 9.0, 2.25],
            "labels exchanged": [6.25, 0.625, 0.625],
            "without the halves": [0.0, 21.25, 6.25],
        },
    ),
    Law.equal("least squares: the same game with scores and labels mirrored", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.least_squares_discriminator_loss(r, g, **LABELS),
              right=lambda f, r, g: f.least_squares_discriminator_loss(g, r, real_target=-0.5, fake_target=2.0)),
    Law.equal("the best score is the mean of the labels", given(share=[0.1, 0.25, 0.5, 0.9]),
              left=lambda f, share: 2 + sum(
                  weight * f.gradient("least_squares_discriminator_loss", *2 * [2.0 - 2.5 * share], wrt=wrt, **LABELS)
                  for wrt, weight in enumerate((1 - share, share))),
              right=2.0),
    Law.equal("the discriminator's loss is one loss of the generator for each label", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.least_squares_discriminator_loss(r, g, **LABELS),
              right=lambda f, r, g: f.least_squares_generator_loss(r, target=2.0)
              + f.least_squares_generator_loss(g, target=-0.5)),
    Rejects("least_squares_discriminator_loss", "equal labels", given(**PAIRS, real_target=0.0), blames="fake_target"),
    Rejects("least_squares_discriminator_loss", "an infinite label of the real", given(**PAIRS, real_target=float("inf")),
            blames="real_target"),
    Rejects("least_squares_discriminator_loss", "no label of the fakes", given(**PAIRS, fake_target=float("nan")),
            blames="fake_target"),
    Agree("least_squares_generator_loss", "target 1", given(scores_fake=SOME)),
    Agree("least_squares_generator_loss", "target -0.5", given(scores_fake=SOME, target=-0.5)),
    Anchor("least_squares_generator_loss", "target 1", given(scores_fake=FAKE), gives=[1.125, 2.0, 0.125], source="by hand",
           near_misses={"without the half": [2.25, 4.0, 0.25], "away from the target": [-1.125, -2.0, -0.125],
                        "towards the fakes' label": [0.125, 4.5, 1.125],
                        "sigmoid before the square": [0.1937284993, 0.0011246517, 0.0166406454],
                        "averaged over the batch": [1.0833333333] * 3, "no cost beyond the target": [1.125, 0.0, 0.0]}),
    Anchor("least_squares_generator_loss", "target 0, the midpoint of -1 and 1", given(scores_fake=FAKE, target=0.0),
           gives=[0.125, 4.5, 1.125], source="by hand", near_misses={"target ignored": [1.125, 2.0, 0.125]}),
    Law.equal("its slope grows with the distance", given(scores=[-4000.0, -10.0, 0.5, 3.0]),
              left=lambda f, scores: f.gradient("least_squares_generator_loss", scores), right=[-4001.0, -11.0, -0.5, 2.0]),
    Rejects("least_squares_generator_loss", "two axes", given(scores_fake=zeros(3, 2)), blames="scores_fake"),
    Rejects("least_squares_generator_loss", "an infinite target", given(scores_fake=zeros(3), target=float("inf")),
            blames="target"),
    # The hinge.
    Agree("hinge_discriminator_loss", "regular", given(**PAIRS)),
    Agree("hinge_discriminator_loss", "far out", given(scores_real=FAR_REAL, scores_fake=FAR_FAKE)),
    Agree("hinge_discriminator_loss", "on the margins", given(scores_real=[1.0, 1.0, 0.0, 2.0],
                                                                scores_fake=[-1.0, 0.5, -1.0, 1.0]),
          no_gradient="the hinge has a kink on each margin"),
    Anchor(
        "hinge_discriminator_loss", "both sides of both margins",
        given(scores_real=[2.0, -1.0, 0.5, 3.0], scores_fake=[-0.5, 3.0, 1.5, -4.0]),
        gives=[0.5, 6.0, 3.0, 0.0], source="by hand",
        near_misses={
            "signs exchanged": [4.5, 0.0, 1.5, 9.0],
            "no hinge": [-0.5, 6.0, 3.0, -5.0],
            "no margin": [0.0, 4.0, 1.5, 0.0],
            "the margin of the real for both": [1.5, 2.0, 0.5, 5.0],
            "squared": [0.25, 20.0, 6.5, 0.0],
            "one hinge for the sum": [0.0, 6.0, 3.0, 0.0],
            "averaged over the batch": [2.375] * 4,
            "mean of the two": [0.25, 3.0, 1.5, 0.0],
        },
    ),
    Law.equal("beyond the margins there is no slope", given(scores=[1.5, 4.0, 400.0]),
              left=lambda f, scores: [1 + f.gradient("hinge_discriminator_loss", sign * scores, -sign * scores, wrt=wrt)
                                      for sign, wrt in ((1, 0), (1, 1), (-1, 0), (-1, 1))],
              right=[[1.0] * 3, [1.0] * 3, [0.0] * 3, [2.0] * 3]),
    Law.at_least("hinge: real and fake alike cost 2 within the margins, more outside", given(scores=SOME),
                 left=lambda f, scores: f.hinge_discriminator_loss(scores, scores), right=2.0),
    Law.equal("hinge: the same game with the scores mirrored", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.hinge_discriminator_loss(r, g), right=lambda f, r, g: f.hinge_discriminator_loss(-g, -r)),
    Agree("hinge_generator_loss", "regular", given(scores_fake=SOME)),
    Agree("hinge_generator_loss", "far out", given(scores_fake=FAR_FAKE)),
    Anchor("hinge_generator_loss", "three scores", given(scores_fake=FAKE), gives=[0.5, -3.0, -1.5], source="by hand",
           near_misses={"sign": [-0.5, 3.0, 1.5], "a margin": [1.5, 0.0, 0.0], "1 - f": [1.5, -2.0, -0.5],
                        "averaged over the batch": [-1.3333333333] * 3}),
    Rejects("hinge_generator_loss", "two axes", given(scores_fake=zeros(3, 2)), blames="scores_fake"),
    # Pairs.
    Agree("relativistic_discriminator_loss", "regular", given(**PAIRS)),
    Agree("relativistic_discriminator_loss", "far out", given(scores_real=LOST_REAL, scores_fake=LOST_FAKE)),
    Anchor(
        "relativistic_discriminator_loss", "three pairs", given(scores_real=REAL, scores_fake=FAKE),
        gives=[0.07888973429254963, 4.0181499279178094, 1.3132616875182228], source=MPMATH,
        near_misses={
            "real and fake exchanged": [2.5788897342925496, 0.018149927917809738, 0.31326168751822286],
            "sigma for softplus": [0.07585818002124355, 0.9820137900379085, 0.7310585786300049],
            "-sigma": [-0.9241418199787566, -0.01798620996209156, -0.2689414213699951],
            "each score by itself": [0.6010049952230792, 4.361849039091965, 2.1754902621628593],
            "against the mean fake": [0.41437008685207205, 2.42588696084907, 1.1942181492675368],
            "bits": [0.11381382844090934, 5.79696497455537, 1.8946361239720115],
            "averaged over the batch": [1.8034337832428606] * 3,
        },
    ),
    Anchor("relativistic_discriminator_loss", "sure and wrong",
           given(scores_real=[-40.0, 0.0, 5.0], scores_fake=[45.0, 30.0, 26.0]),
           gives=[85.0, 30.0, 21.00000000075826], source=MPMATH,
           near_misses={"-log(1 - sigma)": [np.inf, 30.0, 21.00000000075826]}),
    Law.equal("only differences count", given(real=SOME, fake=SOME, constant=normal(1, scale=3.0)),
              left=lambda f, r, g, constant: f.relativistic_discriminator_loss(r + constant, g + constant),
              right=lambda f, r, g, constant: f.relativistic_discriminator_loss(r, g)),
    Law.equal("real and fake exchanged", given(real=SOME, fake=SOME),
              left=lambda f, r, g: f.relativistic_discriminator_loss(r, g) - f.relativistic_discriminator_loss(g, r),
              right=lambda f, r, g: g - r),
    Law.equal("equal scores cost log 2", given(scores=SOME),
              left=lambda f, scores: f.relativistic_discriminator_loss(scores, scores), right=LOG_2),
    Law.equal("its slopes are sigma of the difference", given(real=LOST_REAL, fake=LOST_FAKE),
              left=lambda f, r, g: [2 + f.gradient("relativistic_discriminator_loss", r, g, wrt=wrt) for wrt in (0, 1)],
              right=lambda f, r, g: [2 - (1 + np.tanh((g - r) / 2)) / 2, 2 + (1 + np.tanh((g - r) / 2)) / 2]),
    *_pairs(),
)  # fmt: skip
