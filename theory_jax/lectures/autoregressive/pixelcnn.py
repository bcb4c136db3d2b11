"""PixelCNN: every conditional of an image in one pass, and what a masked kernel does not see.

The lecture on the functions of theory_jax/autoregressive/pixelcnn.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Heaviside, KroneckerDelta, exp, tanh

from theory_jax.autoregressive.pixelcnn import (
    dependency_map,
    gated_activation,
    horizontal_convolution,
    masked_convolution,
    pixel_mask,
    vertical_convolution,
)
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._pixels import (
    colored_jacobian,
    log_prob_of,
    mask_of,
    moves,
    paths_through,
    random_logits,
    square_kernels,
    two_stacks,
    what_a_pixel_sees,
)

derivation = Derivation(
    module=__name__,
    title="PixelCNN: every conditional of an image in one pass, and what a masked kernel does not see",
    lectures=(42,),
    sources=(
        "van den Oord, Kalchbrenner & Kavukcuoglu 2016a, Pixel recurrent neural networks",
        "van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves & Kavukcuoglu 2016b, Conditional image generation with PixelCNN "
        "decoders",
        "Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood",
    ),
    question="A network of convolutions that sees the whole image copies the pixel that it should predict. One that is shown "
    "the earlier pixels alone needs a pass for every pixel, which makes training hundreds of times slower. How does one pass "
    "give all conditionals of an image, without a pixel seeing itself or a later one, and does each see everything before it?",
    setting=(
        "The pixels of an image are in raster order: row by row, each from left to right. The model is a product with one factor "
        "for each pixel $u$, a distribution whose logits are the network's output at $u$.",
        r"A kernel has the side $2\rho + 1$. The mask of type A keeps the offsets that lead to earlier pixels: those in the "
        r"rows above, and those to the left in the same row. Type B keeps the offset zero, too. The first layer has type A, all "
        r"others have type B.",
        "Between the layers there are biases and functions of one pixel at a time, such as gates and residual connections. A "
        "residual connection begins behind the first layer.",
        "The chains write out three pixels and one channel; the code is compared with more.",
    ),
    limits=(
        "What is seen need not be used: the Jacobian's support can be smaller than the masks allow, never larger.",
        "Orders of the pixels other than row by row.",
        "How a network is sampled without computing anything twice; the practice wing does it by keeping rows and columns.",
    ),
)

derivation.say(
    r"Why it works. A pixel $u$ of the output sees the pixel $v$ of the input through the pixels $m$ of the layer between. "
    r"The step function determines which weights the masks keep: with the value 0 at zero it keeps those from earlier pixels "
    r"(type A), with the value 1 also those from the pixel itself (type B)."
)
u = derivation.index("u", "a pixel of the output, by its place in the order")
m = derivation.index("m", "a pixel of the layer between")
v = derivation.index("v", "a pixel of the input")
first = derivation.numbers("w^1", (u, v), "the weights of the first layer, where a pixel reads another", "weight")
second = derivation.numbers("w^2", (u, v), "the weights of the second layer", "weight")
pixels = derivation.numbers("x", v, "the pixels", "x")
strict = derivation.define("A", times(first, Heaviside(u - v, 0)), "the first layer, masked: type A", over=(u, v))
weak = derivation.define("B", times(second, Heaviside(u - v, 1)), "the second layer, masked: type B", over=(u, v))
seen = derivation.define("z", Total(v, times(strict.at(m, v), pixels)), "what the first layer gives", over=m)
output = derivation.define("y", Total(m, times(weak.at(u, m), tanh(seen))), "the output of two layers", over=u)
path = times(second.at(u, m), 1 - tanh(seen) ** 2, first.at(m, v), Heaviside(u - m, 1), Heaviside(m - v, 0))
central = derivation.chain(
    "An output of masked layers depends on earlier pixels alone",
    Slope(output, pixels.at(v)),
    equals(
        Total(m, times(weak.at(u, m), 1 - tanh(seen) ** 2, strict.at(m, v))),
        r"the chain rule: the Jacobians of the layers are multiplied, and what acts on single pixels is a factor of each path",
        wrong={"both layers of type B": Total(m, times(weak.at(u, m), 1 - tanh(seen) ** 2, first.at(m, v), Heaviside(m - v, 1)))},
    ),
    equals(
        times(Heaviside(u - v, 0), Total(m, path)),
        prose(
            "a term is left only where $v$ is before $m$, and $m$ not behind $u$; so $v$ is before $u$, and the factor in "
            "front changes nothing: {kept}",
            kept=holds(
                times(Heaviside(u - v, 0), Heaviside(u - m, 1), Heaviside(m - v, 0)),
                "=",
                times(Heaviside(u - m, 1), Heaviside(m - v, 0)),
            ),
        ),
    ),
    central=True,
    so="For more layers of type B the same holds with one more sum for each: the product of triangular matrices is triangular, "
    "and strictly if one of them is.",
)
derivation.chain(
    "Without a strict layer a pixel sees itself",
    Total(m, times(weak.at(u, m), first.at(m, u), Heaviside(m - u, 1))),
    equals(
        times(second.at(u, u), first.at(u, u)),
        prose(
            "a path back to $u$ must stay there, {stay}",
            stay=holds(times(Heaviside(u - m, 1), Heaviside(m - u, 1)), "=", KroneckerDelta(u, m)),
        ),
    ),
    so="A model that sees the pixel that it predicts can reach a loss of zero in training and is no distribution: the chain "
    r"rule's page computes the sum for one bit, $\frac12 + \sigma(w)$.",
    role="remark",
)

x1 = derivation.index("x_1", "the first pixel, black or white", states=2)
x2 = derivation.index("x_2", "the second pixel", states=2)
x3 = derivation.index("x_3", "the third pixel", states=2)
factor_1 = derivation.law("p({})", x1, "the distribution of the first pixel", "softmax(logits)")
factor_2 = derivation.law("p({}|{})", (x2, x1), "the distribution of the second, given the first", "softmax(logits)")
factor_3 = derivation.law("p({}|{},{})", (x3, x1, x2), "the distribution of the third, given both", "softmax(logits)")
derivation.chain(
    "So the conditionals multiply to a distribution",
    Total(x1, Total(x2, Total(x3, times(factor_1, factor_2, factor_3)))),
    equals(
        Total(x1, Total(x2, times(factor_1, factor_2, Total(x3, factor_3)))),
        prose(
            "only the last factor contains the last pixel, because the others depend on earlier pixels alone: {none}",
            none=holds(times(1 - Heaviside(u - v, 0), Slope(output, pixels.at(v))), "=", 0),
        ),
    ),
    equals(
        Total(x1, Total(x2, times(factor_1, factor_2))),
        prose("{one}, whatever the first two pixels are", one=holds(Total(x3, factor_3), "=", 1)),
    ),
    equals(
        1, prose("{second}, and {first}", second=holds(Total(x2, factor_2), "=", 1), first=holds(Total(x1, factor_1), "=", 1))
    ),
)


@derivation.exact(
    r"\sum_x p(x) = 1",
    because="A network of two masked convolutions of the code, with random weights: all images of $3 \\times 3$ bits.",
    outcomes=2**9,
    role="remark",
)
def all_images_together():
    images = np.array(list(itertools.product((0.0, 1.0), repeat=9))).reshape(-1, 1, 3, 3)
    total = lambda kind: np.exp(log_prob_of(images, np.asarray(random_logits(images, kind)))).sum()  # noqa: E731
    return Sides(left=total("A"), right=1.0, wrong={"a first layer of type B": total("B")})


@derivation.numeric(
    r"p(x) = \prod_u p(x_u | x_{<u})",
    because="One pass over a finished image gives the probabilities with which nine passes drew it, pixel by pixel: values "
    "in later places have no influence.",
    role="remark",
)
def one_pass_scores_what_nine_drew():
    rng = np.random.default_rng(3)
    image, drawn, unshifted = np.full((1, 1, 3, 3), 9.0), [], []
    for i, j in itertools.product(range(3), repeat=2):
        chance = 1 / (1 + np.exp(-np.asarray(random_logits(image, "A"))[0, 0, i, j]))
        unshifted.append(1 / (1 + np.exp(-np.asarray(random_logits(image, "B"))[0, 0, i, j])))
        image[0, 0, i, j] = float(rng.uniform() < chance)
        drawn.append(chance)
    at_once = 1 / (1 + np.exp(-np.asarray(random_logits(image, "A")).ravel()))
    return Sides(left=at_once, right=np.array(drawn), wrong={"a first layer of type B": np.array(unshifted)})


derivation.say(
    r"What is not seen. Follow a path from a pixel of the output back to the input. Step $s$ climbs $d_s$ rows and moves $h_s$ "
    r"columns to the right. Within a row it moves left or not at all; if it climbs, it moves at most $\rho$ to the right. In "
    r"both cases $h_s$ falls short of $\rho d_s$ by a number $q_s$ that is not negative."
)
s = derivation.index("s", "a step of a path")
rho = derivation.number(r"\rho", "half of the kernel's side, without the middle", "kernel_size // 2", positive=True)
climbed = derivation.numbers("d", s, "the rows that a step climbs")
slack = derivation.numbers("q", s, "what a step lacks to the rightmost one", positive=True)
right = derivation.define("h", rho * climbed - slack, "the columns that a step moves to the right", over=s)
wedge = derivation.chain(
    "A path of masked square kernels stays in a wedge",
    Total(s, right),
    equals(plus(times(rho, Total(s, climbed)), -Total(s, slack)), "add the steps one by one"),
    at_most(
        times(rho, Total(s, climbed)),
        prose("no $q_s$ is negative; equality for the rightmost steps, {none}", none=where(slack, 0)),
        adding=Total(s, slack),
    ),
    role="lemma",
    so=r"In the row that is $m$ rows above, nothing is seen beyond $\rho m$ columns to the right: the depth of the network "
    r"does not occur. That is the blind spot. Steps $(1, \rho)$ attain the bound, and smaller steps reach what is left of it.",
)
derivation.symbol("i", "a row")
derivation.symbol("j", "a column")
derivation.symbol("R", "the rows of a vertical kernel, and the columns of a horizontal one")
derivation.symbol("w", "the weights of a kernel", "weight")
derivation.symbol("r", "a row or a column of a kernel")
derivation.symbol("c", "a column of a kernel")
derivation.symbol("o", "1 for type B, which sees the pixel itself, and 0 for type A")
derivation.symbol(r"\beta", "a bias", "bias")
derivation.symbol("N", "a number of paths", "dependency_map")


@derivation.exact(
    r"N_{(i, j) \leftarrow (i - m, c)} > 0 \iff m > 0 \text{ and } c \le j + \rho m, \text{ or } m = 0 \text{ and } c < j",
    because="Ten layers of the code with weights of one, on all pairs of pixels of a $9 \\times 9$ image, for kernels of side 3 "
    "and 5: from these layers on nothing new is seen.",
    outcomes=2 * 81**2,
    uses=(central,),
)
def the_blind_spot():
    found, wedge, everything = [], [], []
    rise, move = moves(9)
    before = (rise == 0) & (move < 0)
    for side in (3, 5):
        half = side // 2
        found.append(paths_through(square_kernels(side), 9) > 0)
        wedge.append((rise > 0) & (move <= half * rise) | before)
        everything.append((rise > 0) | before)
    found, wedge, everything = (np.array(each, dtype=float) for each in (found, wedge, everything))
    return Sides(left=found, right=wedge, wrong={"no blind spot": everything})


@derivation.exact(
    r"N_{(i, j) \leftarrow (i - m, c)} > 0 \iff m > 0, \text{ or } m = 0 \text{ and } c < j",
    because="The same for two stacks with two rows and three columns: the vertical one chooses its rows and columns "
    "independently, and the horizontal one adds what it gives at the pixel itself. With one row later layers would neither "
    "climb nor go left.",
    outcomes=81**2,
    uses=(central,),
)
def two_stacks_see_everything():
    rise, move = moves(9)
    everything = ((rise > 0) | (rise == 0) & (move < 0)).astype(float)
    found, short = (paths_through(two_stacks(rows), 9) > 0 for rows in (2, 1))
    return Sides(left=found.astype(float), right=everything, wrong={"one row in each kernel": short.astype(float)})


@derivation.exact(
    r"N = M_L \cdots M_2 M_1",
    because="The code counts paths from the output back to the input. The product of the layers, with weights of one, counts "
    "them the other way round: every pixel of a $4 \\times 4$ image, three layers.",
    outcomes=16 * 16,
    role="remark",
)
def paths_are_counted_from_either_end():
    masks = [mask_of(kind, 3)[0, 0] for kind in "ABB"]
    counted = np.stack(
        [
            np.asarray(dependency_map(masks, height=4, width=4, row=row, column=column)).ravel()
            for row, column in itertools.product(range(4), repeat=2)
        ]
    ).astype(float)
    product = paths_through(square_kernels(3, layers=3), 4)
    return Sides(left=counted, right=product, wrong={"inputs and outputs exchanged": product.T})


derivation.symbol("M_L", "the matrix of the last layer's mask: 1 where an output reads an input")
derivation.symbol("L", "the number of layers")


@derivation.numeric(
    r"y_{ij} = \beta + \sum_{r, c} w_{rc}\, x_{i - R + o + r,\; j - \rho + c} \quad\text{and}\quad "
    r"y_{ij} = \beta + \sum_r w_r\, x_{i,\; j - R + o + r}",
    because="Both stacks of the code against sums that are written out, with zeros outside of the image.",
    role="remark",
)
def convolutions_by_hand():
    rng = np.random.default_rng(5)
    x, tall, wide = rng.standard_normal((4, 5)), rng.standard_normal((2, 3)), rng.standard_normal((1, 2))
    pixel = lambda i, j: x[i, j] if 0 <= i < 4 and 0 <= j < 5 else 0.0  # noqa: E731

    def by_hand(kernel, row, column):
        rows, columns = np.indices(kernel.shape)
        return [
            sum(w * pixel(i + r + row, j + c + column) for w, r, c in zip(kernel.flat, rows.flat, columns.flat, strict=True))
            + 0.5
            for i, j in itertools.product(range(4), range(5))
        ]

    one = lambda y: np.asarray(y).ravel()  # noqa: E731
    given = lambda kernel: (x[None, None], kernel[None, None], np.full(1, 0.5))  # noqa: E731
    code = [one(vertical_convolution(*given(tall), mask_type=kind)) for kind in "AB"]
    code += [one(horizontal_convolution(*given(wide), mask_type=kind)) for kind in "AB"]
    wanted = [by_hand(tall, -2, -1), by_hand(tall, -1, -1), by_hand(wide, 0, -2), by_hand(wide, 0, -1)]
    turned = [by_hand(tall[::-1, ::-1], -2, -1), by_hand(tall[::-1, ::-1], -1, -1), *wanted[2:]]
    return Sides(left=np.array(code), right=np.array(wanted), wrong={"the kernel turned": np.array(turned)})


derivation.say(
    "The colors of a pixel are a sequence, too: red, then green, then blue. The channels of every layer are divided into three "
    "groups, and at the offset zero a mask compares colors where it compared pixels elsewhere. The order of pixels and colors "
    "together is again an order, and the chain above holds for it."
)


@derivation.autodiff(
    r"\frac{\partial y_u}{\partial x_v} = 0 \quad\text{for } v \ge u, \text{ where } u \text{ and } v \text{ are pixels with a "
    r"color}",
    because="Two layers of the code with six channels between them, on $3 \\times 3$ pixels of three colors: the Jacobian is its "
    "own strictly lower triangle.",
    uses=(central,),
    role="remark",
)
def colors_in_order():
    found = colored_jacobian("A")
    return Sides(
        left=found,
        right=np.tril(found, -1),
        wrong={"a first layer of type B": colored_jacobian("B"), "groups interleaved": colored_jacobian("A", True)},
    )


a = derivation.number("a", "what the content's kernel gives", "x[:, :C]")
b = derivation.number("b", "what the gate's kernel gives", "x[:, C:]")
gated = derivation.define("g", tanh(a) / (1 + exp(-b)), "the gated activation", "gated_activation")
derivation.say("The function between the layers is a product of two readings, one of which opens or closes the other.")
derivation.chain(
    "The slope of a gated activation in its content is small where the gate is closed",
    Slope(gated, a),
    equals(
        times(1 / (1 + exp(-b)), 1 - tanh(a) ** 2),
        prose("{tanh}; the gate is a constant factor", tanh=holds(Slope(tanh(a), a), "=", 1 - tanh(a) ** 2)),
    ),
    role="lemma",
)
derivation.chain(
    "The slope of a gated activation in its gate is zero where the content is zero",
    Slope(gated, b),
    equals(
        times(tanh(a), 1 / (1 + exp(-b)), 1 - 1 / (1 + exp(-b))),
        prose("{gate}", gate=holds(Slope(1 / (1 + exp(-b)), b), "=", times(1 / (1 + exp(-b)), 1 - 1 / (1 + exp(-b))))),
    ),
    role="lemma",
    so="A gate that is closed stops the gradient of its content, and a content of zero that of its gate.",
)
derivation.bridge(
    "The code's gates", gated, gated_activation, x=[[[[a]], [[b]]]], wrong={"content and gate exchanged": tanh(b) / (1 + exp(-a))}
)


derivation.answer = prose(
    "Masked layers have triangular Jacobians, and one strict layer makes their product strictly triangular: no logit depends "
    "on its own pixel or on a later one, {none}, so the conditionals multiply to a distribution, {one}. A masked square kernel "
    "never sees a wedge to the upper right of the pixel, since a path moves right by {wedge}, however many layers there are. "
    "Two stacks, one for the rows above and one for the pixels before in the row, see everything before it if their kernels "
    "have two rows or more.",
    none=holds(times(1 - Heaviside(u - v, 0), Slope(output, pixels.at(v))), "=", 0),
    one=holds(Total(x1, Total(x2, Total(x3, times(factor_1, factor_2, factor_3)))), "=", 1),
    wedge=holds(Total(s, right), "<=", times(rho, Total(s, climbed))),
)


@derivation.algorithm(
    "PixelCNN: training in one pass, sampling in one pass a pixel",
    do("mask the kernels: type A in the first layer, type B in the others", pixel_mask, by=central),
    do(
        "training: one pass gives all logits; the loss is the sum of $-\\log p(x_u | x_1, \\dots, x_{u-1})$",
        masked_convolution,
        by=one_pass_scores_what_nine_drew,
    ),
    do("sampling: for every pixel $u$ in raster order:"),
    do(
        "compute the logits of the image so far, and draw $x_u$ from the distribution at $u$",
        masked_convolution,
        by=one_pass_scores_what_nine_drew,
        indent=1,
    ),
)
def four_bits():
    mask = pixel_mask(out_channels=1, in_channels=1, kernel_size=3, mask_type="A", colors=1)
    image, logits = jnp.zeros((1, 1, 2, 2)), lambda x: masked_convolution(x, jnp.ones((1, 1, 3, 3)), jnp.zeros(1), mask)[0, 0]
    for place, uniform, stated in (((0, 0), 0.3, "(0.5, 1)"), ((0, 1), 0.8, "(0.7311, 0)"), ((1, 0), 0.6, "(0.7311, 1)")):
        chance = 1 / (1 + jnp.exp(-logits(image)[place]))
        image = image.at[0, 0, *place].set(uniform < chance)
        yield (
            rf"\text{{pixel }} {place}, \text{{ uniform }} {uniform}: \text{{ chance of a 1, and bit}}",
            (chance, image[0, 0, *place]),
            stated,
        )
    yield r"\text{logits of the image in one pass, one layer of ones}", logits(image).ravel(), "(0, 1, 1, 2)"


@derivation.example(
    r"Three by three pixels and kernels of side 3. The paths to the pixel in the middle, through a layer of type A and one of "
    r"type B, and through two of type B, where it sees itself. Then the blind spot in numbers: what a pixel of a $9 \times 9$ "
    r"image never sees."
)
def paths_and_blind_spots():
    for kinds in ("AB", "BB"):
        masks = [mask_of(kind, 3)[0, 0] for kind in kinds]
        counts = dependency_map(masks, height=3, width=3, row=1, column=1)
        yield (
            rf"N \text{{, types {kinds[0]} and {kinds[1]}}}",
            counts.ravel()[:5],
            "(3, 3, 1, 1, 0)" if kinds == "AB" else "(4, 4, 2, 2, 1)",
        )
    for (row, column), side, lost in (((8, 3), 3, "10"), ((8, 3), 5, "4"), ((4, 4), 3, "6")):
        seen_pixels = np.count_nonzero(paths_through(square_kernels(side), 9)[9 * row + column])
        yield rf"\text{{lost at }} ({row}, {column}), \text{{ side }} {side}", 9 * row + column - seen_pixels, lost


derivation.figure(
    r"What the pixel in row 8 and column 3 (white cross) sees of a $9 \times 9$ image: bright where there are many paths, dark "
    r"where there is none. Left and middle: masked kernels of side 3 after 2 and 10 layers; the wedge on the right stays dark. "
    r"Right: the two stacks.",
    panels=3,
)(what_a_pixel_sees)
