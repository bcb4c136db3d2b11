"""A training step of a GPT of 10.7 million parameters: in the engine, in a bare loop, and transformers' GPT-2.

    python -m benchmarks.language.language_model [--batch 64] [--threads N] [--steps 16]

The recipe `shakespeare` in float32 without dropout: six layers of width 384, six heads, context 256, 64 windows a step, clipping
at 1, fused AdamW; 256 tokens; all cores, as in training. The bare loop has the same network; transformers' has attention biases,
too, and the attention that it chooses by itself. Step by step in turns (measuring/alternation.py).
Result: benchmarks/results/language_model.json.

What we save is passes over memory, above all in GELU, which transformers composes of eight operations. The products of matrices
are the same: where all else stays in the cache (--batch 2 --threads 1 --steps 100) they are most of the time, and
transformers is as fast but for a twentieth.
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
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from practice_torch.networks.decoder_transformer import DecoderTransformer

RECIPE = dataclasses.replace(RECIPES["shakespeare"], dropout=0.0, precision="float32", data="pydoc", warmup_steps=0)


def bare_loop(recipe, data, network, loss_of):
    """One window after another in a random order; yields after every step."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    vectors = [p for p in network.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        fused=True,
    )
    while True:
        tokens = data.batch(torch.randint(len(data), (recipe.batch_size,)))["tokens"]
        loss = loss_of(network, tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimizer.step()
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=RECIPE.batch_size)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began = time.perf_counter()
    recipe = dataclasses.replace(RECIPE, batch_size=arguments.batch, steps=arguments.steps)
    data = load_data(recipe)
    torch.manual_seed(recipe.seed)
    experiment = build(recipe, data[0])
    sizes = dict(layers=recipe.layers, width=recipe.width, heads=recipe.heads)
    ours = DecoderTransformer(vocabulary_size=256, context_length=recipe.context, **sizes)
    config = GPT2Config(
        vocab_size=256,
        n_positions=recipe.context,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        attn_pdrop=0,
        embd_pdrop=0,
        resid_pdrop=0,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = GPT2LMHeadModel(config).train()

    def cross_entropy(network, tokens, targets):
        logits = network(tokens)
        return functional.cross_entropy(getattr(logits, "logits", logits).flatten(0, 1), targets.flatten())

    loops = {
        "bare loop": bare_loop(recipe, data[0], ours, cross_entropy),
        "transformers": bare_loop(recipe, data[0], theirs, cross_entropy),
    }
    block = max(1, 10 // recipe.batch_size)  # a short step is charged with others
    seconds = alternate("autoregressive/transformer", "shakespeare", recipe, experiment, data, loops, block=block)
    as_in_training = recipe.batch_size == RECIPE.batch_size
    return conclude(
        "language_model" if as_in_training else f"language_model_batch_{recipe.batch_size}",
        f"{block} training steps of {recipe.batch_size} x {recipe.context} tokens, GPT of 10.7M parameters",
        seconds,
        ours="engine",
        began=began,
        unit=(block * recipe.batch_size * recipe.context, "tokens"),
        transformers=version("transformers"),
        parameters={"ours": sum(p.numel() for p in ours.parameters()), "transformers": theirs.num_parameters()},
        attention=config._attn_implementation,
    )


if __name__ == "__main__":
    sys.exit(main())
