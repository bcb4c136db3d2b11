"""A training step of a GPT of 124 million parameters: in the engine, in a bare loop, and transformers' GPT-2.

12 layers of width 768, 12 heads, context 1024, 50 257 tokens, 16 windows a step, dropout 0, bfloat16, fused AdamW, clipping at 1;
all three compiled. The bare loop has the same network; transformers' has attention biases, too.
"""

import dataclasses
from importlib.metadata import version

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.gpu.comparison import compare
from benchmarks.gpu.random_data import random_tokens
from practice_torch.autoregressive import transformer
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from practice_torch.networks.decoder_transformer import DecoderTransformer

GOALS, MEMORY_GOALS = {"bare loop": 1.0, "transformers": 1.0}, {"bare loop": 0.7}
GPT = dict(layers=12, width=768, heads=12, context=1024, vocabulary=50257, batch=16)
TOY = dict(layers=2, width=32, heads=2, context=16, vocabulary=300, batch=2)


def loop(network, recipe, data, card):
    """A bare loop, decaying all parameters alike. Yields after each step."""
    network = network.to(card.device)
    run = card.compiled(network)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    while True:
        tokens = data.batch(torch.randint(len(data), (recipe.batch_size,)))["tokens"]
        with torch.autocast(card.device.type, torch.bfloat16):
            logits = run(tokens[:, :-1])
            logits = getattr(logits, "logits", logits)
            loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimizer.step()
        yield


def recipe_of(size, **fields):
    sizes = {name: size[name] for name in ("layers", "width", "heads", "context")}
    return dataclasses.replace(
        RECIPES["shakespeare"], dropout=0.0, batch_size=size["batch"], warmup_steps=0, target=None, **sizes, **fields
    )


def our_network(size):
    """The recipe's network."""
    return DecoderTransformer(
        vocabulary_size=size["vocabulary"],
        context_length=size["context"],
        width=size["width"],
        layers=size["layers"],
        heads=size["heads"],
    )


def operations(size):
    """Of a step: the backward pass takes twice the forward pass's."""
    return (
        3
        * size["batch"]
        * transformer.forward_operations(
            vocabulary_size=size["vocabulary"],
            length=size["context"],
            width=size["width"],
            layers=size["layers"],
            feed_forward_width=4 * size["width"],
        )
    )


def measure(card, steps):
    """Returns the exit code."""
    size = TOY if card.toy else GPT
    recipe = recipe_of(size)
    data = random_tokens(64 * size["batch"], size["context"], size["vocabulary"], card.device)
    config = GPT2Config(
        vocab_size=size["vocabulary"], n_positions=size["context"], n_embd=size["width"], n_layer=size["layers"],
        n_head=size["heads"], attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, use_cache=False, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    networks = {"bare loop": lambda: our_network(size), "transformers": lambda: GPT2LMHeadModel(config).train()}
    return compare(
        card, "language", f"a training step of {size['batch']} x {size['context']} tokens, GPT",
        ("autoregressive/transformer", "shakespeare"), recipe, lambda: build(recipe, data), (data, data),
        {side: lambda make=make: loop(make(), recipe, data, card) for side, make in networks.items()},
        steps=steps, amount=size["batch"] * size["context"], unit="tokens", operations=operations(size), goals=GOALS,
        memory_goals=MEMORY_GOALS, sizes=size, transformers=version("transformers"), attention=config._attn_implementation,
        parameters={side: sum(p.numel() for p in make().parameters()) for side, make in networks.items()},
    )  # fmt: skip
