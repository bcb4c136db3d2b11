"""A step of a DCGAN, a turn for each player: in the engine and in a bare loop.

The recipe `mnist`, on random images of 3 x 32 x 32 in batches of 256, bfloat16, compiled; without the classifier that judges
the fakes, which is no part of the game. Both freeze the networks of the other phase. The engine also logs the discriminator's
loss.
"""

import dataclasses

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.comparison import compare
from benchmarks.gpu.random_data import random_images
from practice_torch.experiments.adversarial import dcgan

GOALS = {"bare loop": 1.0}


def losses(generator, discriminator, images, noise, turn):
    """Of the discriminator (turn 0) or the generator (turn 1), an example each."""
    fakes = generator(noise)
    if turn == 1:
        return functional.softplus(-discriminator(fakes).float())
    real = discriminator(2 * images - 1).float()
    return functional.softplus(-real) + functional.softplus(discriminator(fakes).float())


def freeze_others(players, turn):
    for number, player in enumerate(players):
        player.requires_grad_(number == turn)


def loop(experiment, recipe, data, card):
    """A bare loop over the two players. Yields after each step."""
    generator, discriminator = experiment.generator_network.to(card.device), experiment.discriminator.to(card.device)
    players = discriminator, generator
    networks = card.compiled(generator), card.compiled(discriminator)
    optimizers = [
        torch.optim.AdamW(
            player.parameters(), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), weight_decay=0.0, fused=True
        )
        for player in players
    ]
    while True:
        for turn, optimizer in enumerate(optimizers):
            freeze_others(players, turn)
            images = data.batch(torch.randint(len(data), (recipe.batch_size,)))["image"]
            noise = torch.randn(len(images), recipe.latent, device=card.device)
            with torch.autocast(card.device.type, torch.bfloat16):
                loss = losses(*networks, images, noise, turn).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield


def operations(experiment, latent, shape):
    """Of both turns for one image, counted in the products that they really take."""
    players = experiment.discriminator, experiment.generator_network
    images, noise = torch.zeros(2, *shape), torch.zeros(2, latent)  # two, for the batch's statistics
    with FlopCounterMode(display=False) as counter:
        for turn in range(2):
            freeze_others(players, turn)
            losses(players[1], players[0], images, noise, turn).sum().backward()
    return counter.get_total_flops() / 2


def measure(card, steps):
    """Returns the exit code."""
    batch, width = (8, 8) if card.toy else (256, 64)
    recipe = dataclasses.replace(dcgan.RECIPES["mnist"], batch_size=batch, width=width, precision="bfloat16", target=None)
    data = random_images(8 * batch, 32, card.device)

    def build():
        experiment = dcgan.build(recipe, data)
        experiment.phases, experiment.eager = experiment.phases[:2], {"classifier": "its phase does not play"}
        return experiment

    return compare(
        card,
        "adversarial",
        f"a step of both players of a DCGAN, {batch} images each",
        ("adversarial/dcgan", "mnist"),
        recipe,
        build,
        (data, data),
        {"bare loop": lambda: loop(build(), recipe, data, card)},
        steps=steps,
        amount=batch,
        unit="images",
        operations=batch * operations(build(), recipe.latent, data.description["shape"]),
        goals=GOALS,
        width=width,
    )
