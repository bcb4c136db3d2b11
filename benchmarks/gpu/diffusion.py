"""A training step of the CIFAR-10 U-Net of 35.7 million parameters: in the engine, in a bare loop, and diffusers' UNet2DModel.

The recipe `cifar10` on random images: 3 x 32 x 32 in ten classes, batches of 256, dropout 0.1, bfloat16, fused AdamW, clipping at
1, a running average of the weights, images mirrored, labels dropped. Compiled and channels_last, with heads 64 wide, are the
engine, the bare loop with the same network, and "diffusers"; "diffusers as it comes" is neither, and its heads are 8 wide, which
is its default. Its attention has biases, and its network halves images by strides; the products are as many on all sides.
"""

import dataclasses
from importlib.metadata import version

import torch
from diffusers import UNet2DModel
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.comparison import compare
from benchmarks.gpu.random_data import random_images
from practice_torch.experiments.diffusion.training import RECIPES, build
from practice_torch.networks.unet import UNet2d

GOALS = {"bare loop": 1.0, "diffusers": 1.05, "diffusers as it comes": 1.3}
CLASSES = 10
CIFAR = dict(size=32, base_channels=128, multipliers=(1, 2, 2, 2), attention_at=(16,), blocks=2, batch=256)
TOY = dict(size=4, base_channels=64, multipliers=(1,), attention_at=(4,), blocks=1, batch=2)


def our_network(size, **options):
    """The recipe's network."""
    return UNet2d(
        channels=3,
        size=size["size"],
        base_channels=size["base_channels"],
        multipliers=size["multipliers"],
        blocks=size["blocks"],
        attention_at=size["attention_at"],
        num_classes=CLASSES,
        **options,
    )


def their_network(size, *, head_width=64, dropout=0.0):
    """diffusers' network of the same layout. Its classes are ours and the null class."""
    attends = [size["size"] >> level in size["attention_at"] for level in range(len(size["multipliers"]))]
    down = tuple("AttnDownBlock2D" if attending else "DownBlock2D" for attending in attends)
    up = tuple("AttnUpBlock2D" if attending else "UpBlock2D" for attending in reversed(attends))
    return UNet2DModel(
        sample_size=size["size"],
        in_channels=3,
        out_channels=3,
        layers_per_block=size["blocks"],
        norm_num_groups=32,
        dropout=dropout,
        block_out_channels=tuple(size["base_channels"] * multiplier for multiplier in size["multipliers"]),
        down_block_types=down,
        up_block_types=up,
        attention_head_dim=head_width,
        num_class_embeds=CLASSES + 1,
    )


def operations(make, size, *, backward):
    """Of the products of one image in the network that make() makes, counted without computing any."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        number = torch.zeros(1, dtype=torch.int64)
        prediction = make()(torch.zeros(1, 3, size["size"], size["size"]), number, number)
        if backward:
            getattr(prediction, "sample", prediction).sum().backward()
    return counter.get_total_flops()


def loop(network, recipe, data, card, *, as_it_comes=False):
    """A bare loop. Yields after each step."""
    layout = torch.contiguous_format if as_it_comes else torch.channels_last
    network = network.to(card.device, memory_format=layout).train()
    run = network if as_it_comes else card.compiled(network)
    parameters = list(network.parameters())
    average = [parameter.detach().clone() for parameter in parameters]
    average_in = get_ema_multi_avg_fn(recipe.average_decay)
    optimizer = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), weight_decay=0.0, fused=True
    )
    alpha_bar = recipe.alpha_bar().to(card.device)
    while True:
        batch = data.batch(torch.randint(len(data), (recipe.batch_size,)))
        x0, label = 2 * batch["image"] - 1, batch["label"]
        count = len(x0)
        label = label.where(torch.rand(count, device=card.device) >= recipe.drop_probability, CLASSES)
        x0 = torch.where(torch.rand(count, 1, 1, 1, device=card.device) < 0.5, x0.flip(-1), x0)
        t = torch.randint(1, recipe.num_steps + 1, (count,), device=card.device)
        noise = torch.randn_like(x0)
        level = alpha_bar[t][:, None, None, None]
        noisy = level.sqrt() * x0 + (1 - level).sqrt() * noise
        with torch.autocast(card.device.type, torch.bfloat16):
            prediction = run(noisy.contiguous(memory_format=layout), t, label)
        loss = functional.mse_loss(getattr(prediction, "sample", prediction).float(), noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        optimizer.step()
        average_in(average, parameters, None)
        yield


def recipe_of(size, **fields):
    sizes = {name: size[name] for name in ("base_channels", "multipliers", "blocks", "attention_at")}
    return dataclasses.replace(RECIPES["cifar10"], batch_size=size["batch"], warmup_steps=0, target=None, **sizes, **fields)


def measure(card, steps):
    """Returns the exit code."""
    size = TOY if card.toy else CIFAR
    recipe = recipe_of(size)
    data, dropout = random_images(8 * size["batch"], size["size"], card.device), recipe.dropout
    networks = {
        "bare loop": lambda: our_network(size, dropout=dropout),
        "diffusers": lambda: their_network(size, dropout=dropout),
        "diffusers as it comes": lambda: their_network(size, head_width=8, dropout=dropout),
    }
    per_image = {side: operations(make, size, backward=True) for side, make in networks.items()}
    assert len(set(per_image.values())) == 1, f"the networks do not do the same work: {per_image}"
    return compare(
        card,
        "diffusion",
        f"a training step of {size['batch']} images, {size['size']} x {size['size']}, U-Net",
        ("diffusion/training", "cifar10"),
        recipe,
        lambda: build(recipe, data),
        (data, data),
        {
            side: lambda side=side, make=make: loop(make(), recipe, data, card, as_it_comes=side.endswith("as it comes"))
            for side, make in networks.items()
        },
        steps=steps,
        amount=size["batch"],
        unit="images",
        operations=size["batch"] * per_image["bare loop"],
        goals=GOALS,
        sizes=size,
        diffusers=version("diffusers"),
        parameters={side: sum(p.numel() for p in make().parameters()) for side, make in networks.items()},
    )
