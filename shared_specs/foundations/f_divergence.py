"""Contracts of f-divergences (lecture 2)."""

import numpy as np

from shared_specs.foundations._cases import name_of, rejects_divergences
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, linspace, log_of, log_simplex, zeros

FIRST, SECOND = log_of([[0.5, 0.25, 0.25], [0.125, 0.25, 0.625]]), log_of([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
# In the first row p is zero where q is not, in the second q where p is not; the last column is zero in both.
FIRST_ZEROS, SECOND_ZEROS = log_of([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0]]), log_of([[0.25, 0.25, 0.5, 0], [0.5, 0.5, 0, 0]])
DISJOINT_P = log_of([[0.5, 0.5, 0, 0], [0.2, 0, 0.8, 0]])
DISJOINT_Q = log_of([[0, 0, 0.1, 0.9], [0, 0.4, 0, 0.6]])

# For each divergence: f and f' at u = 1/4 and 2; D_f(FIRST || SECOND); the same with zeros; what is left of that if cells with a
# zero are dropped. Computed with mpmath at 60 digits from the definitions, in u.
ANCHORS = {
    ("total_variation", None): ([0.375, 0.5], [-0.5, 0.5], [0.25, 0.375], [0.5, 0.5], [0.25, 0.25]),
    ("kl", None): (
        [-0.34657359027997264, 1.3862943611198906],
        [-0.38629436111989063, 1.6931471805599454],
        [0.17328679513998632, 0.3993949122813606],
        [0.6931471805599453, np.inf],
        [0.6931471805599453, -0.34657359027997264],
    ),
    ("reverse_kl", None): (
        [1.3862943611198906, -0.6931471805599453],
        [-4.0, -0.5],
        [0.17328679513998632, 0.46407449759140657],
        [np.inf, 0.6931471805599453],
        [-0.34657359027997264, 0.6931471805599453],
    ),
    ("pearson_chi_squared", None): ([0.5625, 1.0], [-1.5, 2.0], [0.375, 0.84375], [1.0, np.inf], [0.5, 0.25]),
    ("neyman_chi_squared", None): ([2.25, 0.5], [-15.0, 0.75], [0.375, 1.35], [np.inf, 1.0], [0.25, 0.5]),
    ("squared_hellinger", None): (
        [0.25, 0.1715728752538099],
        [-1.0, 0.2928932188134525],
        [0.08578643762690495, 0.20943058495790517],
        [0.585786437626905, 0.585786437626905],
        [0.08578643762690495, 0.08578643762690495],
    ),
    ("jeffreys", None): (
        [1.0397207708399179, 0.6931471805599453],
        [-4.386294361119891, 1.1931471805599454],
        [0.34657359027997264, 0.8634694098727671],
        [np.inf, np.inf],
        [0.34657359027997264, 0.34657359027997264],
    ),
    ("jensen_shannon", None): (
        [0.1204654731385984, 0.08494951839769874],
        [-0.45814536593707755, 0.14384103622589045],
        [0.04247475919884937, 0.10174168305822523],
        [0.2157615543388357, 0.2157615543388357],
        [0.04247475919884937, 0.04247475919884937],
    ),
    ("gan", None): (
        [-0.6255030294227348, -1.9095425048844386],
        [-1.6094379124341003, -0.4054651081081644],
        [-1.3013448427221919, -1.1828109950034402],
        [-0.9547712524422193, -0.9547712524422193],
        [-0.9547712524422193, -0.9547712524422193],
    ),
    ("alpha", -1.0): ([1.125, 0.25], [-7.5, 0.375], [0.1875, 0.675], [np.inf, 0.5], [0.125, 0.25]),
    ("alpha", 0.5): (
        [0.5, 0.3431457505076198],
        [-2.0, 0.585786437626905],
        [0.1715728752538099, 0.41886116991581035],
        [1.17157287525381, 1.17157287525381],
        [0.1715728752538099, 0.1715728752538099],
    ),
    ("alpha", 3.0): (
        [0.2109375, 0.6666666666666666],
        [-0.46875, 1.5],
        [0.21875, 0.52734375],
        [0.5, np.inf],
        [0.3333333333333333, 0.10416666666666667],
    ),
}
ADJOINTS = {row: row for row in ANCHORS} | {
    ("kl", None): ("reverse_kl", None),
    ("reverse_kl", None): ("kl", None),
    ("pearson_chi_squared", None): ("neyman_chi_squared", None),
    ("neyman_chi_squared", None): ("pearson_chi_squared", None),
    ("alpha", -1.0): ("alpha", 2.0),
    ("alpha", 3.0): ("alpha", -2.0),
}
ALL = tuple(ANCHORS)
INFINITE_AT_ZEROS = {row for row, (_, _, _, at_zeros, _) in ANCHORS.items() if np.inf in at_zeros}
# f(0) + f'(infinity), the divergence of distributions that do not meet.
LARGEST = {"total_variation": 1.0, "squared_hellinger": 2.0, "jensen_shannon": LOG_2, "gan": 0.0, "alpha": 4.0}


SPEC = (
    # The generators.
    *(
        Agree(function, f"{name_of(d, a)}, -3 to 3", given(log_ratio=linspace(-3.0, 3.0, 8), divergence=d, alpha=a))
        for function in ("f_generator", "f_generator_derivative")
        for d, a in ALL
    ),
    *(
        Agree(
            function,
            f"{name_of(d, a)}, near u = 1",
            given(log_ratio=[-0.9, -1e-2, -1e-5, -1e-7, 1e-6, 1e-3, 0.04, 0.7], divergence=d, alpha=a),
            edge="u - 1 of a ratio u = e^x that has been rounded",
        )
        for function in ("f_generator", "f_generator_derivative")
        for d, a in (*ALL[1:], ("alpha", 1.001), ("alpha", 1e-3))  # total variation has its kink there
    ),
    *(
        Agree(
            function,
            f"{name_of(d, a)}, ratios of e^30",
            given(log_ratio=[-30.0, -25.0, -12.0, -5.0, 0.0, 4.0, 11.0, 30.0], divergence=d, alpha=a),
            no_gradient="the results span 50 orders of magnitude; gradients are compared up to ratios of e^3",
        )
        for function in ("f_generator", "f_generator_derivative")
        for d, a in ALL
    ),
    *(
        Anchor(
            "f_generator",
            f"{name_of(d, a)} at 1/4 and 2",
            given(log_ratio=[-2 * LOG_2, LOG_2], divergence=d, alpha=a),
            gives=f,
            source="mpmath, from the definition in u",
            near_misses={
                "twice": [2 * value for value in f],
                "half": [value / 2 for value in f],
                "bits": [value / LOG_2 for value in f],
                "shifted by u - 1": [f[0] - 0.75, f[1] + 1.0],
                "sign": [-value for value in f],
            },
        )
        for (d, a), (f, _, _, _, _) in ANCHORS.items()
    ),
    *(
        Anchor(
            "f_generator_derivative",
            f"{name_of(d, a)} at 1/4 and 2",
            given(log_ratio=[-2 * LOG_2, LOG_2], divergence=d, alpha=a),
            gives=slope,
            source="mpmath, differentiated numerically in u",
            near_misses={"of f(e^l) in l": [slope[0] / 4, slope[1] * 2], "twice": [2 * s for s in slope]},
        )
        for (d, a), (_, slope, _, _, _) in ANCHORS.items()
    ),
    Anchor(
        "f_generator_derivative",
        "total variation has slope 0 at its kink",
        given(log_ratio=[-1.0, 0.0, 1.0], divergence="total_variation"),
        gives=[-0.5, 0.0, 0.5],
        source="by convention, sign(0) = 0",
        near_misses={"one-sided": [-0.5, 0.5, 0.5], "without the half": [-1.0, 0.0, 1.0]},
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: the generator at u = 1",
            given(log_ratio=[0.0, 0.0]),
            left=lambda f, log_ratio, d=d, a=a: f.f_generator(log_ratio, divergence=d, alpha=a),
            right=-2 * LOG_2 if d == "gan" else 0.0,
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: the derivative in l is u f'(u)",
            given(log_ratio=linspace(-3.0, 3.0, 8)),
            left=lambda f, log_ratio, d=d, a=a: f.gradient("f_generator", log_ratio, divergence=d, alpha=a),
            right=lambda f, log_ratio, d=d, a=a: np.exp(log_ratio) * f.f_generator_derivative(log_ratio, divergence=d, alpha=a),
        )
        for d, a in (("total_variation", None), ("jensen_shannon", None), ("alpha", -1.0))
    ),
    *(
        Law.at_least(
            f"{name_of(d, a)}: the generator is above its tangents",
            given(at=linspace(-2.9, 2.8, 8), touching=linspace(2.5, -2.6, 8)),
            left=lambda f, at, touching, d=d, a=a: f.f_generator(at, divergence=d, alpha=a),
            right=lambda f, at, touching, d=d, a=a: (
                f.f_generator(touching, divergence=d, alpha=a)
                + f.f_generator_derivative(touching, divergence=d, alpha=a) * (np.exp(at) - np.exp(touching))
            ),
        )
        for d, a in ALL
    ),
    # The divergences.
    *(
        Agree(
            "f_divergence",
            f"{name_of(d, a)}, regular",
            given(log_probs_p=log_simplex(3, 4), log_probs_q=log_simplex(3, 4), divergence=d, alpha=a),
        )
        for d, a in ALL
    ),
    *(
        Agree(
            "f_divergence",
            f"{name_of(d, a)}, probabilities down to e^-40",
            given(log_probs_p=log_simplex(3, 4, scale=12.0), log_probs_q=log_simplex(3, 4, scale=12.0), divergence=d, alpha=a),
            no_gradient="p is tiny: the gradient's terms cancel down to p/q of their size" if d == "jensen_shannon" else "",
        )
        for d, a in ALL
    ),
    *(
        Agree(
            "f_divergence",
            f"{name_of(d, a)}, p zero, q zero, both zero",
            given(log_probs_p=FIRST_ZEROS, log_probs_q=SECOND_ZEROS, divergence=d, alpha=a),
            no_gradient="the value is infinite in a row" if (d, a) in INFINITE_AT_ZEROS else "",
        )
        for d, a in ALL
    ),
    *(
        Agree("f_divergence", f"{name_of(d, a)}, p = q", given(log_probs_p=FIRST, log_probs_q=FIRST, divergence=d, alpha=a))
        for d, a in ALL
        if d != "total_variation"  # its kink is there
    ),
    *(
        Agree(
            "f_divergence",
            f"{name_of(d, a)}, a step of 1e-6 from p = q",
            given(
                log_probs_p=log_of([[0.500001, 0.299999, 0.2]] * 2),
                log_probs_q=log_of([[0.5, 0.3, 0.2], [0.5, 0.2, 0.3]]),
                divergence=d,
                alpha=a,
            ),
            edge="a divergence of 1e-12 between terms of order 1e-6",
        )
        for d, a in ALL
        if d != "total_variation"
    ),
    *(
        Anchor(
            "f_divergence",
            f"{name_of(d, a)} of two dice",
            given(log_probs_p=FIRST, log_probs_q=SECOND, divergence=d, alpha=a),
            gives=value,
            source="mpmath, from the definition",
            near_misses={
                "twice": [2 * v for v in value],
                "bits": [v / LOG_2 for v in value],
                "mean over K": [v / 3 for v in value],
            }
            | ({"arguments swapped": ANCHORS[ADJOINTS[d, a]][2]} if ADJOINTS[d, a] in set(ANCHORS) - {(d, a)} else {}),
        )
        for (d, a), (_, _, value, _, _) in ANCHORS.items()
    ),
    *(
        Anchor(
            "f_divergence",
            f"{name_of(d, a)} of dice that miss a side",
            given(log_probs_p=FIRST_ZEROS, log_probs_q=SECOND_ZEROS, divergence=d, alpha=a),
            gives=value,
            source="mpmath, from the definition with f(0) and f'(infinity)",
            near_misses={"not a number": [np.nan, np.nan]} | ({} if d == "gan" else {"cells with a zero dropped": dropped}),
        )
        for (d, a), (_, _, _, value, dropped) in ANCHORS.items()
    ),
    *(
        Anchor(
            "f_divergence",
            f"{name_of(d, a)} of disjoint supports",
            given(log_probs_p=DISJOINT_P, log_probs_q=DISJOINT_Q, divergence=d, alpha=a),
            gives=[LARGEST.get(name_of(d, a).replace(" 0.5", ""), np.inf)] * 2,
            source="f(0) + f'(infinity)",
            near_misses={"cells with a zero dropped": [-1.0, -1.0], "not a number": [np.nan] * 2},
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: the divergence of p from itself is f(1)",
            given(log_p=log_simplex(3, 4, scale=2.0)),
            left=lambda f, log_p, d=d, a=a: f.f_divergence(log_p, log_p, divergence=d, alpha=a),
            right=-2 * LOG_2 if d == "gan" else 0.0,
        )
        for d, a in ALL
    ),
    *(
        Law.at_least(
            f"{name_of(d, a)}: no divergence is less than f(1)",
            given(log_p=log_simplex(3, 4, scale=2.0), log_q=log_simplex(3, 4, scale=2.0)),
            left=lambda f, log_p, log_q, d=d, a=a: f.f_divergence(log_p, log_q, divergence=d, alpha=a),
            right=-2 * LOG_2 if d == "gan" else 0.0,
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: a multiple of u - 1 changes nothing",
            given(log_p=log_simplex(3, 4), log_q=log_simplex(3, 4)),
            left=lambda f, log_p, log_q, d=d, a=a: np.sum(
                np.exp(log_q) * f.f_generator((log_p - log_q).ravel(), divergence=d, alpha=a).reshape(log_q.shape)
                + 1.7 * (np.exp(log_p) - np.exp(log_q)),
                axis=-1,
            ),
            right=lambda f, log_p, log_q, d=d, a=a: f.f_divergence(log_p, log_q, divergence=d, alpha=a),
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: swapping the arguments gives the adjoint",
            given(log_p=log_simplex(3, 4), log_q=log_simplex(3, 4)),
            left=lambda f, log_p, log_q, d=d, a=a: f.f_divergence(log_q, log_p, divergence=d, alpha=a),
            right=lambda f, log_p, log_q, d=adjoint, a=parameter: f.f_divergence(log_p, log_q, divergence=d, alpha=a),
        )
        for (d, a), (adjoint, parameter) in ADJOINTS.items()
    ),
    *(
        Law.at_least(
            f"{name_of(d, a)}: a channel cannot increase it",
            given(log_p=log_simplex(3, 4, scale=2.0), log_q=log_simplex(3, 4, scale=2.0), log_channel=log_simplex(4, 5)),
            left=lambda f, log_p, log_q, log_channel, d=d, a=a: f.f_divergence(log_p, log_q, divergence=d, alpha=a),
            right=lambda f, log_p, log_q, log_channel, d=d, a=a: f.f_divergence(
                f.push_through_channel(log_p, log_channel), f.push_through_channel(log_q, log_channel), divergence=d, alpha=a
            ),
        )
        for d, a in (("total_variation", None), ("kl", None), ("gan", None), ("alpha", 0.5))
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: splitting a side in fixed shares changes nothing",
            given(log_p=log_simplex(3, 2), log_q=log_simplex(3, 2)),
            left=lambda f, log_p, log_q, d=d, a=a: f.f_divergence(
                *(np.concatenate([x + np.log(0.3), x + np.log(0.7)], axis=1) for x in (log_p, log_q)), divergence=d, alpha=a
            ),
            right=lambda f, log_p, log_q, d=d, a=a: f.f_divergence(
                *(np.concatenate([x, np.full((3, 2), -np.inf)], axis=1) for x in (log_p, log_q)), divergence=d, alpha=a
            ),
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: no gradient is NaN at probability zero",
            given(log_p=FIRST_ZEROS, log_q=SECOND_ZEROS),
            left=lambda f, log_p, log_q, d=d, a=a: np.isfinite(
                [f.gradient("f_divergence", log_p, log_q, divergence=d, alpha=a, wrt=wrt) for wrt in (0, 1)]
            ),
            right=1.0,
        )
        for d, a in (("jeffreys", None), ("neyman_chi_squared", None), ("alpha", 3.0))  # the finite ones are held by Agree
    ),
    *(
        Law.equal(
            f"the alpha family passes through {d}",
            given(log_p=log_simplex(3, 4), log_q=log_simplex(3, 4)),
            left=lambda f, log_p, log_q, a=a: f.f_divergence(log_p, log_q, divergence="alpha", alpha=a),
            right=lambda f, log_p, log_q, d=d, scale=scale: scale * f.f_divergence(log_p, log_q, divergence=d),
        )
        for a, d, scale in ((2.0, "pearson_chi_squared", 0.5), (-1.0, "neyman_chi_squared", 0.5), (0.5, "squared_hellinger", 2.0))
    ),
    *(
        Law.limit(
            f"the alpha family tends to {d}",
            given(log_p=log_simplex(3, 4), log_q=log_simplex(3, 4)),
            value=lambda f, h, log_p, log_q, a=a: f.f_divergence(log_p, log_q, divergence="alpha", alpha=a + float(h)),
            at=(1e-2, 1e-3, 1e-4),
            limit=lambda f, log_p, log_q, d=d: f.f_divergence(log_p, log_q, divergence=d),
            order=1.0,
        )
        for a, d in ((1.0, "kl"), (0.0, "reverse_kl"))
    ),
    Law.equal(
        "the divergence of a GAN is 2 JSD - log 4",
        given(log_p=log_simplex(3, 4, scale=2.0), log_q=log_simplex(3, 4, scale=2.0)),
        left=lambda f, log_p, log_q: f.f_divergence(log_p, log_q, divergence="gan"),
        right=lambda f, log_p, log_q: 2 * f.f_divergence(log_p, log_q, divergence="jensen_shannon") - 2 * LOG_2,
    ),
    Law.at_least(
        "Pinsker: KL is at least 2 TV^2",
        given(log_p=log_simplex(3, 4), log_q=log_simplex(3, 4)),
        left=lambda f, log_p, log_q: f.f_divergence(log_p, log_q, divergence="kl"),
        right=lambda f, log_p, log_q: 2 * f.f_divergence(log_p, log_q, divergence="total_variation") ** 2,
    ),
    *rejects_divergences("f_generator", {"log_ratio": zeros(4)}),
    *rejects_divergences("f_generator_derivative", {"log_ratio": zeros(4)}),
    *rejects_divergences("f_divergence", {"log_probs_p": FIRST, "log_probs_q": SECOND}),
    Rejects(
        "f_divergence",
        "shapes differ",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 2), divergence="kl"),
        blames="log_probs_q",
    ),
    Rejects(
        "f_divergence", "one axis", given(log_probs_p=FIRST[0], log_probs_q=SECOND[0], divergence="kl"), blames="log_probs_p"
    ),
    Rejects(
        "f_divergence",
        "a row of p sums to 3",
        given(log_probs_p=zeros(5, 3), log_probs_q=log_simplex(5, 3), divergence="gan"),
        blames="log_probs_p",
    ),
    Rejects(
        "f_divergence",
        "a row of q sums to 3",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=zeros(5, 3), divergence="gan"),
        blames="log_probs_q",
    ),
    # Channels.
    Agree("push_through_channel", "regular", given(log_probs=log_simplex(5, 4), log_channel=log_simplex(4, 3))),
    Agree(
        "push_through_channel",
        "an input that never occurs, an output that cannot",
        given(
            log_probs=log_of([[0.5, 0.5, 0.0], [0.1, 0.3, 0.6]]),
            log_channel=log_of([[0.5, 0.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0], [0.2, 0.0, 0.3, 0.5]]),
        ),
        no_gradient="a result is -inf; that its gradient is a number is a law below",
    ),
    Agree(
        "push_through_channel",
        "probabilities down to e^-700",
        given(log_probs=log_simplex(5, 4, scale=300.0), log_channel=log_simplex(4, 3, scale=300.0)),
    ),
    Anchor(
        "push_through_channel",
        "a channel that forgets a quarter",
        given(log_probs=log_of([[0.5, 0.5], [0.2, 0.8]]), log_channel=log_of([[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]])),
        gives=log_of([[0.375, 0.25, 0.375], [0.15, 0.25, 0.6]]),
        source="by hand: the binary erasure channel",
        near_misses={
            "probabilities, not logarithms": [[0.375, 0.25, 0.375], [0.15, 0.25, 0.6]],
            "the first input only": log_of([[0.375, 0.125, 0.0], [0.15, 0.05, 0.0]]),
            "uniform inputs": log_of([[0.375, 0.25, 0.375], [0.375, 0.25, 0.375]]),
        },
    ),
    Law.normalized(
        "the output of a channel sums to one",
        given(log_probs=log_simplex(5, 4, scale=2.0), log_channel=log_simplex(4, 3)),
        total=lambda f, log_probs, log_channel: np.exp(f.push_through_channel(log_probs, log_channel)).sum(axis=-1),
    ),
    Law.equal(
        "no gradient is NaN where an output cannot be reached",
        given(
            log_probs=log_of([[0.5, 0.5, 0.0], [0.3, 0.7, 0.0]]),
            log_channel=log_of([[0.0, 1.0, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0], [0.8, 0.2, 0.0, 0.0]]),
        ),
        left=lambda f, log_probs, log_channel: np.isfinite(f.gradient("push_through_channel", log_probs, log_channel)),
        right=1.0,
    ),
    Rejects(
        "push_through_channel",
        "too few rows in the channel",
        given(log_probs=log_simplex(5, 4), log_channel=log_simplex(3, 2)),
        blames="log_channel",
    ),
    Rejects(
        "push_through_channel",
        "the columns of the channel sum to one, not its rows",
        given(log_probs=log_simplex(5, 2), log_channel=log_of([[0.2, 0.3, 0.9], [0.8, 0.7, 0.1]])),
        blames="log_channel",
    ),
    Rejects(
        "push_through_channel",
        "a row of p sums to 4",
        given(log_probs=zeros(5, 4), log_channel=log_simplex(4, 3)),
        blames="log_probs",
    ),
)
