"""What the experiment of adversarial/loss_variants minimizes, written with functions that have contracts."""

from practice_torch.adversarial import gan
from practice_torch.adversarial import loss_variants as variants
from practice_torch.experiments.adversarial import loss_variants as experiment
from tests.support.objectives import Mistake, Objective, normal


def loss_gan(e, batch, phase):
    real = batch["point"] if "point" in batch else 2 * batch["image"] - 1
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))

    def scores(x):
        return e.critic(x).flatten()

    if phase == "generator":
        match e.recipe.loss:
            case "least_squares" | "midpoint" as labels:
                losses = variants.least_squares_generator_loss(scores(fakes), target=1.0 if labels == "least_squares" else 0.0)
            case "hinge":
                losses = variants.hinge_generator_loss(scores(fakes))
            case "relativistic":
                losses = gan.non_saturating_generator_loss(scores(fakes) - scores(real))
            case "logistic":
                losses = gan.non_saturating_generator_loss(scores(fakes))
        return losses.mean()
    real, fake = scores(real), scores(fakes.detach())
    match e.recipe.loss:
        case "least_squares" | "midpoint" as labels:
            label = 0.0 if labels == "least_squares" else -1.0
            losses = variants.least_squares_discriminator_loss(real, fake, fake_target=label)
        case "hinge":
            losses = variants.hinge_discriminator_loss(real, fake)
        case "relativistic":
            losses = gan.non_saturating_generator_loss(real - fake)
        case "logistic":
            losses = gan.discriminator_loss(real, fake)
    return losses.mean()


def _with(loss, *players):
    return experiment.LOSSES | {loss: players}


MISTAKES = {
    "sigmoid before the squares": Mistake(
        experiment,
        "LOSSES",
        _with(
            "least_squares",
            lambda r, f: variants.least_squares_discriminator_loss(r.sigmoid(), f.sigmoid()),
            lambda f: variants.least_squares_generator_loss(f.sigmoid()),
        ),
        {"loss": "least_squares"},
    ),
    "the target of the fakes' label": Mistake(
        experiment,
        "LOSSES",
        _with(
            "least_squares",
            variants.least_squares_discriminator_loss,
            lambda f: variants.least_squares_generator_loss(f, target=0.0),
        ),
        {"loss": "least_squares"},
    ),
    "pairs not exchanged": Mistake(
        experiment,
        "LOSSES",
        _with("relativistic", lambda r, f: variants.relativistic_discriminator_loss(f, r), None),
        {"loss": "relativistic"},
    ),
}
OBJECTIVE = Objective(loss_gan, unread={"points", "radius", "fakes", "generator_rate"}, mistakes=MISTAKES)
