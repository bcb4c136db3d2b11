"""A training step of a GPT of 10.7 million parameters: in the engine, in a bare loop, and transformers' GPT-2.

    python -m benchmarks.language_model [--steps 60]

Six layers of width 384, six heads, context 256, 256 tokens, dropout 0, clipping at 1, fused AdamW, float32, two windows a step,
one thread. The bare loop has the same network; transformers' has attention biases, too, and the attention that it chooses by
itself. Step by step in turns (measuring/alternation.py); a turn is a block of five steps.
Result: benchmarks/results/language_model.json.
"""

import argparse
import dataclasses
import sys
import time
from importlib.metadata import version

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import conclude
from practice_torch.autoregressive.transformer import RECIPES, build
from practice_torch.engine.datasets import load_data
from practice_torch.networks.decoder_transformer import DecoderTransformer

GOALS = {"bare loop": 0.97, "transformers": 1.15}
BLOCK, BATCH = 5, 2
SIZES = dict(layers=6, width=384, heads=6, context=256, dropout=0.0)
HOW = dict(precision="float32", batch_size=BATCH, data="pydoc", warmup_steps=0)


def bare_loop(recipe, data, network, loss_of):
    """One window after another in a random order; yields after every step."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    vectors = [p for p in network.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), fused=True,
    )  # fmt: skip
    while True:
        tokens = data.batch(torch.randint(len(data), (BATCH,)))["tokens"]
        loss = loss_of(network, tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimizer.step()
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    recipe = dataclasses.replace(RECIPES["shakespeare"], **SIZES, **HOW, steps=arguments.steps)
    data = load_data(recipe)
    torch.manual_seed(recipe.seed)
    experiment = build(recipe, data[0])
    ours = DecoderTransformer(vocabulary_size=256, context_length=256, width=384, layers=6, heads=6)
    config = GPT2Config(
        vocab_size=256, n_positions=256, n_embd=384, n_layer=6, n_head=6, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0,
        use_cache=False,
    )  # fmt: skip
    theirs = GPT2LMHeadModel(config).train()

    def cross_entropy(network, tokens, targets):
        logits = network(tokens)
        return functional.cross_entropy(getattr(logits, "logits", logits).flatten(0, 1), targets.flatten())

    loops = {
        "bare loop": bare_loop(recipe, data[0], ours, cross_entropy),
        "transformers": bare_loop(recipe, data[0], theirs, cross_entropy),
    }
    seconds = alternate("autoregressive/transformer", "shakespeare", recipe, experiment, data, loops, block=BLOCK)
    return conclude(
        "language_model", f"{BLOCK} training steps of {BATCH} x 256 tokens, GPT of 10.7M parameters", seconds, ours="engine",
        goals=GOALS, began=began, unit=(BLOCK * BATCH * 256, "tokens"), transformers=version("transformers"),
        parameters={"ours": sum(p.numel() for p in ours.parameters()), "transformers": theirs.num_parameters()},
        attention=config._attn_implementation,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
