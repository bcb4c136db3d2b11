"""Contracts of the conjugates of the generators, and of the critic's output maps (lectures 2 and 3)."""

import numpy as np

from shared_specs.foundations._cases import name_of, rejects_divergences
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, linspace, normal, zeros

# For each divergence: points t inside the domain, with f*(t) and its maximizer u*(t). Computed with mpmath at 40 digits.
ANCHORS = {
    ("total_variation", None): ([-2, -0.25, 0.375], [-0.5, -0.25, 0.375], [0.0, 1.0, 1.0]),
    ("kl", None): (
        [-2, 0.5, 3],
        [0.049787068367863944, 0.6065306597126334, 7.38905609893065],
        [0.049787068367863944, 0.6065306597126334, 7.38905609893065],
    ),
    ("reverse_kl", None): ([-3, -0.5], [-2.0986122886681096, -0.3068528194400547], [0.3333333333333333, 2.0]),
    ("pearson_chi_squared", None): ([-3, -1, 1.5], [-1.0, -0.75, 2.0625], [0.0, 0.5, 1.75]),
    ("neyman_chi_squared", None): ([-3, 0.5], [-2.0, 0.585786437626905], [0.5, 1.4142135623730951]),
    ("squared_hellinger", None): ([-3, 0.5], [-0.75, 1.0], [0.0625, 4.0]),
    ("jeffreys", None): (
        [-2, 0.5, 3],
        [-1.339149116821525, 0.5713080749567703, 9.45140099288571],
        [0.452910851609152, 1.30505946679502, 8.331372753898068],
    ),
    ("jensen_shannon", None): ([-2, 0.25], [-0.34197358525344945, 0.5230876350389367], [0.009242460226341672, 4.69348449872319]),
    ("gan", None): ([-2, -0.25], [0.14541345786885906, 1.5086915494460322], [0.15651764274966565, 3.5208116641877987]),
    ("alpha", -1.0): ([-4, 0.375], [-2.0, 0.5], [0.3333333333333333, 2.0]),
    ("alpha", 0.5): ([-2, 1.5], [-1.0, 6.0], [0.25, 16.0]),
    ("alpha", 3.0): (
        [-2, -0.25, 1.5],
        [-0.3333333333333333, -0.21548220313557542, 2.3333333333333335],
        [0.0, 0.7071067811865476, 2.0],
    ),
}
ALL = tuple(ANCHORS)
# The upper end of dom f*, which is f'(infinity), with f* there.
EDGES = {
    ("total_variation", None): (0.5, 0.5),
    ("reverse_kl", None): (0.0, np.inf),
    ("neyman_chi_squared", None): (1.0, 2.0),
    ("squared_hellinger", None): (1.0, np.inf),
    ("jensen_shannon", None): (LOG_2 / 2, np.inf),
    ("gan", None): (0.0, np.inf),
    ("alpha", -1.0): (0.5, 1.0),
    ("alpha", 0.5): (2.0, np.inf),
}
# f'(0) and -f(0) where they are finite: f* is constant below.
FLOORS = {("total_variation", None): (-0.5, -0.5), ("pearson_chi_squared", None): (-2.0, -1.0), ("alpha", 3.0): (-0.5, -1 / 3)}
# The generators as a textbook writes them, in u.
GENERATORS = {
    ("total_variation", None): lambda u: np.abs(u - 1) / 2,
    ("kl", None): lambda u: u * np.log(u),
    ("reverse_kl", None): lambda u: -np.log(u),
    ("pearson_chi_squared", None): lambda u: (u - 1) ** 2,
    ("neyman_chi_squared", None): lambda u: (1 - u) ** 2 / u,
    ("squared_hellinger", None): lambda u: (np.sqrt(u) - 1) ** 2,
    ("jeffreys", None): lambda u: (u - 1) * np.log(u),
    ("jensen_shannon", None): lambda u: (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)) / 2,
    ("gan", None): lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
    ("alpha", -1.0): lambda u: (1 / u - 1 + (u - 1)) / 2,
    ("alpha", 0.5): lambda u: 4 * (1 + (u - 1) / 2 - np.sqrt(u)),
    ("alpha", 3.0): lambda u: (u**3 - 1 - 3 * (u - 1)) / 6,
}


def _inside(row):
    """Eight points of the domain, none on a kink: across t = 0, where many conjugates vanish, and near the edge."""
    edge, _ = EDGES.get(row, (3.0, None))
    return edge - np.array([8.0, 3.3, 1.7, 1.01, 0.6, 0.2, 0.04, 1e-3])


SPEC = (
    # The conjugates and their maximizers.
    *(
        Agree(function, f"{name_of(d, a)}, inside the domain", given(t=_inside((d, a)), divergence=d, alpha=a))
        for function in ("fenchel_conjugate", "fenchel_conjugate_derivative")
        for d, a in ALL
    ),
    *(
        Agree(
            function,
            f"{name_of(d, a)}, near t = 0",
            given(t=[-0.3, -1e-2, -1e-4, -1e-7, 1e-6, 1e-3, 0.02, 0.3], divergence=d, alpha=a),
        )
        for function in ("fenchel_conjugate", "fenchel_conjugate_derivative")
        for d, a in ALL
        if EDGES.get((d, a), (1.0, None))[0] > 0
    ),
    *(
        Agree(
            function,
            f"{name_of(d, a)}, at the edge and beyond",
            given(
                t=[edge, edge + 1e-3, edge + 30.0, edge + 1000.0, edge - 30.0, edge - 12.0, edge, edge - 300.0],
                divergence=d,
                alpha=a,
            ),
            no_gradient="the value is infinite at some of the points",
        )
        for function in ("fenchel_conjugate", "fenchel_conjugate_derivative")
        for (d, a), (edge, _) in EDGES.items()
    ),
    *(
        Agree(
            function,
            f"{name_of(d, a)}, slopes of 30",
            given(t=[-300.0, -100.0, -30.0, -20.0, -12.0, 11.0, 20.0, 30.0], divergence=d, alpha=a),
        )
        for function in ("fenchel_conjugate", "fenchel_conjugate_derivative")
        for d, a in (("kl", None), ("pearson_chi_squared", None), ("jeffreys", None), ("alpha", 3.0))
    ),
    *(
        Anchor(
            "fenchel_conjugate",
            f"{name_of(d, a)}",
            given(t=np.array(t, dtype=np.float64), divergence=d, alpha=a),
            gives=conjugate,
            source="mpmath, closed form",
            near_misses={
                "the maximizer": u if u != conjugate else [value + 1 for value in u],
                "sign": [-value for value in conjugate],
                "half": [value / 2 for value in conjugate],
                "conjugate of 2f": [2 * value for value in conjugate],
            },
        )
        for (d, a), (t, conjugate, u) in ANCHORS.items()
    ),
    *(
        Anchor(
            "fenchel_conjugate_derivative",
            f"{name_of(d, a)}",
            given(t=np.array(t, dtype=np.float64), divergence=d, alpha=a),
            gives=u,
            source="mpmath, closed form",
            near_misses={
                "the ratio inverted": [1 / value if value else np.inf for value in u[:-1]] + [u[-1] + 1],
                "its logarithm": [np.log(value) if value else -np.inf for value in u],
            },
        )
        for (d, a), (t, _, u) in ANCHORS.items()
    ),
    Anchor(
        "fenchel_conjugate",
        "Pearson is flat below -2",
        given(t=[-2.5, -2.0, -1.5], divergence="pearson_chi_squared"),
        gives=[-1.0, -1.0, -0.9375],
        source="by hand; Nowozin et al. 2016 print the parabola, the conjugate over all real u",
        near_misses={"the parabola rises again": [-0.9375, -1.0, -0.9375]},
    ),
    Anchor(
        "fenchel_conjugate",
        "total variation: flat, slope one, infinite",
        given(t=[-0.75, -0.5, 0.0, 0.5, 0.75], divergence="total_variation"),
        gives=[-0.5, -0.5, 0.0, 0.5, np.inf],
        source="by hand; Nowozin et al. 2016 give the domain as [-1/2, 1/2]",
        near_misses={
            "the domain is open": [-0.5, -0.5, 0.0, np.inf, np.inf],
            "no domain": [-0.5, -0.5, 0.0, 0.5, 0.75],
            "infinite below": [np.inf, -0.5, 0.0, 0.5, np.inf],
            "clipped to the domain": [-0.5, -0.5, 0.0, 0.5, 0.5],
        },
    ),
    Anchor(
        "fenchel_conjugate",
        "Jensen and Shannon, with the half in the generator",
        given(t=[-1.0, 0.0, 0.34], divergence="jensen_shannon"),
        gives=[-0.31154063019983197, 0.0, 1.8224835785749935],
        source="mpmath: -log(2 - e^2t)/2",
        near_misses={
            "of the generator without the half": [-0.48988012564475, 0.0, 0.5191057942291977],
            "twice": [-0.6230812603996639, 0.0, 3.644967157149987],
        },
    ),
    Anchor(
        "fenchel_conjugate",
        "GAN, t so small that 1 - e^t rounds",
        given(t=[-1e-9, -1e-5, -20.0], divergence="gan"),
        gives=[20.723265837446412, 11.512930464966061, 2.061153624562735e-09],
        source="mpmath: -log(1 - e^t)",
        near_misses={"1 - e^t in float32": [np.inf, 11.513, 0.0]},
    ),
    *(
        Anchor(
            "fenchel_conjugate",
            f"{name_of(d, a)} around the end of its domain",
            given(t=[edge, edge + 0.25], divergence=d, alpha=a),
            gives=[value, np.inf],
            source="f*(f'(infinity)) by hand, and the definition beyond",
            near_misses={
                "not a number beyond": [value, np.nan],
                "finite beyond": [value, 5.0],
                "shifted": [value + 1 if value < 9 else 3.0, np.inf],
            },
        )
        for (d, a), (edge, value) in EDGES.items()
    ),
    Anchor(
        "fenchel_conjugate_derivative",
        "total variation: 0, then 1, then none",
        given(t=[-0.75, 0.0, 0.5, 0.75], divergence="total_variation"),
        gives=[0.0, 1.0, 1.0, np.inf],
        source="by hand",
        near_misses={"the slope of a clipped conjugate": [0.0, 1.0, 1.0, 0.0], "not a number beyond": [0.0, 1.0, 1.0, np.nan]},
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: the conjugate's slope is the maximizer",
            given(t=_inside((d, a))),
            left=lambda f, t, d=d, a=a: f.gradient("fenchel_conjugate", t, divergence=d, alpha=a),
            right=lambda f, t, d=d, a=a: f.fenchel_conjugate_derivative(t, divergence=d, alpha=a),
        )
        for d, a in (("jeffreys", None), ("jensen_shannon", None), ("alpha", 0.5))
    ),
    *(
        Law.at_least(
            f"{name_of(d, a)}: u t <= f(u) + f*(t)",
            given(t=_inside((d, a)), log_u=linspace(-2.5, 2.2, 7)),
            left=lambda f, t, log_u, d=d, a=a: (
                GENERATORS[d, a](np.exp(log_u))[:, None] + f.fenchel_conjugate(t, divergence=d, alpha=a)
            ),
            right=lambda f, t, log_u: np.exp(log_u)[:, None] * t,
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: u t = f(u) + f*(t) at the maximizer",
            given(t=_inside((d, a))[2:6]),
            left=lambda f, t, d=d, a=a: (
                f.fenchel_conjugate_derivative(t, divergence=d, alpha=a) * t - f.fenchel_conjugate(t, divergence=d, alpha=a)
            ),
            right=lambda f, t, d=d, a=a: GENERATORS[d, a](f.fenchel_conjugate_derivative(t, divergence=d, alpha=a)),
        )
        for d, a in ALL
        if (d, a) not in FLOORS  # there u* = 0 at some of the points, where the textbook's formulas take log 0
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: f* = -f(0) at and below f'(0)",
            given(t=first - np.array([0.0, 1e-3, 0.5, 4.0])),
            left=lambda f, t, d=d, a=a: f.fenchel_conjugate(t, divergence=d, alpha=a),
            right=floor,
        )
        for (d, a), (first, floor) in FLOORS.items()
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: no gradient is NaN beyond the domain",
            given(t=edge + np.array([-300.0, -1.0, 0.0, 1e-3, 0.5, 2.0, 30.0, 1000.0])),
            left=lambda f, t, d=d, a=a: np.isnan(f.gradient("fenchel_conjugate", t, divergence=d, alpha=a)),
            right=0.0,
        )
        for (d, a), (edge, _) in EDGES.items()
        if d in ("neyman_chi_squared", "gan", "jensen_shannon", "alpha")
    ),
    # The output maps.
    *(
        Agree(
            "output_activation",
            f"{name_of(d, a)}, -20 to 20",
            given(v=np.array([-20.0, -7.0, -1.5, -1e-3, 1e-4, 0.8, 6.0, 20.0]), divergence=d, alpha=a),
        )
        for d, a in ALL
    ),
    *(
        Anchor(
            "output_activation",
            f"{name_of(d, a)} at -log 2, 0, log 3",
            given(v=[-LOG_2, 0.0, 1.0986122886681098], divergence=d, alpha=a),
            gives=gives,
            source="by hand; Nowozin et al. 2016, table 2",
            near_misses=near_misses | {"sign of v": gives[::-1]},
        )
        for d, a, gives, near_misses in (
            ("total_variation", None, [-0.3, 0.0, 0.4], {"without the half": [-0.6, 0.0, 0.8]}),
            ("kl", None, [-LOG_2, 0.0, 1.0986122886681098], {"minus one": [-1.6931471805599454, -1.0, 0.0986122886681098]}),
            ("reverse_kl", None, [-2.0, -1.0, -1 / 3], {"-e^v": [-0.5, -1.0, -3.0]}),
            ("pearson_chi_squared", None, [-LOG_2, 0.0, 1.0986122886681098], {"-e^-v": [-2.0, -1.0, -1 / 3]}),
            ("neyman_chi_squared", None, [-1.0, 0.0, 2 / 3], {"1 - e^v": [0.5, 0.0, -2.0]}),
            ("squared_hellinger", None, [-1.0, 0.0, 2 / 3], {"tanh": [-0.6, 0.0, 0.8]}),
            ("jeffreys", None, [-LOG_2, 0.0, 1.0986122886681098], {"squashed": [-0.6, 0.0, 0.8]}),
            (
                "jensen_shannon",
                None,
                [-0.2027325540540822, 0.0, 0.2027325540540822],
                {"for the generator without the half": [-0.4054651081081644, 0.0, 0.4054651081081644]},
            ),
            (
                "gan",
                None,
                [-1.0986122886681098, -LOG_2, -0.28768207245178096],
                {"sigmoid": [1 / 3, 0.5, 0.75], "-softplus(v)": [-0.4054651081081644, -LOG_2, -1.3862943611198906]},
            ),
            (
                "alpha",
                0.5,
                [0.9013877113318902, 1.3068528194400546, 1.7123179275482191],
                {"1/alpha": [0.9013877113318902 - 1, 1.3068528194400546 - 1, 1.7123179275482191 - 1]},
            ),
            (
                "alpha",
                -1.0,
                [-0.5986122886681098, -0.1931471805599453, 0.21231792754821904],
                {"1/alpha": [-2.0986122886681098, -1.6931471805599454, -1.287682072451781]},
            ),
            (
                "alpha",
                3.0,
                [-LOG_2, 0.0, 1.0986122886681098],
                {"bounded": [-1.5986122886681098, -1.1931471805599454, -0.787682072451781]},
            ),
        )
    ),
    *(
        Law.at_least(
            f"{name_of(d, a)}: the output map does not decrease",
            given(v=linspace(-30.0, 30.0, 8)),
            left=lambda f, v, d=d, a=a: np.diff(f.output_activation(v, divergence=d, alpha=a)),
            right=0.0,
        )
        for d, a in ALL
    ),
    *(
        Law.equal(
            f"{name_of(d, a)}: the output map stays in the domain",
            given(v=linspace(-12.0, 9.0, 8)),
            left=lambda f, v, d=d, a=a: np.isfinite(
                f.fenchel_conjugate(f.output_activation(v, divergence=d, alpha=a), divergence=d, alpha=a)
            ),
            right=1.0,
        )
        for d, a in ALL
    ),
    # Wright's omega.
    Agree("wright_omega", "regular", given(x=linspace(-5.0, 20.0, 8))),
    Agree("wright_omega", "near omega = 1", given(x=[1 - 1e-2, 1 - 1e-9, 1.0, 1 + 1e-12, 1 + 1e-5, 1.3, 1.7, 2.0])),
    Agree("wright_omega", "far", given(x=[-700.0, -80.0, -60.0, -20.0, 50.0, 1e3, 1e6, 1e15])),
    Anchor(
        "wright_omega",
        "known values",
        given(x=[0.0, 1.0, 3.718281828459045, -6.907755278982137 + 1e-3]),
        gives=[0.5671432904097838, 1.0, 2.718281828459045, 1e-3],
        source="the omega constant W(1); 1 + log 1, e + log e, 0.001 + log 0.001",
        near_misses={
            "Lambert's W of x": [0.0, 0.5671432904097838, 1.1636115352983526, -1.0],
            "its logarithm": [-0.5671432904097838, 0.0, 1.0, -6.907755278982137],
        },
    ),
    Law.inverse(
        "omega + log omega = x",
        given(x=linspace(-5.0, 20.0, 9)),
        round_trip=lambda f, x: f.wright_omega(x) + np.log(f.wright_omega(x)),
        start=lambda f, x: x,
    ),
    Law.equal(
        "the slope of omega is omega/(1 + omega)",
        given(x=linspace(-4.0, 30.0, 7)),
        left=lambda f, x: f.gradient("wright_omega", x),
        right=lambda f, x: f.wright_omega(x) / (1 + f.wright_omega(x)),
    ),
    # The discrete transform.
    Agree("discrete_legendre_transform", "regular", given(slopes=normal(5), points=normal(8), values=normal(8))),
    Agree(
        "discrete_legendre_transform",
        "points outside the domain",
        given(slopes=normal(5), points=linspace(-1.0, 1.5, 4), values=np.array([np.inf, 0.3, -0.2, np.inf])),
    ),
    Agree("discrete_legendre_transform", "one point", given(slopes=normal(5), points=normal(1), values=normal(1))),
    Anchor(
        "discrete_legendre_transform",
        "a parabola on three points",
        given(slopes=[-3.0, 0.5, 2.0], points=[-1.0, 0.0, 2.0], values=[1.0, 0.0, 4.0]),
        gives=[2.0, 0.0, 0.0],
        source="by hand",
        near_misses={
            "plus the values": [4.0, 1.0, 8.0],
            "the minimum": [-10.0, -3.0, -3.0],
            "the maximizing point": [-1.0, 0.0, 0.0],
        },
    ),
    Law.equal(
        "transforming twice gives the values of a convex function back",
        given(points=linspace(-1.6, 2.0, 7)),
        left=lambda f, points: f.discrete_legendre_transform(
            points, 4 * points**3, f.discrete_legendre_transform(4 * points**3, points, points**4)
        ),
        right=lambda f, points: points**4,
    ),
    Law.at_least(
        "the transform is convex in the slope",
        given(slopes=normal(6), others=normal(6), points=normal(8), values=normal(8)),
        left=lambda f, slopes, others, points, values: (
            f.discrete_legendre_transform(slopes, points, values) + f.discrete_legendre_transform(others, points, values)
        ),
        right=lambda f, slopes, others, points, values: 2 * f.discrete_legendre_transform((slopes + others) / 2, points, values),
    ),
    # What is refused.
    *rejects_divergences("fenchel_conjugate", {"t": -np.ones(4)}),
    *rejects_divergences("fenchel_conjugate_derivative", {"t": -np.ones(4)}),
    *rejects_divergences("output_activation", {"v": -np.ones(4)}),
    Rejects(
        "discrete_legendre_transform",
        "slopes have two axes",
        given(slopes=zeros(2, 3), points=zeros(4), values=zeros(4)),
        blames="slopes",
    ),
    Rejects(
        "discrete_legendre_transform",
        "points have two axes",
        given(slopes=zeros(2), points=zeros(4, 3), values=zeros(4)),
        blames="points",
    ),
    Rejects(
        "discrete_legendre_transform", "lengths differ", given(slopes=zeros(2), points=zeros(4), values=zeros(3)), blames="values"
    ),
    Rejects(
        "discrete_legendre_transform", "no points", given(slopes=zeros(2), points=zeros(0), values=zeros(0)), blames="points"
    ),
)
