"""A training step of a GPT in nanoGPT's form, without biases and with the exact GELU: the engine's against a network written out.

    python -m benchmarks.language.nanogpt [--batch 2] [--threads 1] [--steps 16]

Six layers of width 384, six heads, context 256, 256 tokens, float32, no dropout, clipping at 1, fused AdamW, as in
benchmarks.language.language_model. Both networks have the same parameters, begin at the same values, and must have the same loss
before anything is timed. The other side has the form in which nanoGPT trains GPT-2: one product for queries, keys and values,
torch's fused attention, GELU and layer norm, in a bare loop; "bare loop" is our network in the same loop. Step by step in turns.
Result: benchmarks/results/language_model_nanogpt.json.
"""

import argparse
import dataclasses
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from benchmarks.language.language_model import RECIPE, bare_loop
from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import conclude
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.autoregressive.transformer import build
from practice_torch.networks.decoder_transformer import DecoderTransformer

VOCABULARY, CLOSE = 256, 1e-5  # nats, of losses of two orders of summation


class Block(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x))."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.attention, self.mixed = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        rows, steps, width = x.shape
        parts = self.attention(self.norm_1(x)).split(width, dim=2)
        query, key, value = (part.view(rows, steps, self.heads, -1).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mixed(seen.transpose(1, 2).contiguous().view(rows, steps, width))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class WrittenOut(nn.Module):
    """Tokens [B, T] -> logits [B, T, V]; the head is the table of tokens."""

    def __init__(self, recipe):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, recipe.width), nn.Embedding(recipe.context, recipe.width)
        self.blocks = nn.Sequential(*(Block(recipe.width, recipe.heads) for _ in range(recipe.layers)))
        self.norm = nn.LayerNorm(recipe.width, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


def cross_entropy(network, tokens, targets):
    return functional.cross_entropy(network(tokens).flatten(0, 1), targets.flatten())


def with_weights_of(ours, theirs):
    """The network written out with the parameters of ours, name by name."""
    names = {"attention": "query_key_value", "mixed": "output", "norm_1": "attention_norm", "norm_2": "feed_forward_norm"}
    names |= {"tokens": "token_embedding", "positions": "position_embedding", "norm": "final_norm"}
    own = dict(ours.named_parameters())
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(own.pop(".".join(names.get(part, part) for part in name.split("."))))
    if own:
        raise SystemExit(f"the network written out lacks {', '.join(own)}")
    return theirs


def require_same(ours, theirs):
    """The losses of one batch."""
    tokens = torch.randint(VOCABULARY, (2, 65), generator=torch.Generator().manual_seed(0))
    losses = [cross_entropy(network, tokens[:, :-1], tokens[:, 1:]).item() for network in (ours, theirs)]
    if abs(losses[0] - losses[1]) > CLOSE:
        raise SystemExit(f"the losses are {losses[0]!r} and {losses[1]!r}; they may differ by {CLOSE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began = time.perf_counter()
    recipe = dataclasses.replace(RECIPE, batch_size=arguments.batch, steps=arguments.steps, biases="none", exact_gelu=True)
    data = load_data(recipe)
    torch.manual_seed(recipe.seed)
    experiment = build(recipe, data[0])
    sizes = dict(context_length=recipe.context, width=recipe.width, layers=recipe.layers, heads=recipe.heads)
    ours = DecoderTransformer(vocabulary_size=VOCABULARY, **sizes, biases="none", exact_gelu=True)
    theirs = with_weights_of(ours, WrittenOut(recipe))
    require_same(ours, theirs)
    loops = {
        "nanoGPT's form": bare_loop(recipe, data[0], theirs, cross_entropy),
        "bare loop": bare_loop(recipe, data[0], ours, cross_entropy),
    }
    seconds = alternate("autoregressive/transformer", "shakespeare", recipe, experiment, data, loops, block=1)
    return conclude(
        "language_model_nanogpt",
        f"a training step of {recipe.batch_size} x {recipe.context} tokens, GPT of 10.7M parameters without biases",
        seconds,
        ours="engine",
        began=began,
        unit=(recipe.batch_size * recipe.context, "tokens"),
        parameters=sum(p.numel() for p in theirs.parameters()),
    )


if __name__ == "__main__":
    sys.exit(main())
