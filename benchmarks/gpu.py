"""On one GPU: a GPT of 124 million parameters and a DCGAN, in the engine, in bare loops, and transformers' GPT-2.

    python -m benchmarks.gpu [--steps 200] [--smoke]

First the machine itself: the rate of its bfloat16 matrix product and of copying. Then, blocks of steps in turns
(measuring/alternation.py): the GPT (12 layers of width 768, context 1024, 50 257 tokens, dropout 0, bfloat16, compiled, torch's
fused attention), beside the same network in a bare compiled loop and transformers' GPT-2, compiled, too; the DCGAN on random
images of 32 x 32 pixels in batches of 256, beside its networks in a bare loop. Tokens are random: only time and memory are
looked at. Utilization counts the network's matrix products, backward twice the forward, over the measured and the data-sheet
rate. --smoke: everything at toy size on the CPU, to see that the script runs. Result: benchmarks/results/gpu.json.
"""

import argparse
import dataclasses
import json
import sys
import time
from importlib.metadata import version
from types import SimpleNamespace

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import RESULTS, ratio
from practice_torch.adversarial import dcgan
from practice_torch.autoregressive import transformer
from practice_torch.engine.environment import environment
from practice_torch.networks.decoder_transformer import DecoderTransformer

SHEET = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bfloat16 operations per second, from the data sheets
GOALS = {"bare loop": 1.0, "transformers": 1.0}
BLOCK = 10
GPT = dict(layers=12, width=768, heads=12, context=1024, vocabulary=50257, batch=16)
TOY = dict(layers=2, width=32, heads=2, context=16, vocabulary=300, batch=2)


class RandomTokens:
    """Windows of tokens that nobody wrote, on the device."""

    def __init__(self, size, device):
        generator = torch.Generator().manual_seed(0)
        shape = (64 * size["batch"], size["context"] + 1)
        self.windows = torch.randint(size["vocabulary"], shape, generator=generator).to(device)
        self.vocabulary = SimpleNamespace(merges=((0, 0),) * (size["vocabulary"] - 256))
        self.description = {"name": "random", "sha256": "", "count": len(self.windows), "shape": [size["context"] + 1],
                            "vocabulary": size["vocabulary"]}  # fmt: skip

    def __len__(self):
        return len(self.windows)

    def batch(self, indices):
        return {"tokens": self.windows[indices.to(self.windows.device)]}

    def to(self, device):
        return self


class RandomImages(RandomTokens):
    """Images of noise."""

    def __init__(self, count, device):
        self.windows = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
        shape, classes = [3, 32, 32], list(map(str, range(10)))
        self.description = {"name": "random", "sha256": "", "count": count, "shape": shape, "classes": classes}

    def batch(self, indices):
        return {"image": self.windows[indices.to(self.windows.device)]}


def machine(device, size):
    """(operations per second of a square bfloat16 product, bytes per second of a copy)"""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    product = _per_call(lambda: a @ a, device)
    copy = _per_call(lambda: a.clone(), device)
    return 2 * size**3 / product, 2 * a.nbytes / copy


def _per_call(call, device, repeats=20):
    for _ in range(3):
        call()
    _wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait(device)
    return (time.perf_counter() - began) / repeats


def _wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def language_loop(network, recipe, data, device, compiled):
    """A bare loop: bfloat16 autocast, AdamW in one group, clipping. Yields after each step."""
    network = network.to(device)
    run = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    while True:
        tokens = data.batch(torch.randint(len(data), (recipe.batch_size,)))["tokens"]
        with torch.autocast(device.type, torch.bfloat16):
            logits = run(tokens[:, :-1])
            logits = getattr(logits, "logits", logits)
            loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        yield


def adversarial_loop(experiment, recipe, data, device):
    """A bare loop over the two players of a DCGAN in bfloat16."""
    generator, discriminator = experiment.generator_network.to(device), experiment.discriminator.to(device)
    optimizers = [
        torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, betas=(recipe.beta1, 0.999), weight_decay=0, fused=True)
        for network in (discriminator, generator)
    ]
    while True:
        for turn, optimizer in enumerate(optimizers):
            real = data.batch(torch.randint(len(data), (recipe.batch_size,)))["image"] * 2 - 1
            with torch.autocast(device.type, torch.bfloat16):
                fakes = generator(torch.randn(len(real), recipe.latent, device=device))
                if turn == 0:
                    loss = functional.softplus(-discriminator(real)) + functional.softplus(discriminator(fakes.detach()))
                else:
                    loss = functional.softplus(-discriminator(fakes))
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
        yield


def language_model(device, size, steps):
    smoke = device.type == "cpu"
    recipe = dataclasses.replace(
        transformer.RECIPES["shakespeare"], dropout=0.0, steps=steps, batch_size=size["batch"], warmup_steps=0, compile=not smoke,
        **{name: size[name] for name in ("layers", "width", "heads", "context")},
    )  # fmt: skip
    data = RandomTokens(size, device)
    torch.manual_seed(0)
    bare = DecoderTransformer(
        vocabulary_size=size["vocabulary"], context_length=size["context"], width=size["width"], layers=size["layers"],
        heads=size["heads"],
    )  # fmt: skip
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=size["vocabulary"], n_positions=size["context"], n_embd=size["width"], n_layer=size["layers"],
            n_head=size["heads"], attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, use_cache=False, bos_token_id=None,
            eos_token_id=None,
        )
    ).train()  # fmt: skip
    loops = {
        "bare loop": language_loop(bare, recipe, data, device, not smoke),
        "transformers": language_loop(theirs, recipe, data, device, not smoke),
    }
    experiment = transformer.build(recipe, data)
    seconds = alternate(
        "autoregressive/transformer", "shakespeare", recipe, experiment, (data, data), loops, block=BLOCK, cpu=smoke
    )  # fmt: skip
    operations = 3 * size["batch"] * transformer.forward_operations(
        vocabulary_size=size["vocabulary"], length=size["context"], width=size["width"], layers=size["layers"],
        feed_forward_width=4 * size["width"],
    )  # fmt: skip
    return seconds, size["batch"] * size["context"], operations


def images(device, steps, batch):
    smoke = device.type == "cpu"
    recipe = dataclasses.replace(dcgan.RECIPES["mnist"], steps=steps, batch_size=batch, precision="bfloat16", target=None)
    data = RandomImages(8 * batch, device)
    experiment, bare = (dcgan.build(recipe, data) for _ in range(2))
    experiment.phases = experiment.phases[:2]  # the game alone, without the classifier that judges it
    loops = {"bare loop": adversarial_loop(bare, recipe, data, device)}
    return alternate("adversarial/dcgan", "mnist", recipe, experiment, (data, data), loops, block=BLOCK, cpu=smoke), batch


def summary(seconds, per_step, unit):
    """Amounts per second by side, wall time, and the ratios to the engine."""
    medians = {side: sorted(kinds["wall"])[len(kinds["wall"]) // 2] / BLOCK for side, kinds in seconds.items()}
    return {
        f"{unit}_per_second": {side: per_step / median for side, median in medians.items()},
        "ratios": {side: ratio(seconds, side, "engine", "wall") for side in seconds if side != "engine"},
        "seconds_per_step": medians,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    if not arguments.smoke and not torch.cuda.is_available():
        print("error: no GPU is here; --smoke runs everything at toy size on the CPU", file=sys.stderr)
        return 2
    device = torch.device("cpu" if arguments.smoke else "cuda")
    began = time.perf_counter()
    rate, copy = machine(device, 256 if arguments.smoke else 8192)
    seconds, tokens, operations = language_model(device, TOY if arguments.smoke else GPT, arguments.steps)
    gpt = summary(seconds, tokens, "tokens")
    per_second = operations / gpt["seconds_per_step"]["engine"]
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    sheet = next((peak for card, peak in SHEET.items() if card in name), None)
    gpt["utilization"] = {"of_measured_product": per_second / rate, "of_data_sheet": sheet and per_second / sheet}
    if device.type == "cuda":
        gpt["peak_bytes_of_all_sides"] = torch.cuda.max_memory_allocated()
    seconds, batch = images(device, arguments.steps, 8 if arguments.smoke else 256)
    result = {
        "product_operations_per_second": rate,
        "copy_bytes_per_second": copy,
        "gpt": gpt | {"operations_per_step": operations, "sizes": TOY if arguments.smoke else GPT},
        "dcgan": summary(seconds, batch, "images"),
        "goals": GOALS,
        "transformers": version("transformers"),
        "environment": environment(device, time.perf_counter() - began),
    }
    print(json.dumps(result, indent=1))
    if not arguments.smoke:
        (RESULTS / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
