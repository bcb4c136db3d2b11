"""Small decoders whose logits the lectures compute, and the figure of the transformer's lecture."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.transformer import decoder_logits, forward_operations, gelu, parameter_count, silu
from theory_jax.derivation.draws import draw

GPT2 = dict(vocabulary_size=50257, width=768, layers=12, feed_forward_width=3072)
SQUARE = ("query_weight", "key_weight", "value_weight", "output_weight")


def random_decoder(layers=2, seed=100):
    """Parameters of decoder_logits for 7 words, 6 positions and a width of 8, all of them random."""
    return {
        "token_embedding": draw(7, 8, seed=seed),
        "position_embedding": draw(6, 8, seed=seed + 1),
        "blocks": tuple(block(seed + 20 * (1 + i)) for i in range(layers)),
        "final_norm_weight": 1 + 0.1 * draw(8, seed=seed + 2),
        "final_norm_bias": draw(8, seed=seed + 3),
    }


def block(seed):
    vectors = ("attention_norm_weight", "attention_norm_bias", "feed_forward_norm_weight", "feed_forward_norm_bias", "down_bias")
    shapes = dict.fromkeys(SQUARE, (8, 8)) | dict.fromkeys(vectors, (8,))
    shapes |= {"up_weight": (12, 8), "up_bias": (12,), "down_weight": (8, 12)}
    return {name: draw(*shape, seed=seed + i, scale=0.5) for i, (name, shape) in enumerate(shapes.items())}


def signs_decoder():
    """Two words with the embeddings (1, -1) and (-1, 1), two equal blocks; matrices of attention are the identity."""
    one, none = jnp.ones(2), jnp.zeros(2)
    norms = {f"{name}_norm_{part}": value for name in ("attention", "feed_forward") for part, value in norm(one, none).items()}
    layer = {"up_weight": jnp.zeros((1, 2)), "up_bias": jnp.zeros(1), "down_weight": jnp.zeros((2, 1)), "down_bias": none}
    return {
        "token_embedding": jnp.array([[1.0, -1.0], [-1.0, 1.0]]),
        "position_embedding": jnp.zeros((3, 2)),
        "blocks": (dict.fromkeys(SQUARE, jnp.eye(2)) | norms | layer,) * 2,
        **{f"final_norm_{part}": value for part, value in norm(one, none).items()},
    }


def norm(weight, bias):
    return {"weight": weight, "bias": bias}


def last_streams(x):
    """The last token's stream behind each of two blocks of the page, whose stream has one entry, without feed-forward layers."""
    ends = []
    for _ in range(2):
        scores = np.exp(np.outer(x, x)) * np.tri(len(x))
        x = x + scores @ x / scores.sum(axis=1)
        ends.append(x[-1])
    return ends


def bends_and_shares(left, right):
    """The transformer's figure: nonlinearities, and shares of the operations of a pass of GPT-2 small."""
    grid = jnp.linspace(-4, 3, 200)
    for curve, label in ((gelu(grid, approximate=False), "gelu"), (silu(grid), "silu"), (jnp.maximum(grid, 0), "relu")):
        left.plot(grid, curve, label=label)
    left.set(xlabel="$z$", ylabel="output")
    left.legend()
    lengths = np.unique(np.geomspace(64, 32768, 60).astype(int))
    total = np.array([forward_operations(**GPT2, length=int(length)) for length in lengths])
    attended, head = 4 * 12 * lengths.astype(float) ** 2 * 768 / total, 2 * 50257 * 768 * lengths / total
    right.semilogx(lengths, attended, label="attention")
    right.semilogx(lengths, 1 - attended - head, label="matrices of the layers")
    right.semilogx(lengths, head, label="head")
    right.axvline(6703, color="gray", linestyle="--")
    right.set(xlabel="tokens $T$", ylabel="share of the operations", ylim=(0, 1.15))
    right.legend()


SIZES = {"small": (768, 12), "medium": (1024, 24), "large": (1280, 36), "XL": (1600, 48)}  # of GPT-2: width and layers


def seen_and_stored(changes, stored):
    """Left: how much each prediction moves if one token is replaced. Right: where the parameters of GPT-2 are."""
    tokens = np.array([3, 1, 4, 1, 5, 2])
    replaced = np.where(np.eye(6) == 1, (tokens + 3) % 7, tokens)
    logits = np.asarray(decoder_logits(np.concatenate([tokens[None], replaced]), random_decoder(), heads=2))
    moved = np.abs(logits[1:] - logits[0]).max(axis=-1).T
    picture = changes.imshow(np.where(moved > 0, moved, np.nan), cmap="Blues", vmin=0)
    changes.figure.colorbar(picture, ax=changes)
    changes.set(
        title="largest change of a logit",
        xlabel="token that is replaced",
        ylabel="prediction at",
        xticks=range(6),
        yticks=range(6),
    )
    parts = {"embeddings": [], "attention": [], "feed-forward": []}
    for width, layers in SIZES.values():
        attention = layers * 4 * width**2
        sizes = dict(vocabulary_size=50257, context_length=1024, width=width, feed_forward_width=4 * width, tied=True)
        total = int(parameter_count(**sizes, layers=layers))
        embeddings = (50257 + 1024) * width
        for name, number in zip(parts, (embeddings, attention, total - embeddings - attention), strict=True):
            parts[name].append(number / 1e6)
    below = np.zeros(4)
    for name, numbers in parts.items():
        stored.bar(list(SIZES), numbers, bottom=below, width=0.6, label=name)
        below = below + numbers
    stored.set(xlabel="GPT-2", ylabel="million parameters")
    stored.legend()
