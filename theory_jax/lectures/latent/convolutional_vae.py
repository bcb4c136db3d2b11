"""From a vector to an image: convolutions, their transposes, and checkerboards.

The lecture on the functions of theory_jax/latent/convolutional_vae.py.
"""

import jax.numpy as jnp
import numpy as np
from jax import grad
from sympy import KroneckerDelta, Matrix, floor

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Inner, Slope, Total, plus
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.convolutional_vae import average_pool, convolution2d, nearest_upsample, transposed_convolution2d

derivation = Derivation(
    module=__name__,
    title="From a vector to an image: convolutions, their transposes, and checkerboards",
    sources=(
        "Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning",
        "Odena, Dumoulin & Olah 2016, Deconvolution and checkerboard artifacts",
        "Zeiler et al. 2010, Deconvolutional networks",
    ),
    question="The images of a convolutional decoder often have the pattern of a checkerboard, even where they should be "
    "constant. The encoder halves the sides of an image again and again, and the decoder doubles them. Why is the layer that "
    "doubles called a transposed convolution, how large are its outputs, and where does the checkerboard come from?",
    setting=(
        r"One axis is enough: an image has two, and each is treated alike; channels only add sums. An input $x_u$ has $H$ "
        r"entries, counted from 0, and is 0 outside. A kernel $w_a$ has $h$ entries; the stride is $s$, the padding $p$.",
        r"The convolution has the $H'$ outputs $\sum_a w_a x_{s i + a - p}$, for every $i$ from 0 on whose window of $h$ entries "
        r"is on the padded axis. The transposed one sends $y$ back: entry $i$, times $w_a$, is added to the position $s i + a - "
        "p$. The bias is left out.",
    ),
    limits=(
        "Dilations, and paddings other than by zeros.",
        "That trained networks draw checkerboards: equal counts remove the bias to them, but the weights can still draw them.",
        "Borders: there a window sees padding, so that the statements about shifts and constants do not hold.",
    ),
)

# ---------------------------------------------------------------------------------------------------- sizes

derivation.symbol("H", "the length of the input")
derivation.symbol("H'", "the length of the output")
derivation.symbol("h", "the length of the kernel")
derivation.symbol("s", "the stride", "stride")
derivation.symbol("p", "the padding on each side", "padding")
_GEOMETRIES = [
    (side, h, s, p) for side in range(1, 10) for p in range(3) for s in range(1, 5) for h in range(1, side + 2 * p + 1)
]


@derivation.exact(
    r"H' = \left\lfloor \frac{H + 2p - h}{s} \right\rfloor + 1, \qquad (H' - 1)s - 2p + h = H - (H + 2p - h) \bmod s",
    because="The last window begins at the largest multiple of the stride that is at most $H + 2p - h$. The transposed one makes "
    "$(H' - 1) s + h$ positions and crops the padding. Left: windows counted one by one, and from their last position. Right: "
    "the two formulas, for inputs of up to 9, paddings of up to 2, strides of up to 4 and all kernels that fit.",
    outcomes=len(_GEOMETRIES),
)
def lengths():
    counted, formulas, wrong = [], [], []
    for side, h, s, p in _GEOMETRIES:
        begins = [start for start in range(0, side + 2 * p, s) if start + h <= side + 2 * p]
        counted.append((len(begins), begins[-1] + h - 2 * p))
        formulas.append(((side + 2 * p - h) // s + 1, side - (side + 2 * p - h) % s))
        wrong.append((-(-(side + 2 * p - h) // s) + 1, side))
    return Sides(
        left=np.array(counted),
        right=np.array(formulas),
        wrong={"rounded up, and always back to the size of the input": np.array(wrong)},
    )


# ---------------------------------------------------------------------------------------------------- the transpose

derivation.say(
    "From here on take an input of 6, a kernel of 4, the stride 2 and the padding 1, the layer that halves: to 3, and back to 6. "
    "Another geometry only changes the sizes of the matrix."
)
u = derivation.index("u", "a position of the input", states=6)
i = derivation.index("i", "a position of the output", states=3)
a = derivation.index("a", "a position in the kernel", states=4)
w = derivation.numbers("w", a, "the kernel", "weight")
x = derivation.numbers("x", u, "the input")
y = derivation.numbers("y", i, "any numbers, one for each output")
hit = KroneckerDelta(u, 2 * i + a - 1)
C = derivation.define("C", Total(a, w * hit), "the convolution as a matrix", over=(i, u))
of_x = derivation.define("(Cx)", Total(u, C * x), "the convolution", "convolution2d", over=i)
of_y = derivation.define(r"(C^\top y)", Total(i, C * y), "its transpose", "transposed_convolution2d", over=u)
there_and_back = Inner(i, of_x, y), Inner(u, x, of_y)
derivation.answer = prose(
    "The layer that doubles is the transpose of the matrix of a convolution, {transpose} for all $x$ and $y$, and the gradient "
    r"of a convolution by its input, with the same weights. It restores the size $H$ if the stride divides $H + 2p - h$. A "
    r"position of its output, away from the border, collects $\lceil h/s \rceil$ or $\lfloor h/s \rfloor$ entries of the kernel, "
    "the same number everywhere only if the stride divides $h$. Repeating pixels and then convolving is the same kind of layer "
    "with weights that cannot draw a checkerboard on a constant image.",
    transpose=holds(there_and_back[0], "=", there_and_back[1]),
)
central = derivation.chain(
    "The layer that doubles is the transpose of a convolution",
    Inner(i, of_x, y),
    equals(
        Total(i, Total(a, w * y * Total(u, x * hit))),
        r"write the matrix out: output $i$ reads $w_a x_{2i + a - 1}$",
        wrong={"the kernel turned over": Total(i, Total(a, w.at(3 - a) * y * Total(u, x * hit)))},
    ),
    equals(
        Total(u, x * Total(i, Total(a, w * y * hit))),
        r"exchange finite sums: for every position $u$, all pairs of $i$ and $a$ that meet it",
    ),
    equals(Inner(u, x, of_y), r"the inner double sum is the transposed matrix, applied to $y$"),
    central=True,
    so=prose(
        "Both sides agree for all $x$ and $y$, so the transposed convolution is the transpose, of the same array of weights, "
        r"which is read from its outputs to its inputs. It is not the inverse: with weights of one, $C C^\top$ has {diagonal} on "
        r"its diagonal.",
        diagonal=holds(Total(u, C.at(1, u) ** 2), "=", 4, when={w: 1}, named=True),
    ),
)
v = derivation.index("v", "another position of the input", states=6)
derivation.chain(
    "The transpose is the gradient of a convolution by its input",
    Slope(Inner(i, of_x, y), x.at(v)),
    equals(
        Total(i, C.at(i, v) * y), prose("the convolution is linear: {slope}", slope=holds(Slope(of_x, x.at(v)), "=", C.at(i, v)))
    ),
    equals(of_y.at(v), r"that is the transpose"),
    uses=(central,),
    role="remark",
    so="So a library that has the backward pass of a convolution has transposed convolutions for nothing, and "
    "the other way round.",
)


def _matrix(side, h, s, p, kernel):
    """The convolution of one axis as a matrix, entry by entry from its definition."""
    found = np.zeros(((side + 2 * p - h) // s + 1, side))
    for i, a in np.ndindex(len(found), h):
        if 0 <= s * i + a - p < side:
            found[i, s * i + a - p] += kernel[a]
    return found


@derivation.numeric(
    r"\langle Cx, y \rangle = \langle x, C^\top y \rangle",
    because="The code's two functions, in two dimensions, with three channels and two, at random numbers, in three geometries: "
    "with padding, without, and with gaps between the windows. Also the code against the matrix of the definition, on one "
    "axis.",
    role="remark",
)
def code_and_definition():
    drawn, left, right, turned = np.random.default_rng(0), [], [], []
    for side, h, s, p in ((6, 4, 2, 1), (5, 3, 2, 0), (5, 2, 3, 0)):
        image, kernel = drawn.normal(size=(1, 3, side, side)), drawn.normal(size=(2, 3, h, h))
        there = convolution2d(jnp.asarray(image), jnp.asarray(kernel), jnp.zeros(2), stride=s, padding=p)
        other = drawn.normal(size=there.shape)
        back = transposed_convolution2d(jnp.asarray(other), jnp.asarray(kernel), jnp.zeros(3), stride=s, padding=p)
        left.append(jnp.sum(there * other))
        right.append(np.sum(image * np.asarray(back)))
        turned.append(np.sum(image * np.asarray(back)[:, ::-1]))
        row, of_row = image[0, 0, 0], kernel[0, 0, 0]
        padded = np.pad(row, p)[None, None, None]
        left.append(jnp.sum(convolution2d(jnp.asarray(padded), jnp.asarray(of_row[None, None, None]), jnp.zeros(1), stride=s)))
        right.append((_matrix(side, h, s, p, of_row) @ row).sum())
        turned.append((_matrix(side, h, s, p, of_row[::-1]) @ row).sum())
    return Sides(left=jnp.stack(left), right=np.array(right), wrong={"channels or kernel turned over": np.array(turned)})


@derivation.autodiff(
    r"\partial \langle Cx, y \rangle / \partial x = C^\top y",
    because="Automatic differentiation of the code's convolution gives the code's transposed convolution.",
    role="remark",
)
def gradient_by_the_image():
    drawn = np.random.default_rng(1)
    image, kernel, other = (jnp.asarray(drawn.normal(size=size)) for size in ((1, 2, 6, 4), (3, 2, 4, 2), (1, 3, 3, 3)))

    def inner(image):
        return jnp.sum(convolution2d(image, kernel, jnp.zeros(3), stride=2, padding=1) * other)

    back = transposed_convolution2d(other, kernel, jnp.zeros(2), stride=2, padding=1)
    return Sides(left=grad(inner)(image), right=back, wrong={"channels exchanged": back[:, ::-1]})


# ---------------------------------------------------------------------------------------------------- checkerboards

derivation.say(
    r"Now a constant image goes up. Away from the border, position $u$ of the output collects all $w_a$ for which $s$ divides $u "
    r"+ p - a$: each position of a period of $s$ collects its own part of the kernel."
)
derivation.chain(
    "A kernel of four with a stride of two collects two of its weights everywhere",
    Matrix([Total(i, C.at(i, 2)), Total(i, C.at(i, 3))]),
    equals(
        Matrix([w.at(1) + w.at(3), w.at(0) + w.at(2)]),
        r"an inner position of each parity: 2 is met by the pairs $(0, 3)$ and $(1, 1)$ of $i$ and $a$, and 3 by $(1, 2)$ and "
        r"$(2, 0)$",
        wrong={"the same weight everywhere": Matrix([w.at(1) + w.at(3), w.at(1) + w.at(3)])},
    ),
    role="lemma",
    so=prose(
        "Both collect two weights, with weights of one {first} and {second}, so that equal weights draw nothing: the counts are "
        "equal. Other weights draw a checkerboard as soon as the two sums differ.",
        first=holds(Total(i, C.at(i, 2)), "=", 2, when={w: 1}, named=True),
        second=holds(Total(i, C.at(i, 3)), "=", 2, when={w: 1}, named=True),
    ),
)
_COUNTED = [(h, s) for s in range(1, 7) for h in range(s, 13)]


@derivation.exact(
    r"s \ \text{divides}\ h \quad\Leftrightarrow\quad \text{every inner position collects the same number of weights}",
    because="Residues, counted for all strides up to 6 and kernels up to 12. For five pairs more, kernels of 4, 2, 3 and 5 with "
    "the stride 2 and of 6 with the stride 3, the positions of the code's transposed convolution of ones with weights of one.",
    outcomes=len(_COUNTED) + 5,
)
def equal_counts():
    even, divides = [], []
    for h, s in _COUNTED:
        counts = np.bincount(np.arange(h) % s, minlength=s)
        even.append(counts.min() == counts.max())
        divides.append(h % s == 0)
    for h, s in ((4, 2), (2, 2), (6, 3), (3, 2), (5, 2)):
        made = transposed_convolution2d(jnp.ones((1, 1, 1, 8)), jnp.ones((1, 1, 1, h)), jnp.zeros(1), stride=s)
        inner = np.asarray(made)[0, 0, 0, h:-h]
        even.append(inner.min() == inner.max())
        divides.append(h % s == 0)
    return Sides(
        left=np.array(even, float),
        right=np.array(divides, float),
        wrong={"kernels above the stride": np.array([h > s for h, s in _COUNTED] + [True] * 5, float)},
    )


j = derivation.index("j", "a position of a short axis", states=3)
m = derivation.index("m", "another one", states=3)
same = KroneckerDelta(j, floor(u / 2))
U = derivation.define("U", same, "repeating every entry twice, as a matrix", "nearest_upsample", over=(u, j))
P = derivation.define("P", same / 2, "the mean of every two entries, as a matrix", "average_pool", over=(j, u))
derivation.chain(
    "The mean of repetitions is what was repeated",
    Total(u, P * U.at(u, m)),
    equals(Total(u, same * KroneckerDelta(m, floor(u / 2))) / 2, r"write both matrices out"),
    equals(KroneckerDelta(j, m), "every entry is repeated twice, and no position repeats two entries"),
    role="lemma",
    so=prose(
        r"$PU$ is the identity, and $P$ is half of the transpose of $U$, {half}; for blocks of $f \times f$ pixels it is "
        "$f^{-2}\\, U^\\top$. $UP$ is not the identity, {other}: it leaves the mean of each block.",
        half=holds(P, "=", U / 2),
        other=holds(Total(j, U * P.at(j, v)), "!=", KroneckerDelta(u, v)),
    ),
)
n = derivation.index("n", "a position in a kernel of three", states=3)
k_3 = derivation.numbers("k", n, "a kernel for repeated entries")
of_two = KroneckerDelta(a, 2 - n) + KroneckerDelta(a, 3 - n)
four = derivation.define(r"\kappa", Total(n, k_3 * of_two), r"the kernel $(k_2, k_1 + k_2, k_0 + k_1, k_0)$", over=a)
repeated = derivation.chain(
    "Repeating and then convolving draws no checkerboard on a constant",
    Matrix([four.at(1) + four.at(3), four.at(0) + four.at(2)]),
    equals(
        Matrix([plus(k_3.at(0), k_3.at(1), k_3.at(2)), plus(k_3.at(0), k_3.at(1), k_3.at(2))]),
        r"each sum has all three weights once",
    ),
    so=prose(
        "Two repeated pixels under a kernel of three are one pixel under the sum of two weights. So repeating by two and "
        r"convolving with padding 1 is the transposed convolution of stride 2, padding 1 and the kernel $\kappa$, whose two "
        "sums, by the lemma on a kernel of four, are those of the first line. They are equal, {same}: no weights can draw a "
        "checkerboard on a constant.",
        same=holds(plus(four.at(1), four.at(3)), "=", plus(four.at(0), four.at(2))),
    ),
)
derivation.symbol("K", "a kernel of three by three, and its four by four, axis by axis")


@derivation.numeric(
    r"K \ast (Ux) = K^\top x",
    because="The code, in two dimensions: repeat and convolve with a kernel $K$ of 3 x 3, or the transposed convolution with the "
    r"kernel of 4 x 4 that is $(k_2, k_1 + k_2, k_0 + k_1, k_0)$ along each axis.",
    role="remark",
)
def repeat_and_convolve():
    drawn = np.random.default_rng(2)
    image, kernel = jnp.asarray(drawn.normal(size=(1, 1, 3, 4))), drawn.normal(size=(3, 3))
    turn = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    four = (turn @ kernel @ turn.T)[None, None]
    repeated = convolution2d(nearest_upsample(image, factor=2), jnp.asarray(kernel[None, None]), jnp.zeros(1), padding=1)
    transposed = transposed_convolution2d(image, jnp.asarray(four), jnp.zeros(1), stride=2, padding=1)
    flipped = transposed_convolution2d(image, jnp.asarray(four[:, :, ::-1]), jnp.zeros(1), stride=2, padding=1)
    return Sides(left=repeated, right=transposed, wrong={"the kernel turned over": flipped})


derivation.symbol(r"\ast", "the convolution with padding 1")


@derivation.numeric(
    r"x'_u = x_{u - 2} \ \Rightarrow\ (Cx')_i = (Cx)_{i - 1}",
    because="A convolution commutes with shifts by its stride, and in general by multiples of it alone, where no window touches "
    r"the border: substitute $u$ in the definition. By the code, with stride 2; with stride 1 every shift would do.",
    role="remark",
)
def shifts():
    drawn = np.random.default_rng(3)
    line, kernel = np.pad(drawn.normal(size=8), (6, 6)), jnp.asarray(drawn.normal(size=(1, 1, 1, 4)))

    def at(steps):
        moved = jnp.asarray(np.roll(line, steps)[None, None, None])
        return np.asarray(convolution2d(moved, kernel, jnp.zeros(1), stride=2))[0, 0, 0]

    return Sides(left=at(2)[1:], right=at(0)[:-1], wrong={"a shift by one": at(1)[1:]})


# ---------------------------------------------------------------------------------------------------- in numbers


def _line(values):
    return jnp.asarray(values, float)[None, None, None]


@derivation.algorithm(
    "Two layers that double, on one axis",
    do(r"transposed: $\mathrm{out} \leftarrow (H' - 1) s - 2p + h$ zeros"),
    do(
        r"for each $i$ and $a$: add $w_a y_i$ to entry $s i + a - p$, if there is one",
        transposed_convolution2d,
        by=central,
        indent=1,
    ),
    do(r"or: repeat every entry of $y$ $s$ times", nearest_upsample, by=repeated),
    do(r"and convolve with padding 1, a kernel of three and the stride 1", convolution2d, by=repeated, indent=1),
)
def two_entries():
    for entries, said in (([1, 0], "(1, 10, 0, 0)"), ([1, 1], "(1, 10, 1, 10)")):
        made = transposed_convolution2d(_line(entries), _line([1, 10]), jnp.zeros(1), stride=2)
        yield rf"w = (1, 10), s = 2, y = (1, 1), \text{{ after }} i = {sum(entries) - 1}", made[0, 0, 0], said
    twice = nearest_upsample(_line([1, 3]), factor=2)[:, :, :1]
    yield r"\text{the other way: } (1, 3) \text{ repeated}", twice[0, 0, 0], "(1, 1, 3, 3)"
    smooth = convolution2d(jnp.pad(twice, ((0, 0), (0, 0), (0, 0), (1, 1))), _line([1, 2, 1]), jnp.zeros(1))
    yield r"\text{and convolved with } (1, 2, 1)", smooth[0, 0, 0], "(3, 6, 10, 9)"


@derivation.example(
    r"The input $(1, 2, 3, 4)$ with the kernel $(1, 10)$ and the stride 2, the way back of $(1, 1)$, and the two inner products. "
    "Then three ones under kernels of ones, of length 3 and 4, with the stride 2: the counts. Last the mean of what was repeated."
)
def by_hand():
    there = convolution2d(_line([1, 2, 3, 4]), _line([1, 10]), jnp.zeros(1), stride=2)
    back = transposed_convolution2d(_line([1, 1]), _line([1, 10]), jnp.zeros(1), stride=2)
    yield "Cx", there[0, 0, 0], "(21, 43)"
    yield r"C^\top y", back[0, 0, 0], "(1, 10, 1, 10)"
    yield r"\text{both inner products}", (jnp.sum(there), jnp.sum(back * _line([1, 2, 3, 4]))), "(64, 64)"
    for length, said in ((3, "(1, 1, 2, 1, 2, 1, 1)"), (4, "(1, 1, 2, 2, 2, 2, 1, 1)")):
        made = transposed_convolution2d(_line([1, 1, 1]), _line([1] * length), jnp.zeros(1), stride=2)
        yield rf"h = {length}", made[0, 0, 0], said
    block = jnp.array([[[[1.0, 2.0]]]])
    yield r"P U (1, 2)", average_pool(nearest_upsample(block, factor=2), window=2)[0, 0, 0], "(1, 2)"


@derivation.figure(
    "A constant image of 6 x 6 pixels is doubled with weights of one. Left: by a transposed convolution with a kernel of 3 x 3 "
    "and the stride 2. Middle: with a kernel of 4 x 4. Right: pixels repeated, then convolved with a kernel of 3 x 3. Each is "
    "divided by its mean.",
    panels=3,
)
def three_ways_up(left, middle, right):
    constant = jnp.ones((1, 1, 6, 6))
    made = [
        transposed_convolution2d(constant, jnp.ones((1, 1, 3, 3)), jnp.zeros(1), stride=2, padding=1),
        transposed_convolution2d(constant, jnp.ones((1, 1, 4, 4)), jnp.zeros(1), stride=2, padding=1),
        convolution2d(nearest_upsample(constant, factor=2), jnp.ones((1, 1, 3, 3)), jnp.zeros(1), padding=1),
    ]
    for axes, image, name in zip((left, middle, right), made, ("3 x 3", "4 x 4", "repeated"), strict=True):
        shown = np.asarray(image)[0, 0]
        axes.imshow(shown / shown.mean(), cmap="gray", vmin=0, vmax=2)
        axes.set(xlabel="column", ylabel="row", title=name)
