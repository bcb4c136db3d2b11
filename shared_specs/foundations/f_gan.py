"""Contracts of f-GAN's losses (lecture 4): twelve generators, each with f* and the output map in one."""

import numpy as np

from shared_specs.foundations._cases import name_of, rejects_divergences
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, linspace, normal, scalar, uniform, zeros

# divergence, alpha; then at v = -1.5, 0.5, 2: g_f(v) and f*(g_f(v)), from their definitions with 40 digits (mpmath); then the
# density ratio (f*)'(g_f(v)) as a closed form in v, where it is one; then the v at which that ratio is 1
V = [-1.5, 0.5, 2.0]
GENERATORS = (
    ("total_variation", None, [-0.45257412682243322, 0.23105857863000488, 0.48201379003790844],
     [-0.45257412682243322, 0.23105857863000488, 0.48201379003790844], lambda v: np.ones_like(v), 0.0),
    ("kl", None, [-1.5, 0.5, 2.0], [0.082084998623898795, 0.60653065971263342, 2.7182818284590452], lambda v: np.exp(v - 1), 1.0),
    ("reverse_kl", None, [-4.4816890703380648, -0.60653065971263342, -0.13533528323661269], [-2.5, -0.5, 1.0], np.exp, 0.0),
    ("pearson_chi_squared", None, [-1.5, 0.5, 2.0], [-0.9375, 0.5625, 3.0], lambda v: np.maximum(1 + v / 2, 0), 0.0),
    ("neyman_chi_squared", None, [-3.4816890703380648, 0.39346934028736658, 0.86466471676338731],
     [-2.2340000332253493, 0.44239843385719026, 1.2642411176571154], lambda v: np.exp(v / 2), 0.0),
    ("squared_hellinger", None, [-3.4816890703380648, 0.39346934028736658, 0.86466471676338731],
     [-0.77686983985157017, 0.64872127070012815, 6.3890560989306502], lambda v: np.exp(2 * v), 0.0),
    ("jeffreys", None, [-1.5, 0.5, 2.0], [-1.0933494990180141, 0.57130807495677026, 3.8695860194296959], None, 0.0),
    ("jensen_shannon", None, [-0.50413304871140355, 0.10953509818991931, 0.28310958475848641],
     [-0.24586695128859645, 0.14046490181008069, 0.71689041524151359], np.exp, 0.0),
    ("gan", None, [-1.7014132779827524, -0.47407698418010668, -0.1269280110429725],
     [0.20141327798275241, 0.97407698418010668, 2.1269280110429725], np.exp, 0.0),
    ("alpha", -1.0, [-1.2014132779827524, 0.025923015819893319, 0.3730719889570275],
     [-0.84467518982760345, 0.026268020264193356, 0.49615873324434312],
     lambda v: (2 * np.logaddexp(0, -v)) ** -0.5, 0.43275212956718857),
    ("alpha", 0.5, [0.29858672201724759, 1.5259230158198933, 1.8730719889570275],
     [0.35098670720527247, 6.4374482066827341, 29.51392641491694],
     lambda v: (np.logaddexp(0, -v) / 2) ** -2.0, -1.8545865421311409),
    ("alpha", 3.0, [-1.5, 0.5, 2.0], [-0.33333333333333333, 0.60947570824873003, 3.3934466291663162],
     lambda v: np.sqrt(np.maximum(1 + 2 * v, 0)), 0.0),
)  # fmt: skip
ORDER = [2, 0, 1]  # the fakes of an anchor are its reals in another order
MPMATH = "f* after g_f, from the definitions with 40 digits (mpmath)"
BOUNDED = (("gan", None), ("jensen_shannon", None), ("alpha", -1.0), ("alpha", 0.5))


def _rows_of(divergence, alpha, activation, conjugate, ratio, matched):
    name, row = name_of(divergence, alpha), {"divergence": divergence, "alpha": alpha}
    g, f_star = np.array(activation), np.array(conjugate)
    at_one = 2 * np.log(2) if divergence == "gan" else 0.0  # -f(1)
    rows = [
        Agree(
            "f_gan_critic_loss", f"{name}, -20 to 20", given(v_real=linspace(-20, 20, 10), v_fake=linspace(20, -20, 10), **row)
        ),
        Agree("f_gan_generator_loss", f"{name}, -20 to 20", given(v_fake=linspace(-20, 20, 10), **row)),
        Agree("f_gan_alternative_generator_loss", f"{name}, -20 to 20", given(v_fake=linspace(-20, 20, 10), **row)),
        Anchor(
            "f_gan_critic_loss",
            name,
            given(v_real=V, v_fake=[V[i] for i in ORDER], **row),
            gives=f_star[ORDER] - g,
            source=MPMATH,
            near_misses={"sign": g - f_star[ORDER], "f* of the real": f_star - g[ORDER], "plus for minus": f_star[ORDER] + g},
        ),
        Anchor(
            "f_gan_generator_loss",
            name,
            given(v_fake=V, **row),
            gives=-f_star,
            source=MPMATH,
            near_misses={"sign": f_star}
            | ({} if divergence == "total_variation" else {"the alternative loss": -g, "f* left out, and the sign": g}),
        ),
        Anchor(
            "f_gan_alternative_generator_loss",
            name,
            given(v_fake=V, **row),
            gives=-g,
            source=MPMATH,
            near_misses={"sign": g} | ({} if divergence == "total_variation" else {"the consistent loss": -f_star}),
        ),
        Law.equal(
            f"a critic that sees no difference earns f(1), {name}",
            given(v=[matched] * 3, **row),
            left=lambda f, v, divergence, alpha: f.f_gan_critic_loss(v, v, divergence=divergence, alpha=alpha),
            right=at_one,
        ),
        Law.at_least(
            f"on equal samples no critic earns more than f(1), {name}",
            given(v=linspace(-6, 6, 10), **row),
            left=lambda f, v, divergence, alpha: f.f_gan_critic_loss(v, v, divergence=divergence, alpha=alpha),
            right=at_one,
        ),
        Law.equal(
            f"the critic's loss is the alternative loss of the real minus the generator's of the fake, {name}",
            given(v_real=normal(10), v_fake=normal(10), **row),
            left=lambda f, real, fake, divergence, alpha: f.f_gan_critic_loss(real, fake, divergence=divergence, alpha=alpha),
            right=lambda f, real, fake, divergence, alpha: (
                f.f_gan_alternative_generator_loss(real, divergence=divergence, alpha=alpha)
                - f.f_gan_generator_loss(fake, divergence=divergence, alpha=alpha)
            ),
        ),
    ]
    if ratio is not None:
        rows.append(
            Law.equal(
                f"the generator's losses differ by the estimated ratio, {name}",
                given(v=linspace(-8, 8, 10), **row),
                left=lambda f, v, divergence, alpha: f.gradient("f_gan_generator_loss", v, divergence=divergence, alpha=alpha),
                right=lambda f, v, divergence, alpha: (
                    ratio(v) * f.gradient("f_gan_alternative_generator_loss", v, divergence=divergence, alpha=alpha)
                ),
            )
        )
    return rows


def _far_out(divergence, alpha):
    name, row = name_of(divergence, alpha), {"divergence": divergence, "alpha": alpha}
    return (
        Agree("f_gan_critic_loss", f"{name} at 30", given(v_real=[-30.0, 30.0, 29.0], v_fake=[30.0, -30.0, 31.0], **row)),
        Agree("f_gan_generator_loss", f"{name} at 30", given(v_fake=[-30.0, 30.0, 31.0], **row)),
        Agree("f_gan_alternative_generator_loss", f"{name} at 30", given(v_fake=[-30.0, 30.0, 31.0], **row)),
        Law.equal(
            f"gradients are finite at 30, {name}",
            given(v=[-30.0, 30.0, 85.0], **row),
            left=lambda f, v, divergence, alpha: np.isfinite(
                [
                    f.gradient(loss, v, divergence=divergence, alpha=alpha)
                    for loss in ("f_gan_generator_loss", "f_gan_alternative_generator_loss")
                ]
            ),
            right=1.0,
        ),
    )


SPEC = (
    *(row for generator in GENERATORS for row in _rows_of(*generator)),
    *(row for generator in BOUNDED for row in _far_out(*generator)),
    Anchor(
        "f_gan_generator_loss",
        "gan where 1 - sigma(v) rounds to 0",
        given(v_fake=[17.0, 20.0, 30.0], divergence="gan"),
        gives=[-17.000000041399376, -20.000000002061154, -30.000000000000094],
        source="-log(1 + e^v), 40 digits (mpmath)",
        near_misses={"log(1 - sigma(v)) in float32": [-np.inf] * 3},
    ),
    Law.equal(
        "the gan row is the cross entropy of a classifier",
        given(v_real=uniform(8, low=-20, high=20), v_fake=uniform(8, low=-20, high=20)),
        left=lambda f, v_real, v_fake: f.f_gan_critic_loss(v_real, v_fake, divergence="gan"),
        right=lambda f, v_real, v_fake: np.logaddexp(0, -v_real) + np.logaddexp(0, v_fake),
    ),
    *rejects_divergences("f_gan_critic_loss", {"v_real": zeros(3), "v_fake": zeros(3)}),
    *rejects_divergences("f_gan_generator_loss", {"v_fake": zeros(3)}),
    *rejects_divergences("f_gan_alternative_generator_loss", {"v_fake": zeros(3)}),
    Rejects("f_gan_critic_loss", "sizes differ", given(v_real=zeros(3), v_fake=zeros(2), divergence="kl"), blames="v_fake"),
    Rejects("f_gan_generator_loss", "two axes", given(v_fake=zeros(3, 2), divergence="kl"), blames="v_fake"),
    # The one-dimensional game.
    Agree("location_scale_generator", "regular", given(z=normal(7), location=scalar(1.5), log_scale=scalar(-0.7))),
    Agree("location_scale_generator", "a scale of e^30", given(z=normal(7), location=scalar(0.0), log_scale=scalar(30.0))),
    Agree("location_scale_generator", "a scale of e^-30", given(z=normal(7), location=scalar(1.5), log_scale=scalar(-30.0))),
    Anchor(
        "location_scale_generator",
        "scale 2",
        given(z=[-1.0, 0.0, 3.0], location=scalar(1.0), log_scale=scalar(0.6931471805599453)),
        gives=[-1.0, 1.0, 7.0],
        source="1 + 2 z",
        near_misses={
            "log_scale read as log-variance": [1 - 2**0.5, 1.0, 1 + 3 * 2**0.5],
            "log_scale read as the scale": [0.3068528194400547, 1.0, 3.0794415416798357],
            "scales the location too": [0.0, 2.0, 8.0],
        },
    ),
    Law.inverse(
        "standardizing returns the noise",
        given(z=normal(7), location=scalar(0.3), log_scale=scalar(1.1)),
        round_trip=lambda f, z, location, log_scale: (
            (f.location_scale_generator(z, location, log_scale) - location) / np.exp(log_scale)
        ),
        start=lambda f, z, location, log_scale: z,
    ),
    Rejects(
        "location_scale_generator",
        "a vector of locations",
        given(z=zeros(3), location=zeros(3), log_scale=scalar(0.0)),
        blames="location",
    ),
    Rejects(
        "location_scale_generator",
        "a vector of scales",
        given(z=zeros(3), location=scalar(0.0), log_scale=zeros(3)),
        blames="log_scale",
    ),
    Agree("quadratic_critic", "regular", given(x=normal(7), coefficients=[0.3, -1.2, 0.8])),
    Agree("quadratic_critic", "far out", given(x=[-1e3, 1e3, 1e-3, 0.5], coefficients=[3.0, 0.7, -2.0])),
    Anchor(
        "quadratic_critic",
        "1 + 2x + 3x^2",
        given(x=[-2.0, 0.0, 1.0, 4.0], coefficients=[1.0, 2.0, 3.0]),
        gives=[9.0, 1.0, 6.0, 57.0],
        source="by hand",
        near_misses={"highest power first": [3.0, 3.0, 6.0, 27.0], "the square of c_2 x": [33.0, 1.0, 12.0, 153.0]},
    ),
    Law.equal(
        "the second difference is 2 c_2",
        given(x=normal(5), coefficients=[0.4, 1.3, -0.6]),
        left=lambda f, x, c: f.quadratic_critic(x + 1, c) - 2 * f.quadratic_critic(x, c) + f.quadratic_critic(x - 1, c),
        right=lambda f, x, c: np.full(5, 2 * c[2]),
    ),
    Rejects("quadratic_critic", "two coefficients", given(x=zeros(4), coefficients=zeros(2)), blames="coefficients"),
    Rejects("quadratic_critic", "x with two axes", given(x=zeros(4, 2), coefficients=zeros(3)), blames="x"),
)
