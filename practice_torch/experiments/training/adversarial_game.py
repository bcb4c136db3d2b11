"""One turn of the adversarial game for any two networks, and the quantities to log."""

import math

import torch
from torch import nn

from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from practice_torch.engine.artifacts import Text
from practice_torch.engine.experiment import Metric, Phase

GENERATOR_LOSSES = {"non_saturating": non_saturating_generator_loss, "minimax": minimax_generator_loss}
_OVERPOWERED = 0.1  # nats: a discriminator that is this close to the least loss leaves the generator next to no gradient


def turn(phase, discriminator, real, fakes, recipe, statistics):
    """(loss, logs) of one player's turn.

    Real and fake examples pass the discriminator one batch after the other, never mixed: batch normalization over a mixed batch
    would leak batch statistics between real and fake examples.
    """
    if phase == "generator":
        return GENERATOR_LOSSES[recipe.generator_loss](discriminator(fakes)).mean(), {}
    logits_real, logits_fake = discriminator(real), discriminator(fakes.detach())
    loss = discriminator_loss(logits_real, logits_fake, real_target=recipe.real_target).mean()
    statistics.update(loss.detach())
    return loss, {"real": torch.sigmoid(logits_real.detach()).mean(), "fake": torch.sigmoid(logits_fake.detach()).mean()}


def phases(recipe):
    first = Phase("discriminator", ("discriminator",), times=recipe.discriminator_turns)
    return first, Phase("generator", ("generator_network",))


# The metrics of GameStatistics.
GAME = {
    "discriminator_loss": Metric("nats", "excess of the discriminator's loss over its minimum, over the last 100 updates"),
    "lowest_discriminator_loss": Metric("nats", "minimum of this loss so far; near 0 the generator stops learning"),
}


class GameStatistics(nn.Module):
    """Running mean of the discriminator's loss above its minimum, over about the last hundred updates, and the lowest mean."""

    def __init__(self, real_target):
        super().__init__()
        a = real_target
        self.least = 0.0 if a == 1 else -a * math.log(a) - (1 - a) * math.log(1 - a)
        self.register_buffer("loss", torch.tensor(math.log(4)))
        self.register_buffer("lowest", torch.tensor(math.log(4)))

    def update(self, loss):
        self.loss.lerp_((loss - self.least).to(self.loss.dtype), 0.01)
        torch.minimum(self.lowest, self.loss, out=self.lowest)

    def metrics(self):
        return {"discriminator_loss": float(self.loss), "lowest_discriminator_loss": float(self.lowest)}

    def text(self):
        """The state of the game, for the report."""
        words = f"The discriminator's loss over its last 100 updates is {self.loss:.3f} nats above the least possible"
        words += f" (lowest so far {self.lowest:.3f}; tossing a coin costs {math.log(4) - self.least:.3f})."
        if self.loss < _OVERPOWERED:
            words += "\nThe discriminator OVERPOWERS the generator, which now learns next to nothing: give the discriminator"
            words += "\nfewer turns, a smaller network or softer targets (--real-target 0.9), or use the non-saturating loss."
        elif self.lowest < _OVERPOWERED:
            words += "\nThe discriminator overpowered the generator for a while, but no longer does."
        else:
            words += "\nNeither player overpowers the other."
        return Text(words, "The state of the game")
