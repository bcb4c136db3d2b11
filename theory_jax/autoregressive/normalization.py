"""Normalization and skip connections: what a norm forgets, what its gradient cannot do, and why the skip path wants to be clean.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_shape
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


def layer_norm(x, weight, bias, *, epsilon):
    r"""(x - mean) / sqrt(var + epsilon) * w + b over the last axis, var with 1/E.

    Raises ValueError if weight or bias does not have the width of x.  Source: Ba, Kiros & Hinton 2016, eq. 4.
    [..., E], [E], [E] -> [..., E]
    """
    _require_width(x, weight=weight, bias=bias)
    return _standardized(x, epsilon)[0] * weight + bias


def rms_norm(x, weight, *, epsilon):
    r"""x / sqrt(mean x^2 + epsilon) * w over the last axis; nothing is subtracted.

    Raises ValueError if weight does not have the width of x.  Source: Zhang & Sennrich 2019, eq. 4.
    [..., E], [E] -> [..., E]
    """
    _require_width(x, weight=weight)
    return x * _inverse_root(x, epsilon) * weight


def layer_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, layer_norm> with respect to x, weight and bias, by hand.

    With g = w upstream, r = (var + epsilon)^(-1/2) and h = r (x - mean):  dx = r (g - mean g - h mean(g h)),
    dw = sum upstream h, db = sum upstream, the sums over all axes but the last.

    Raises ValueError if the shapes differ.  Source: Ba, Kiros & Hinton 2016, by differentiation.
    [..., E], [E], [..., E] -> [..., E], [E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    hat, root = _standardized(x, epsilon)
    g = weight * upstream
    dx = root * (g - jnp.mean(g, -1, keepdims=True) - hat * jnp.mean(g * hat, -1, keepdims=True))
    rows = tuple(range(x.ndim - 1))
    return dx, jnp.sum(upstream * hat, axis=rows), jnp.sum(upstream, axis=rows)


def rms_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, rms_norm> with respect to x and weight, by hand.

    With g = w upstream, r = (mean x^2 + epsilon)^(-1/2) and h = r x:  dx = r (g - h mean(g h)),  dw = sum upstream h.

    Raises ValueError if the shapes differ.  Source: Zhang & Sennrich 2019, section 3.
    [..., E], [E], [..., E] -> [..., E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    root = _inverse_root(x, epsilon)
    hat, g = x * root, weight * upstream
    dx = root * (g - hat * jnp.mean(g * hat, -1, keepdims=True))
    return dx, jnp.sum(upstream * hat, axis=tuple(range(x.ndim - 1)))


def pre_norm_residual(x, weight, bias, branch_fn, *, epsilon):
    r"""x + f(LN(x)): the skip path is the identity.

    Raises ValueError as layer_norm does.  Source: Xiong et al. 2020, section 3.
    [..., E], [E], [E] -> [..., E]
    """
    return x + branch_fn(layer_norm(x, weight, bias, epsilon=epsilon))


def post_norm_residual(x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0):
    r"""LN(alpha x + f(x)), alpha the residual_scale: the norm sits on the skip path. alpha > 1 is DeepNorm.

    Raises ValueError as layer_norm does.  Source: Vaswani et al. 2017, section 3.1; Wang et al. 2022.
    [..., E], [E], [E] -> [..., E]
    """
    return layer_norm(residual_scale * x + branch_fn(x), weight, bias, epsilon=epsilon)


def _standardized(x, epsilon):
    """((x - mean) r, r). Two passes: the mean of squares less the square of the mean would cancel."""
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    root = _inverse_root(centered, epsilon)
    return centered * root, root


def _inverse_root(x, epsilon):
    return jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon)


def _require_width(x, **parameters):
    require(jnp.ndim(x) >= 1, f"x has shape {list(jnp.shape(x))}; it must have at least one axis")
    require_shape(x.shape[-1:], **parameters)


def _require_shape(x, upstream):
    given, wanted = list(jnp.shape(upstream)), list(x.shape)
    require(given == wanted, f"upstream has shape {given}; it must have the shape of x, {wanted}")


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Normalization: projections that learn nothing from scale, and the paths around them",
    lectures=(46,),
    sources=(
        "Ba, Kiros & Hinton 2016, Layer Normalization",
        "Zhang & Sennrich 2019, Root Mean Square Layer Normalization",
        "Veit, Wilber & Belongie 2016, Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
        "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture",
        "Wang et al. 2022, DeepNet: Scaling Transformers to 1,000 Layers",
    ),
)

_WIDTH = 6
_ONE, _ZERO = jnp.ones(_WIDTH), jnp.zeros(_WIDTH)


def _plain(x, epsilon=0.0):
    return layer_norm(x, _ONE, _ZERO, epsilon=epsilon)


def _plain_rms(x):
    return rms_norm(x, _ONE, epsilon=0.0)


@derivation.numeric(
    r"\mathrm{LN}(x) = \sqrt{E}\, \frac{P x}{\lVert P x \rVert}, \qquad P = I - \tfrac{1}{E} \mathbf{1} \mathbf{1}^\top",
    because="Subtracting the mean is the orthogonal projection P onto the plane of mean zero, and the standard deviation is "
    "the length of P x divided by the root of E. A layer norm is thus a projection onto a sphere of radius root E in that plane.",
)
def layer_norm_projects_on_a_sphere():
    x = draw(20, _WIDTH)
    projected = x @ (jnp.eye(_WIDTH) - jnp.ones((_WIDTH, _WIDTH)) / _WIDTH)
    return _plain(x), np.sqrt(_WIDTH) * projected / jnp.linalg.norm(projected, axis=-1, keepdims=True)


@derivation.numeric(
    r"\mathrm{LN}(a x + b \mathbf{1}) = \mathrm{LN}(x) \;(a > 0), \qquad \mathrm{LN}(-x) = -\mathrm{LN}(x), \qquad"
    r" \mathrm{RMS}(a x) = \mathrm{RMS}(x)",
    because="The projection removes b, the division removes a, and the sign stays. RMSNorm divides without subtracting: it "
    "forgets the scale alone.",
)
def norms_forget_shift_and_scale():
    x = draw(20, _WIDTH)
    left = jnp.stack([_plain(3.0 * x + 5.0), _plain(-x), _plain_rms(0.2 * x)])
    return left, jnp.stack([_plain(x), -_plain(x), _plain_rms(x)])


@derivation.autodiff(
    r"\frac{\partial\, \mathrm{LN}}{\partial x} ="
    r" \frac{1}{\sigma} \left( I - \frac{\mathbf{1} \mathbf{1}^\top}{E} - \frac{\hat{x} \hat{x}^\top}{E} \right)",
    because="Moving along 1 or along x changes nothing, so both directions are in the kernel; across them the map is a "
    "division by sigma. The Jacobian is a projection of rank E - 2, scaled.",
)
def layer_norms_jacobian():
    x = draw(_WIDTH)
    hat = _plain(x)
    formula = (jnp.eye(_WIDTH) - jnp.ones((_WIDTH, _WIDTH)) / _WIDTH - jnp.outer(hat, hat) / _WIDTH) / jnp.std(x)
    return jax.jacobian(_plain)(x), formula


@derivation.numeric(
    r"\mathrm{rank}\, \frac{\partial\, \mathrm{LN}}{\partial x} = E - 2, \qquad \ker = \mathrm{span}\{\mathbf{1}, x\}",
    because="The singular values are 1/sigma, E - 2 times, and 0 twice; and the two vectors of the kernel are 1 and x.",
)
def layer_norms_kernel():
    x = draw(_WIDTH)
    jacobian = jax.jacobian(_plain)(x)
    values = jnp.linalg.svd(jacobian, compute_uv=False)
    left = jnp.concatenate([values, jacobian @ _ONE, jacobian @ x])
    return left, jnp.concatenate([jnp.full(_WIDTH - 2, 1 / jnp.std(x)), jnp.zeros(2 + 2 * _WIDTH)])


@derivation.autodiff(
    r"\frac{\partial\, \mathrm{RMS}}{\partial x} ="
    r" \frac{1}{\mathrm{rms}} \left( I - \frac{\hat{x} \hat{x}^\top}{E} \right), \qquad"
    r" \left\lVert \frac{\partial\, \mathrm{RMS}}{\partial x} \right\rVert_2 = \frac{1}{\mathrm{rms}}",
    because="The same without the projection along 1: rank E - 1, norm 1/rms. A large activation therefore receives a small "
    "gradient, in exact inverse proportion, in either norm.",
)
def rms_norms_jacobian():
    x = draw(_WIDTH, scale=3.0)
    rms, hat = jnp.sqrt(jnp.mean(x * x)), _plain_rms(x)
    jacobian = jax.jacobian(_plain_rms)(x)
    formula = (jnp.eye(_WIDTH) - jnp.outer(hat, hat) / _WIDTH) / rms
    norm = jnp.linalg.norm(jacobian, ord=2)
    return jnp.append(jacobian.ravel(), norm), jnp.append(formula.ravel(), 1 / rms)


@derivation.autodiff(
    r"dx = r (g - \bar{g} - \hat{x}\, \overline{g \hat{x}}), \quad dw = \textstyle\sum dy\, \hat{x}, \quad db = \sum dy, \quad"
    r" g = w \odot dy",
    because="The Jacobian is symmetric, so the backward pass applies the same projection to g: two means and no matrix. Weight "
    "and bias are shared by all rows, so their gradients are sums over rows. RMSNorm drops the mean of g.",
)
def backward_formulas():
    x, weight, bias, upstream = draw(4, _WIDTH), draw(_WIDTH, seed=1), draw(_WIDTH, seed=2), draw(4, _WIDTH, seed=3)
    _, pull_back = jax.vjp(lambda *given: layer_norm(*given, epsilon=0.1), x, weight, bias)
    _, pull_back_rms = jax.vjp(lambda *given: rms_norm(*given, epsilon=0.1), x, weight)
    automatic = (*pull_back(upstream), *pull_back_rms(upstream))
    by_hand = (
        *layer_norm_backward(x, weight, upstream, epsilon=0.1), *rms_norm_backward(x, weight, upstream, epsilon=0.1)
    )  # fmt: skip
    return tuple(jnp.concatenate([part.ravel() for part in parts]) for parts in (automatic, by_hand))


def _branches(layers=4, norm=0.3):
    drawn = draw(layers, _WIDTH, _WIDTH, seed=5)
    return norm * drawn / jnp.linalg.norm(drawn, ord=2, axis=(1, 2))[:, None, None]


@derivation.exact(
    r"\prod_{l=1}^{L} (I + B_l) = \sum_{S \subseteq \{1..L\}} \prod_{l \in S} B_l",
    because="Multiplying out gives one term for every choice of branches: a residual network is a sum over 2^L paths of all "
    "lengths, and the gradient reaches the first layer along the empty path, whatever the branches do. Here L = 4, 16 paths.",
)
def a_residual_chain_is_a_sum_over_paths():
    branches = _branches()
    chain, paths = jnp.eye(_WIDTH), jnp.zeros((_WIDTH, _WIDTH))
    for branch in branches:
        chain = (jnp.eye(_WIDTH) + branch) @ chain
    for taken in itertools.product((False, True), repeat=len(branches)):
        path = jnp.eye(_WIDTH)
        for branch in (b for b, here in zip(branches, taken, strict=True) if here):
            path = branch @ path
        paths = paths + path
    return chain, paths


@derivation.bound(
    r"(1 - b)^L \;\le\; \sigma_i\Big(\prod_l (I + B_l)\Big) \;\le\; (1 + b)^L \qquad\text{for } \lVert B_l \rVert \le b < 1",
    because="Each factor stretches by no more than 1 + b and shrinks by no more than 1 - b, and singular values of a product "
    "stay between the products of the extremes. Without skips only the upper bound b^L is left, which vanishes. Multiples of the "
    "identity attain both ends.",
)
def residual_chains_keep_their_singular_values():
    b, layers = 0.3, 4
    values = jnp.linalg.svd(jnp.linalg.multi_dot([jnp.eye(_WIDTH) + branch for branch in _branches(layers, b)]), compute_uv=False)
    plain = jnp.linalg.norm(jnp.linalg.multi_dot(list(_branches(layers, b))), ord=2)
    low, high = jnp.full(_WIDTH, (1 - b) ** layers), jnp.full(_WIDTH, (1 + b) ** layers)
    ends = jnp.array([np.prod([1 - b] * layers), np.prod([1 + b] * layers)])
    smaller, larger = jnp.concatenate([low, values, plain[None]]), jnp.concatenate([values, high, jnp.array([b**layers])])
    return smaller, larger, (ends, jnp.array([low[0], high[0]]))


def _stream_variance(layers, branch_scale):
    """x_(l+1) = x_l + s W_l LN(x_l): the squared entries of the last stream, for independent draws of everything."""
    rng = np.random.default_rng(8)  # eight million draws, which JAX without optimization takes seconds for
    starts = jnp.asarray(rng.standard_normal((1000, 32)))
    matrices = jnp.asarray(rng.standard_normal((1000, layers, 32, 32))) / np.sqrt(32)

    def stream(x, matrices):
        for matrix in matrices:
            x = pre_norm_residual(
                x, jnp.ones(32), jnp.zeros(32), lambda z, matrix=matrix: branch_scale * matrix @ z, epsilon=0.0
            )  # fmt: skip
        return jnp.mean(x * x)

    return jax.jit(jax.vmap(stream))(starts, matrices)


@derivation.monte_carlo(
    r"\mathrm{Var}(x_L) = L + 1 \quad\text{for branches of unit variance}",
    because="The norm hands every branch an input of variance 1, whatever the stream has become, so each branch adds the same "
    "variance: the pre-norm stream grows linearly, and later branches weigh less and less in it.",
)
def the_pre_norm_stream_grows_linearly():
    return _stream_variance(8, 1.0), 9.0


@derivation.monte_carlo(
    r"\mathrm{Var}(x_{2L}) = 1 + 2 L \cdot \tfrac{1}{2 L} = 2 \quad\text{with branches scaled by } 1/\sqrt{2 L}",
    because="With 2L branches (attention and feed-forward in each of L blocks), each scaled by 1/root(2L), all of them together "
    "add what the input has. This is GPT-2's initialization of the residual projections.",
)
def scaled_branches_keep_it_at_two():
    return _stream_variance(8, 1 / np.sqrt(8)), 2.0


@derivation.numeric(
    r"\text{along the skips:}\quad \lVert \partial x_L / \partial x_0 \rVert \approx 2^{-L/2}",
    tolerance=0.03,
    since="the claim is a rate at random initialization, E = 512 and 12 blocks: finite width moves it by a few percent",
    because="A block adds a branch of the stream's own variance and divides by the new deviation, root 2. The skip path alone "
    "thus shrinks by 1/root 2 a block, 64-fold over twelve: early layers get exponentially small gradients along it, which is "
    "why post-norm transformers need a warm-up. In the pre-norm form the skip path is the identity.",
)
def post_norm_shrinks_early_gradients():
    width, blocks = 512, 12
    rng = np.random.default_rng(2)  # three million draws, which JAX without optimization takes ten seconds for
    matrices = jnp.asarray(rng.standard_normal((blocks, width, width))) / np.sqrt(width)
    ones, zeros = jnp.ones(width), jnp.zeros(width)

    def skip_path(x):
        for matrix in matrices:
            # gradients through the branch are stopped: what is left is the path that skips it
            x = post_norm_residual(x, ones, zeros, lambda z, m=matrix: jax.lax.stop_gradient(m @ z), epsilon=0.0)
        return x

    x, upstream = jnp.asarray(rng.standard_normal((2, width)))
    gradient = jax.vjp(skip_path, x)[1](upstream)[0]
    rate = (jnp.linalg.norm(gradient) / jnp.linalg.norm(upstream)) ** (1 / blocks)
    return rate, 1 / np.sqrt(2.0)


@derivation.autodiff(
    r"\langle W, \nabla_W L \rangle = 0, \qquad \nabla_W L(a W) = \tfrac{1}{a} \nabla_W L(W)"
    r" \qquad\text{for } L(\mathrm{RMS}(W x))",
    because="The loss is the same along the ray a W, so it has no slope in that direction; and a function that is constant "
    "under scaling has a gradient of degree -1. Weight decay on such a matrix changes no function: it sets the learning rate.",
)
def a_matrix_before_a_norm_has_no_scale():
    matrix, x, target = draw(_WIDTH, 4, seed=3), draw(4, seed=4), draw(_WIDTH, seed=6)
    gradient = jax.grad(lambda w: jnp.sum((_plain_rms(w @ x) - target) ** 2))
    left = jnp.append(gradient(2.5 * matrix).ravel(), jnp.vdot(matrix, gradient(matrix)))
    return left, jnp.append(gradient(matrix).ravel() / 2.5, 0.0)


if __name__ == "__main__":
    derivation.main()
