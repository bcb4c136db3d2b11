"""What the lecture on attention draws, and attention over permuted tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.autoregressive.attention import attention_weights, causal_mask, scaled_dot_product_attention
from theory_jax.derivation.draws import draw


def first_order_loss(query, key, value, upstream):
    """A loss with the gradient `upstream` in the answers."""
    return jnp.sum(upstream * scaled_dot_product_attention(query, key, value, None))


def sensitivity(length):
    """The sizes of the derivatives of causal answers by the values, [length, length]."""
    query, key, value = draw(1, 1, length, 4), draw(1, 1, length, 4, seed=1), draw(1, 1, length, 1, seed=2)
    mask = causal_mask(query_length=length, key_length=length)
    slopes = jax.jacobian(lambda v: scaled_dot_product_attention(query, key, v, mask)[0, 0, :, 0])(value)
    return jnp.abs(slopes)[:, 0, 0, :, 0]


def permuted():
    """Attention over three permuted tokens, and its answers permuted, for a swap and a turn."""
    # the exponentials of the scores, any positive numbers
    powers, value = sympy.Matrix(3, 3, sympy.symbols("e:9", positive=True)), sympy.Matrix(sympy.symbols("v:3", real=True))

    def attend(powers, value):
        return [sum(powers[r, n] * value[n] for n in range(3)) / sum(powers[r, n] for n in range(3)) for r in range(3)]

    left, right = [], []
    for order in ((1, 0, 2), (1, 2, 0)):
        left += attend(powers.extract(order, order), value.extract(order, [0]))
        right += [attend(powers, value)[n] for n in order]
    return left, right


def two_queries():
    """The box: two queries over two keys, causal, forward and backward."""
    query = jnp.zeros((1, 1, 2, 4)).at[..., 0].set(1.0)
    key = jnp.zeros((1, 1, 2, 4)).at[0, 0, 0, 0].set(2 * np.log(3.0))
    mask, v = causal_mask(query_length=2, key_length=2), jnp.array([4.0, 0.0])
    weights = attention_weights(query, key, mask)[0, 0]
    answers = scaled_dot_product_attention(query, key, v[None, None, :, None], mask)
    yield r"q_1 = q_2 = (1, 0, 0, 0),\ k_1 = (2 \log 3, 0, 0, 0),\ k_2 = 0: \quad S_{21}", np.log(3), "1.0986"
    yield r"P_1 \text{, which sees key 1 alone}", weights[0], "(1, 0)"
    yield r"P_2", weights[1], "(0.75, 0.25)"
    yield r"O \text{ for the values 4 and 0}", answers[0, 0, :, 0], "(4, 3)"
    yield r"B_2 \text{ for } G_2 = 1", weights[1] * (v - weights[1] @ v), "(0.75, -0.75)"


def saturation(left, right):
    """The norm of the softmax's Jacobian for two scores, and the weights of random keys for three scales."""
    spread = np.linspace(0, 10, 101)
    share = np.asarray(jax.nn.softmax(jnp.stack([jnp.array(spread), jnp.zeros(101)]), axis=0))[0]
    left.plot(spread, 2 * share * (1 - share))
    left.set(xlabel="$s_1 - s_2$", ylabel="norm of the Jacobian", ylim=(0, 0.55))
    query, key = draw(1, 1, 1, 64, seed=3), draw(1, 1, 12, 64, seed=4)
    for scale, label, marker in ((1.0, "1", "s-"), (64**-0.5, "$D^{-1/2}$", "o-"), (1 / 64, "$1/D$", "^-")):
        weights = np.sort(np.asarray(attention_weights(query, key, None, scale=scale))[0, 0, 0])[::-1]
        right.plot(range(1, 13), weights, marker, label=label)
    right.set(xlabel="rank of the key", ylabel="weight")
    right.legend(title="scale")


def look_ups(weights, retrieval):
    """Left: the causal weights of eight tokens. Right: the weight of the key that scores, among many that do not."""
    query, key = draw(1, 1, 8, 4, seed=11, scale=2.0), draw(1, 1, 8, 4, seed=12, scale=2.0)
    found = np.asarray(attention_weights(query, key, causal_mask(query_length=8, key_length=8)))[0, 0]
    picture = weights.imshow(np.where(np.tri(8) == 1, found, np.nan), cmap="Blues", vmin=0, vmax=1)
    weights.figure.colorbar(picture, ax=weights)
    weights.set(title="weights", xlabel="key $j$", ylabel="query $i$", xticks=range(0, 8, 2), yticks=range(0, 8, 2))
    scores = np.linspace(0, 14, 100)
    for number in (10, 100, 1000):
        (line,) = retrieval.plot(scores, 1 / (1 + number * np.exp(-scores)), label=f"$N = {number}$")
        retrieval.plot(np.log(9 * number), 0.9, "o", color=line.get_color())
    retrieval.set(xlabel=r"score $\beta$", ylabel="weight of the key")
    retrieval.legend()
