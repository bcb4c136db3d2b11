"""Contracts of the dynamics of the GAN game and of unrolling."""

import numpy as np

from shared_specs.rows import LOG_3, Agree, Anchor, Law, Rejects, given, normal, zeros

PLAYERS = dict(generator=normal(7), discriminator=normal(7))
# products of -60, 60 and 600: the discriminator is sure
SURE = dict(generator=[2.0, -2.0, 20.0, 0.5], discriminator=[30.0, 30.0, 30.0, -120.0])
AXES = dict(generator=[0.0, 1.5, 0.0, -2.0], discriminator=[0.75, 0.0, 0.0, 0.0])
# products log 3, -log 3 and 0: sigma(-theta omega) is 1/4, 3/4 and 1/2
BY_HAND = dict(generator=[2.0, -1.0, 1.0], discriminator=[LOG_3 / 2, LOG_3, 0.0])
STEPS = {
    "simultaneous_step": {"learning_rate": 0.5, "penalty": 0.25},
    "alternating_step": {"learning_rate": 0.5, "penalty": 0.25},
    "extragradient_step": {"learning_rate": 0.5},
    "unrolled_discriminator": {"learning_rate": 0.5, "num_steps": 5},
    "unrolled_generator_gradient": {"learning_rate": 0.5, "num_steps": 5},
}


def _both(f, name, theta, omega, **how):
    """Both players after a step, [2, B]."""
    return np.stack(getattr(f, name)(theta, omega, **how))


def _slopes(f, theta, omega):
    """V_theta and V_omega."""
    return [f.gradient("dirac_gan_value", theta, omega, wrt=wrt) for wrt in (0, 1)]


def _through_the_answer(f, theta, omega, **how):
    """V_theta + V_omega d omega_K / d theta, both at omega_K."""
    by_theta, by_omega = _slopes(f, theta, f.unrolled_discriminator(theta, omega, **how))
    return by_theta + by_omega * f.gradient("unrolled_discriminator", theta, omega, wrt=0, **how)


def _steps():
    """Of every way to take a step."""
    for function, how in STEPS.items():
        yield Agree(function, "regular", given(**PLAYERS, **how))
        yield Agree(function, "the learning rate 1", given(**PLAYERS, **how | {"learning_rate": 1.0}))
        yield Agree(function, "on the axes", given(**AXES, **how))
        yield Agree(function, "a sure discriminator", given(**SURE, **how))
        yield Law.equal(
            f"{function}: the mirrored game",
            given(theta=normal(7), omega=normal(7)),
            left=lambda f, theta, omega, function=function, how=how: np.asarray(getattr(f, function)(-theta, -omega, **how)),
            right=lambda f, theta, omega, function=function, how=how: -np.asarray(getattr(f, function)(theta, omega, **how)),
        )
        yield Law.equal(
            f"{function}: no game knows the others",
            given(theta=normal(7), omega=normal(7)),
            left=lambda f, theta, omega, function=function, how=how: np.asarray(getattr(f, function)(theta, omega, **how)),
            right=lambda f, theta, omega, function=function, how=how: np.concatenate(
                [np.asarray(getattr(f, function)(theta[n : n + 1], omega[n : n + 1], **how)) for n in range(7)], axis=-1
            ),
        )
        yield Law.equal(
            f"{function}: the equilibrium is at rest",
            given(theta=zeros(3)),
            left=lambda f, theta, function=function, how=how: 1 + np.asarray(getattr(f, function)(theta, theta, **how)),
            right=1.0,
        )
        yield Rejects(function, "sizes differ", given(generator=zeros(3), discriminator=zeros(2), **how), blames="discriminator")
        yield Rejects(function, "two axes", given(generator=zeros(3, 2), discriminator=zeros(3, 2), **how), blames="generator")
        yield Rejects(function, "no learning rate", given(**PLAYERS, **how | {"learning_rate": 0.0}), blames="learning_rate")
        for name in ("penalty", "num_steps"):
            if name in how:
                yield Rejects(function, f"negative {name}", given(**PLAYERS, **how | {name: -1}), blames=name)


SPEC = (
    Agree("dirac_gan_value", "regular", given(**PLAYERS)),
    Agree("dirac_gan_value", "on the axes", given(**AXES)),
    Agree("dirac_gan_value", "a sure discriminator", given(**SURE)),
    Anchor("dirac_gan_value", "products log 3, -log 3 and 0", given(**BY_HAND),
           gives=[-0.9808292530117262, -2.0794415416798357, -1.3862943611198906], source="log 3/8, log 1/8, log 1/4",
           near_misses={"the data's term forgotten": [-0.2876820724517809, -1.3862943611198906, -0.6931471805599453],
                        "the logit of real": [-2.0794415416798357, -0.9808292530117262, -1.3862943611198906],
                        "a sum of players": [-0.7683806768378055, -1.3382033725205146, -1.006408868078168],
                        "a loss": [0.9808292530117262, 2.0794415416798357, 1.3862943611198906]}),
    Law.equal("only the product counts", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.dirac_gan_value(theta, omega),
              right=lambda f, theta, omega: f.dirac_gan_value(2 * omega, theta / 2)),
    Law.equal("the two sides of the sigmoid", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.dirac_gan_value(theta, omega) - f.dirac_gan_value(-theta, omega),
              right=lambda f, theta, omega: theta * omega),
    Rejects("dirac_gan_value", "sizes differ", given(generator=zeros(3), discriminator=zeros(2)), blames="discriminator"),
    Rejects("dirac_gan_value", "two axes", given(generator=zeros(3, 2), discriminator=zeros(3, 2)), blames="generator"),
    *_steps(),
    # Steps.
    Anchor("simultaneous_step", "by hand", given(**BY_HAND, learning_rate=2.0),
           gives=([2 - LOG_3 / 4, -1 - LOG_3 * 1.5, 1.0], [LOG_3 / 2 + 1, LOG_3 - 1.5, 1.0]), source="sigma = 1/4, 3/4, 1/2",
           near_misses={"both ascend": ([2 + LOG_3 / 4, -1 + LOG_3 * 1.5, 1.0], [LOG_3 / 2 + 1, LOG_3 - 1.5, 1.0]),
                        "Wasserstein's game": ([2 - LOG_3, -1 - 2 * LOG_3, 1.0], [LOG_3 / 2 + 4, LOG_3 - 2, 2.0]),
                        "sigma of the product": ([2 - LOG_3 * 0.75, -1 - LOG_3 / 2, 1.0], [LOG_3 / 2 + 3, LOG_3 - 0.5, 1.0])}),
    Anchor("simultaneous_step", "a penalty",
           given(generator=[1.0, 0.0], discriminator=[0.0, 2.0], learning_rate=0.5, penalty=0.5),
           gives=([1.0, -0.5], [0.25, 1.5]), source="by hand",
           near_misses={"its sign": ([1.0, -0.5], [0.25, 2.5]), "not times the learning rate": ([1.0, -0.5], [0.25, 1.0]),
                        "on both players": ([0.75, -0.5], [0.25, 1.5]), "half of it": ([1.0, -0.5], [0.25, 1.75])}),
    Law.equal("a simultaneous step follows the slopes", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: _both(f, "simultaneous_step", theta, omega, learning_rate=0.5),
              right=lambda f, theta, omega: np.stack([
                  theta - 0.5 * _slopes(f, theta, omega)[0], omega + 0.5 * _slopes(f, theta, omega)[1]])),
    Law.equal("a simultaneous step leads outwards by 1 + h^2 sigma^2", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: (_both(f, "simultaneous_step", theta, omega, learning_rate=0.5) ** 2).sum(0),
              right=lambda f, theta, omega: (1 + (0.5 / (1 + np.exp(theta * omega))) ** 2) * (theta**2 + omega**2)),
    Anchor("alternating_step", "a start with a slope of 0", given(generator=[LOG_3, -LOG_3], discriminator=[0.0, 0.0],
                                                                    learning_rate=2 / LOG_3),
           gives=([LOG_3 - 2 / LOG_3 / 4, -LOG_3 + 2 / LOG_3 / 4], [1.0, -1.0]), source="omega' = 1, theta omega' = log 3",
           near_misses={"both at once": ([LOG_3, -LOG_3], [1.0, -1.0]),
                        "the old sigma": ([LOG_3 - 1 / LOG_3, -LOG_3 + 1 / LOG_3], [1.0, -1.0])}),
    Anchor("alternating_step", "a penalty", given(generator=[1.0, 0.0], discriminator=[0.0, 2.0], learning_rate=0.5, penalty=0.5),
           gives=([0.9452720626107247, -0.375], [0.25, 1.5]), source="1 - sigma(-1/4)/8; 3/2 / 4",
           near_misses={"its sign": ([0.9452720626107247, -0.625], [0.25, 2.5]),
                        "generator first": ([1.0, -0.5], [0.25, 1.3172353554])}),
    Law.equal("in turn is a step of each player", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: _both(f, "alternating_step", theta, omega, learning_rate=0.5, penalty=0.25),
              right=lambda f, theta, omega: [f.simultaneous_step(
                  theta, f.simultaneous_step(theta, omega, learning_rate=0.5, penalty=0.25)[1], learning_rate=0.5)[0],
                  f.simultaneous_step(theta, omega, learning_rate=0.5, penalty=0.25)[1]]),
    Anchor("extragradient_step", "from the axis", given(generator=[LOG_3, -LOG_3], discriminator=[0.0, 0.0],
                                                          learning_rate=2 / LOG_3),
           gives=([LOG_3 - 2 / LOG_3 / 4, -LOG_3 + 2 / LOG_3 / 4], [0.5, -0.5]), source="ahead at (log 3, 1), sigma = 1/4",
           near_misses={"from the place ahead": ([LOG_3 - 2 / LOG_3 / 4, -LOG_3 + 2 / LOG_3 / 4], [1.5, -1.5]),
                        "in turn": ([LOG_3 - 2 / LOG_3 / 4, -LOG_3 + 2 / LOG_3 / 4], [1.0, -1.0]),
                        "both at once": ([LOG_3, -LOG_3], [1.0, -1.0])}),
    Law.equal("looking ahead takes the slopes from a simultaneous step's end", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: _both(f, "extragradient_step", theta, omega, learning_rate=0.5),
              right=lambda f, theta, omega: [
                  start + sign * 0.5 * slope for start, sign, slope in zip(
                      (theta, omega), (-1, 1), _slopes(f, *f.simultaneous_step(theta, omega, learning_rate=0.5)), strict=True)]),
    # Unrolling.
    *(Agree(function, case, given(**PLAYERS, learning_rate=1.0, num_steps=count))
      for function in ("unrolled_discriminator", "unrolled_generator_gradient")
      for case, count in (("no step", 0), ("one step", 1), ("20 steps", 20))),
    Anchor("unrolled_discriminator", "two steps", given(generator=[LOG_3, -LOG_3], discriminator=[0.0, 0.0],
                                                          learning_rate=2 / LOG_3, num_steps=2),
           gives=[1.5, -1.5], source="1, then 2 sigma(-log 3) more",
           near_misses={"one step": [1.0, -1.0], "three steps": [1.8227809555928178, -1.8227809555928178],
                        "descent": [-2.5, 2.5]}),
    Anchor("unrolled_generator_gradient", "one step from 0", given(generator=[LOG_3, -LOG_3], discriminator=[0.0, 0.0],
                                                                     learning_rate=2 / LOG_3, num_steps=1),
           gives=[0.5, -0.5], source="V_theta = 1/4, V_omega d omega/d theta = log 3/4 * 1/log 3",
           near_misses={"detached": [0.25, -0.25], "the second term alone, twice": [0.75, -0.75], "no step": [0.0, 0.0],
                        "ascent": [-0.5, 0.5]}),
    Law.equal("five steps are two and three", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.unrolled_discriminator(theta, omega, learning_rate=0.5, num_steps=5),
              right=lambda f, theta, omega: f.unrolled_discriminator(
                  theta, f.unrolled_discriminator(theta, omega, learning_rate=0.5, num_steps=2), learning_rate=0.5, num_steps=3)),
    Law.equal("one unrolled step is the discriminator's own", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.unrolled_discriminator(theta, omega, learning_rate=0.5, num_steps=1),
              right=lambda f, theta, omega: f.simultaneous_step(theta, omega, learning_rate=0.5)[1]),
    Law.equal("without a step it is the plain slope", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.unrolled_generator_gradient(theta, omega, learning_rate=0.5, num_steps=0),
              right=lambda f, theta, omega: _slopes(f, theta, omega)[0]),
    Law.equal("the chain rule through the answer", given(theta=normal(7), omega=normal(7)),
              left=lambda f, theta, omega: f.unrolled_generator_gradient(theta, omega, learning_rate=0.5, num_steps=4),
              right=lambda f, theta, omega: _through_the_answer(f, theta, omega, learning_rate=0.5, num_steps=4)),
)  # fmt: skip
