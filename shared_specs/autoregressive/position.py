"""Contracts of position embeddings (lecture 47)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, normal, uniform, zeros

PLACES = [0, 1, 2, 5, 11]
FAR = [0, -3, 1000, 99_999, 100_000]
X, ANGLES, LAYOUTS = normal(2, 3, 5, 8), normal(5, 4, scale=2.0), ("interleaved", "half")
# Rotations by the angles of the 3-4-5 and the 7-24-25 triangle: cos 0.6 and sin 0.8, cos 0.28 and sin 0.96.
TRIANGLES = [[0.9272952180016122, 1.2870022175865687]]
# T5's own sizes, and ten buckets of which the last five begin at 5, 10, 20, 40, 80: a logarithm rounded down misses three.
T5 = dict(buckets=32, maximum_distance=128)
POWERS = dict(buckets=10, maximum_distance=160)
TABLE = normal(9, 8)


def scores(f, query, key, query_places, key_places, layout):
    """Inner products of rotated queries and keys, [B, H, Tq, Tk]."""
    sides = (
        f.apply_rotary(x, f.rotary_angles(places, head_width=x.shape[-1]), layout=layout)
        for x, places in ((query, query_places), (key, key_places))
    )
    return np.einsum("bhqd,bhkd->bhqk", *sides)


def both(function):
    """The values for the two layouts."""
    return np.stack([function(layout) for layout in LAYOUTS])


SPEC = (
    # Sinusoids.
    Agree("sinusoidal_positions", "regular", given(positions=PLACES, width=6)),
    Agree("sinusoidal_positions", "sines before cosines, another base",
          given(positions=PLACES, width=6, base=200.0, layout="half")),
    Agree("sinusoidal_positions", "far away", given(positions=FAR, width=6),
          edge="an angle of many turns from a frequency rounded to float32"),
    Agree("sinusoidal_positions", "one pair", given(positions=PLACES, width=2)),
    Anchor(
        "sinusoidal_positions", "angles 1 and 1/100", given(positions=[0, 1], width=4),
        gives=[[0.0, 1.0, 0.0, 1.0], [0.8414709848078965, 0.5403023058681398, 0.009999833334166664, 0.9999500004166653]],
        source="sin and cos by mpmath",
        near_misses={
            "exponent i/width": [[0.0, 1.0, 0.0, 1.0],
                                 [0.8414709848078965, 0.5403023058681398, 0.09983341664682815, 0.9950041652780258]],
            "sines before cosines": [[0.0, 0.0, 1.0, 1.0],
                                     [0.8414709848078965, 0.009999833334166664, 0.5403023058681398, 0.9999500004166653]],
            "cosine first": [[1.0, 0.0, 1.0, 0.0],
                             [0.5403023058681398, 0.8414709848078965, 0.9999500004166653, 0.009999833334166664]],
            "positions from 1": [[0.8414709848078965, 0.5403023058681398, 0.009999833334166664, 0.9999500004166653],
                                 [0.9092974268256817, -0.4161468365471424, 0.01999866669333308, 0.9998000066665778]],
        },
    ),
    Anchor(
        "sinusoidal_positions", "angles 2 and 1/2", given(positions=[2], width=4, base=16.0, layout="half"),
        gives=[[0.9092974268256817, 0.479425538604203, -0.4161468365471424, 0.8775825618903728]], source="sin and cos by mpmath",
        near_misses={"interleaved": [[0.9092974268256817, -0.4161468365471424, 0.479425538604203, 0.8775825618903728]]},
    ),
    Anchor("sinusoidal_positions", "100,000 radians", given(positions=[100_000], width=2),
           gives=[[0.03574879797201651, -0.9993608074382124]], source="mpmath with 30 digits",
           near_misses={"an angle rounded to half a percent": [[0.0308, -0.9995]]}),
    Law.equal("inner products know the distance alone", given(positions=PLACES),
              left=lambda f, p: f.sinusoidal_positions(p, width=6) @ f.sinusoidal_positions(p, width=6).T,
              right=lambda f, p: f.sinusoidal_positions(p + 9, width=6) @ f.sinusoidal_positions(p + 9, width=6).T),
    Anchor("sinusoidal_positions", "position 255", given(positions=[255], width=2), gives=[[np.sin(255.0), np.cos(255.0)]],
           source="NumPy"),
    Rejects("sinusoidal_positions", "an odd width", given(positions=PLACES, width=5), blames="width"),
    Rejects("sinusoidal_positions", "no such layout", given(positions=PLACES, width=4, layout="split"), blames="layout"),
    Rejects("sinusoidal_positions", "a base of 0", given(positions=PLACES, width=4, base=0.0), blames="base"),
    Rejects("sinusoidal_positions", "positions that are no integers", given(positions=[0.5, 1.5], width=4), blames="positions"),
    Rejects("sinusoidal_positions", "a batch of positions", given(positions=[PLACES, PLACES], width=4), blames="positions"),
    # Rotations.
    Agree("rotary_angles", "regular", given(positions=integers(2, 5, high=64), head_width=6)),
    Agree("rotary_angles", "interpolated, another base", given(positions=PLACES, head_width=6, base=500.0, scale=2.5)),
    Agree("rotary_angles", "far away", given(positions=FAR, head_width=6)),
    Agree("rotary_angles", "one position", given(positions=np.array(7), head_width=6)),
    Anchor("rotary_angles", "1 and 1/100 a step", given(positions=[0, 3, 100], head_width=4),
           gives=[[0.0, 0.0], [3.0, 0.03], [100.0, 1.0]], source="10000^(-2/4) = 1/100",
           near_misses={"exponent i/D": [[0.0, 0.0], [3.0, 0.3], [100.0, 10.0]],
                        "exponent 2i/(D - 2)": [[0.0, 0.0], [3.0, 0.0003], [100.0, 0.01]],
                        "positions from 1": [[1.0, 0.01], [4.0, 0.04], [101.0, 1.01]]}),
    Anchor("rotary_angles", "four times the trained length", given(positions=[0, 3, 100], head_width=4, scale=4.0),
           gives=[[0.0, 0.0], [0.75, 0.0075], [25.0, 0.25]], source="a quarter of the angles above",
           near_misses={"stretched": [[0.0, 0.0], [12.0, 0.12], [400.0, 4.0]],
                        "the base scaled": [[0.0, 0.0], [3.0, 0.015], [100.0, 0.5]],
                        "not scaled": [[0.0, 0.0], [3.0, 0.03], [100.0, 1.0]]}),
    Law.equal("angles add", given(p=PLACES, q=FAR),
              left=lambda f, p, q: f.rotary_angles(p, head_width=6) + f.rotary_angles(q, head_width=6),
              right=lambda f, p, q: f.rotary_angles(p + q, head_width=6)),
    Anchor("rotary_angles", "position 255", given(positions=[255, 0], head_width=2), gives=[[255.0], [0.0]], source="by hand"),
    Rejects("rotary_angles", "an odd width", given(positions=PLACES, head_width=7), blames="head_width"),
    Rejects("rotary_angles", "a scale of 0", given(positions=PLACES, head_width=4, scale=0.0), blames="scale"),
    Rejects("rotary_angles", "a negative base", given(positions=PLACES, head_width=4, base=-1.0), blames="base"),
    Rejects("rotary_angles", "positions that are no integers", given(positions=[0.5, 1.5], head_width=4), blames="positions"),
    Agree("apply_rotary", "neighbors", given(x=X, angles=ANGLES, layout="interleaved")),
    Agree("apply_rotary", "halves", given(x=X, angles=ANGLES, layout="half")),
    Agree("apply_rotary", "100,000 tokens away", given(x=X, angles=uniform(5, 4, low=9e4, high=1e5), layout="half")),
    Agree("apply_rotary", "one pair", given(x=normal(2, 3, 5, 2), angles=normal(5, 1), layout="interleaved")),
    Anchor(
        "apply_rotary", "two triangles, neighbors",
        given(x=[[[[5.0, 10.0, 25.0, 50.0]]]], angles=TRIANGLES, layout="interleaved"), gives=[[[[-5.0, 10.0, -41.0, 38.0]]]],
        source="(5, 10) by 0.6 + 0.8i, (25, 50) by 0.28 + 0.96i",
        near_misses={"halves": [[[[-17.0, -45.2, 19.0, 23.6]]]], "the other way round": [[[[11.0, 2.0, 55.0, -10.0]]]],
                     "halves with the neighbors' angles": [[[[-17.0, -34.0, 11.8, 23.6]]]]},
    ),
    Anchor(
        "apply_rotary", "two triangles, halves",
        given(x=[[[[5.0, 10.0, 25.0, 50.0]]]], angles=TRIANGLES, layout="half"), gives=[[[[-17.0, -45.2, 19.0, 23.6]]]],
        source="(5, 25) by 0.6 + 0.8i, (10, 50) by 0.28 + 0.96i",
        near_misses={"neighbors": [[[[-5.0, 10.0, -41.0, 38.0]]]], "the other way round": [[[[23.0, 50.8, 11.0, 4.4]]]],
                     "halves with the neighbors' angles": [[[[-17.0, -34.0, 11.8, 23.6]]]]},
    ),
    Law.equal("a rotation keeps lengths", given(x=X, angles=ANGLES),
              left=lambda f, x, angles: both(lambda layout: (f.apply_rotary(x, angles, layout=layout) ** 2).sum(-1)),
              right=lambda f, x, angles: (x * x).sum(-1)),
    Law.equal("scores know the distance alone", given(query=X, key=X, places=PLACES),
              left=lambda f, query, key, p: both(lambda layout: scores(f, query, key, p, p, layout)),
              right=lambda f, query, key, p: both(lambda layout: scores(f, query, key, p + 30, p + 30, layout))),
    Law.equal("rotated keys rotated again stand elsewhere", given(x=X, angles=ANGLES, more=ANGLES),
              left=lambda f, x, angles, more: both(
                  lambda layout: f.apply_rotary(f.apply_rotary(x, angles, layout=layout), more, layout=layout)),
              right=lambda f, x, angles, more: both(lambda layout: f.apply_rotary(x, angles + more, layout=layout))),
    Law.inverse("turned and turned back", given(x=X, angles=ANGLES),
                round_trip=lambda f, x, angles: both(
                    lambda layout: f.apply_rotary(f.apply_rotary(x, angles, layout=layout), -angles, layout=layout)),
                start=lambda f, x, angles: x),
    Law.equal("the layouts are one another's permutation", given(x=X, angles=ANGLES, order=[0, 4, 1, 5, 2, 6, 3, 7]),
              left=lambda f, x, angles, order: f.apply_rotary(x[..., order], angles, layout="interleaved"),
              right=lambda f, x, angles, order: f.apply_rotary(x, angles, layout="half")[..., order]),
    Rejects("apply_rotary", "no such layout", given(x=zeros(1, 2, 3, 4), angles=zeros(3, 2), layout="split"), blames="layout"),
    Rejects("apply_rotary", "an odd width", given(x=zeros(1, 2, 3, 5), angles=zeros(3, 2), layout="half"), blames="x"),
    Rejects("apply_rotary", "an angle for every feature",
            given(x=zeros(1, 2, 3, 4), angles=zeros(3, 4), layout="half"), blames="angles"),
    Rejects("apply_rotary", "more positions than tokens",
            given(x=zeros(1, 2, 3, 4), angles=zeros(5, 2), layout="half"), blames="angles"),
    Rejects("apply_rotary", "no heads", given(x=zeros(2, 3, 4), angles=zeros(3, 2), layout="half"), blames="x"),
    # Slopes.
    Agree("alibi_slopes", "a power of two", given(heads=8)),
    Agree("alibi_slopes", "one head", given(heads=1)),
    Agree("alibi_slopes", "one head less than a power", given(heads=15)),
    Anchor("alibi_slopes", "six heads", given(heads=6), gives=[1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8],
           source="those of four, then the first and third of eight",
           near_misses={"2^(-8h/6)": [0.3968502629920499, 0.15749013123685915, 0.0625, 0.02480314143700312,
                                      0.009843133202303697, 0.00390625],
                        "the first two of eight": [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 4],
                        "the second and fourth of eight": [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 4, 1 / 16],
                        "the first six of eight": [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64],
                        "sorted": [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 64, 1 / 256]}),
    Anchor("alibi_slopes", "twelve heads", given(heads=12),
           gives=[1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256, 0.7071067811865476, 0.3535533905932738,
                  0.1767766952966369, 0.08838834764831845],
           source="those of eight, then 2^(-1/2), 2^(-3/2), ... by mpmath"),
    Rejects("alibi_slopes", "no head", given(heads=0), blames="heads"),
    Agree("alibi_bias", "six heads, a past", given(heads=6, query_length=3, key_length=5)),
    Agree("alibi_bias", "one query", given(heads=1, query_length=1, key_length=4)),
    Anchor(
        "alibi_bias", "two queries at the end of three keys", given(heads=2, query_length=2, key_length=3),
        gives=[[[-0.0625, 0.0, -np.inf], [-0.125, -0.0625, 0.0]], [[-0.00390625, 0.0, -np.inf], [-0.0078125, -0.00390625, 0.0]]],
        source="slopes 1/16 and 1/256 by hand",
        near_misses={
            "positive": [[[0.0625, 0.0, -np.inf], [0.125, 0.0625, 0.0]],
                         [[0.00390625, 0.0, -np.inf], [0.0078125, 0.00390625, 0.0]]],
            "both begin at once": [[[0.0, -np.inf, -np.inf], [-0.0625, 0.0, -np.inf]],
                                   [[0.0, -np.inf, -np.inf], [-0.00390625, 0.0, -np.inf]]],
            "the future is seen": [[[-0.0625, 0.0, 0.0625], [-0.125, -0.0625, 0.0]],
                                   [[-0.00390625, 0.0, 0.00390625], [-0.0078125, -0.00390625, 0.0]]],
            "the key's position alone": [[[0.0, 0.0625, -np.inf], [0.0, 0.0625, 0.125]],
                                         [[0.0, 0.00390625, -np.inf], [0.0, 0.00390625, 0.0078125]]],
        },
    ),
    Law.equal("one query in the middle of more", given(),
              left=lambda f: f.alibi_bias(heads=3, query_length=4, key_length=6)[:, :2, :4],
              right=lambda f: f.alibi_bias(heads=3, query_length=2, key_length=4)),
    Rejects("alibi_bias", "more queries than keys", given(heads=2, query_length=3, key_length=2), blames="query_length"),
    Rejects("alibi_bias", "no query", given(heads=2, query_length=0, key_length=2), blames="query_length"),
    Rejects("alibi_bias", "no head", given(heads=0, query_length=2, key_length=2), blames="heads"),
    # Buckets.
    Agree("relative_position_bucket", "every distance, in a table", given(distance=np.arange(-4, 136).reshape(4, 35), **T5)),
    Agree("relative_position_bucket", "around the powers", given(distance=np.arange(-4, 136).reshape(4, 35), **POWERS)),
    Agree("relative_position_bucket", "an odd number of buckets",
          given(distance=np.arange(-4, 136).reshape(4, 35), buckets=7, maximum_distance=20)),
    Agree("relative_position_bucket", "two buckets", given(distance=[-1, 0, 1, 2, 9], buckets=2, maximum_distance=4)),
    Agree("relative_position_bucket", "more buckets than distances",
          given(distance=np.arange(-4, 136).reshape(4, 35), buckets=32, maximum_distance=20)),
    Anchor(
        "relative_position_bucket", "T5's", given(distance=[-5, 0, 7, 15, 16, 18, 19, 31, 32, 63, 64, 112, 113, 128, 1000], **T5),
        gives=[0, 0, 7, 15, 16, 16, 17, 21, 21, 26, 26, 30, 31, 31, 31], source="mpmath with 30 digits",
        near_misses={
            "half of the buckets for the future": [21, 0, 7, 9, 10, 10, 10, 11, 12, 13, 14, 15, 15, 15, 15],
            "key less query": [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "the distance's size": [5, 0, 7, 15, 16, 16, 17, 21, 21, 26, 26, 30, 31, 31, 31],
            "rounded up": [0, 0, 7, 15, 16, 17, 18, 22, 22, 27, 27, 31, 31, 31, 31],
            "not saturating": [0, 0, 7, 15, 16, 16, 17, 21, 21, 26, 26, 30, 31, 32, 47],
        },
    ),
    Anchor(
        "relative_position_bucket", "buckets that begin at 5, 10, 20, 40, 80",
        given(distance=[4, 5, 9, 10, 19, 20, 39, 40, 79, 80, 160], **POWERS), gives=[4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9],
        source="by hand: 32^(1/5) = 2", near_misses={"a logarithm rounded down": [4, 5, 5, 5, 6, 6, 7, 8, 8, 8, 9]},
    ),
    Law.at_least("a longer way never has a lower bucket", given(distance=np.arange(-3, 300)),
                 left=lambda f, distance: f.relative_position_bucket(distance + 1, **T5),
                 right=lambda f, distance: f.relative_position_bucket(distance, **T5)),
    Law.equal("near distances are their own bucket", given(distance=np.arange(16)),
              left=lambda f, distance: f.relative_position_bucket(distance, **T5), right=lambda f, distance: distance),
    Anchor("relative_position_bucket", "600 buckets", given(distance=[0, 255, 1], buckets=600, maximum_distance=1000),
           gives=[0, 255, 1], source="below 300 the distance itself"),
    Rejects("relative_position_bucket", "one bucket", given(distance=[1, 2], buckets=1, maximum_distance=8), blames="buckets"),
    Rejects("relative_position_bucket", "no logarithmic range", given(distance=[1, 2], buckets=8, maximum_distance=4),
            blames="maximum_distance"),
    Rejects("relative_position_bucket", "distances that are no integers", given(distance=[0.5, 1.5], **T5), blames="distance"),
    # Tables.
    Agree("add_learned_positions", "regular", given(x=normal(2, 5, 8), table=TABLE)),
    Agree("add_learned_positions", "after three tokens", given(x=normal(2, 5, 8), table=TABLE, offset=3)),
    Agree("add_learned_positions", "to the end of the table", given(x=normal(2, 5, 8), table=TABLE, offset=4)),
    Anchor("add_learned_positions", "the second and third of three",
           given(x=[[[1.0, 2.0], [3.0, 4.0]]], table=[[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], offset=1),
           gives=[[[31.0, 42.0], [53.0, 64.0]]], source="by hand",
           near_misses={"from the first": [[[11.0, 22.0], [33.0, 44.0]]],
                        "one position for all": [[[31.0, 42.0], [33.0, 44.0]]]}),
    Law.equal("token by token is all at once", given(x=normal(2, 5, 8), table=TABLE),
              left=lambda f, x, table: np.concatenate(
                  [f.add_learned_positions(x[:, t : t + 1], table, offset=t + 2) for t in range(5)], axis=1),
              right=lambda f, x, table: f.add_learned_positions(x, table, offset=2)),
    Rejects("add_learned_positions", "beyond the table", given(x=zeros(2, 3, 4), table=zeros(5, 4), offset=3), blames="offset"),
    Rejects("add_learned_positions", "one token beyond the table", given(x=zeros(2, 1, 4), table=zeros(5, 4), offset=5),
            blames="offset"),
    Rejects("add_learned_positions", "more tokens than positions", given(x=zeros(2, 6, 4), table=zeros(5, 4)), blames="offset"),
    Rejects("add_learned_positions", "a negative offset", given(x=zeros(2, 3, 4), table=zeros(5, 4), offset=-1), blames="offset"),
    Rejects("add_learned_positions", "a table of another width", given(x=zeros(2, 3, 4), table=zeros(5, 1)), blames="table"),
    Rejects("add_learned_positions", "no batch", given(x=zeros(3, 4), table=zeros(5, 4)), blames="x"),
    Rejects("add_learned_positions", "a table of one axis", given(x=zeros(2, 3, 4), table=zeros(4)), blames="table"),
)  # fmt: skip
