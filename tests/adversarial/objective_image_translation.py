"""What the experiments of adversarial/image_translation minimize, written with functions that have contracts."""

import torch
from torch.nn import functional

from practice_torch.adversarial import image_translation as topic
from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.adversarial.loss_variants import least_squares_discriminator_loss, least_squares_generator_loss
from practice_torch.experiments.adversarial import image_translation as experiment
from tests.support.objectives import Mistake, Objective


def pairs(images, domains):
    """Inputs and outputs in 0..1."""
    match domains:
        case "coarse":
            small = (images[..., ::2, :] + images[..., 1::2, :]) / 2
            small = (small[..., ::2] + small[..., 1::2]) / 2
            return small.repeat_interleave(2, 2).repeat_interleave(2, 3), images
        case "blurred":
            sharp = images
            for _ in range(2):
                images = functional.pad(images, (1, 1, 1, 1)).unfold(2, 2, 1).unfold(3, 2, 1).mean((-2, -1))
                images = images.unfold(2, 2, 1).unfold(3, 2, 1).mean((-2, -1))  # 1, 2, 1 is 1, 1 twice
            return images, sharp
        case "inverted":
            return images, 1 - images
        case "left_to_right" | "right_to_left":
            half = images.shape[-1] // 2
            left, right = images[..., :half], images[..., half:]
            return (left, right) if domains == "left_to_right" else (right, left)


def unpaired(images, domains):
    """The same for images of which each shows one domain only: the even ones X, the odd ones Y."""
    x, y = pairs(images, domains)
    if domains.endswith(("right", "left")):
        return x, y
    count = len(images) // 2
    return torch.stack([x[2 * k] for k in range(count)]), torch.stack([y[2 * k + 1] for k in range(count)])


def pix2pix(e, batch, phase):
    x, y = (2 * images - 1 for images in pairs(batch["image"], e.recipe.domains))
    fakes = e.translator(x)

    def logits(y):
        return e.discriminator(torch.cat([x, y], 1)).flatten()

    if phase == "translator":
        absolute = functional.l1_loss(fakes, y)
        return non_saturating_generator_loss(logits(fakes)).mean() + e.recipe.absolute_weight * absolute
    return discriminator_loss(logits(y), logits(fakes.detach())).mean() / 2


def recalled(e, history, fakes):
    """What the discriminator is shown, image by image, from the images that the history holds before the step."""
    size, shown = len(history.images), list(fakes)
    places = torch.randperm(size, generator=e.generator)[: len(fakes)]
    coins = torch.rand(len(places), generator=e.generator)
    for n, (place, coin) in enumerate(zip(places, coins, strict=True)):
        if history.filled >= size and coin < 0.5:
            shown[n] = history.images[place].clone()
    return torch.stack(shown)


def cycle_gan(e, batch, phase):
    x, y = (2 * images - 1 for images in unpaired(batch["image"], e.recipe.domains))
    if phase == "discriminators":
        fake_x = recalled(e, e.former_x, e.to_x(y).detach())
        fake_y = recalled(e, e.former_y, e.to_y(x).detach())
        both = (e.of_x(x), e.of_x(fake_x)), (e.of_y(y), e.of_y(fake_y))
        return sum(least_squares_discriminator_loss(real.flatten(), fake.flatten()).mean() for real, fake in both)
    total = 0.0
    for there, back, judge, given, other in ((e.to_y, e.to_x, e.of_y, x, y), (e.to_x, e.to_y, e.of_x, y, x)):
        fake = there(given)
        deceived = 2 * least_squares_generator_loss(judge(fake).flatten()).mean()
        cycle, identity = functional.l1_loss(back(fake), given), functional.l1_loss(there(other), other)
        total = total + deceived + e.recipe.cycle_weight * cycle + e.recipe.identity_weight * identity
    return total


def loss(e, batch, phase):
    return (pix2pix if hasattr(e, "translator") else cycle_gan)(e, batch, phase)


def _to_the_input(logits, output, target, *, absolute_weight):
    """The absolute error of another image than the target."""
    return topic.pix2pix_generator_loss(logits, output, target.flip(0), absolute_weight=absolute_weight)


MISTAKES = {
    "the error from another target": Mistake(experiment, "pix2pix_generator_loss", _to_the_input),
    "the weight of the error 10 times as small": Mistake(
        experiment,
        "pix2pix_generator_loss",
        lambda l, o, t, *, absolute_weight: topic.pix2pix_generator_loss(l, o, t, absolute_weight=absolute_weight / 10),  # noqa: E741
    ),
}
# Images of 8 x 8, or halves of 8 x 4, leave no room for more; a history that is full after the first step is read in the second.
SIZES = {"width": 4, "patch_width": 4, "blocks": 1, "depth": 1, "halvings": 0, "strides": (1,), "history": 6, "batch_size": 6}
OBJECTIVE = Objective(loss, draws=False, sizes=SIZES, together=({"depth": 2, "dropout": 0.3},), mistakes=MISTAKES)
