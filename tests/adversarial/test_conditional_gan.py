"""Games with labels compared with torch's cross-entropies and batch norm, and the behavior of the conditional experiment."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, binary_cross_entropy_with_logits, cross_entropy

from practice_torch.adversarial import conditional_gan as practice
from practice_torch.data.errors import DataError
from practice_torch.experiments.adversarial.conditional_gan import ConditionalRecipe, build
from tests.adversarial.test_dcgan import RandomImages

GENERATOR = torch.Generator().manual_seed(12)
LABELS, OTHERS = torch.tensor([2, 0, 1, 1, 2, 0]), torch.tensor([0, 0, 2, 1, 1, 2])


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def binary(logits, target):
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")


def test_the_losses_are_torchs_cross_entropies():
    real, fake, wrong = draw(3, 6)
    classes_real, classes_fake = draw(2, 6, 3)
    of_real, of_fake = (
        cross_entropy(classes_real, LABELS, reduction="none"),
        cross_entropy(classes_fake, OTHERS, reduction="none"),
    )
    found = practice.auxiliary_classifier_discriminator_loss(real, fake, classes_real, classes_fake, LABELS, OTHERS)
    torch.testing.assert_close(found, binary(real, 1.0) + binary(fake, 0.0) + of_real + of_fake)
    found = practice.auxiliary_classifier_generator_loss(fake, classes_fake, OTHERS)
    torch.testing.assert_close(found, binary(fake, 1.0) + of_fake)
    found = practice.matching_aware_discriminator_loss(real, fake, wrong)
    torch.testing.assert_close(found, binary(real, 1.0) + (binary(fake, 0.0) + binary(wrong, 0.0)) / 2)


def test_the_projection_is_torchs_embedding_plus_a_linear_layer():
    embedding, linear = nn.Embedding(3, 4, dtype=torch.float64), nn.Linear(4, 1, dtype=torch.float64)
    features = draw(6, 4)
    wanted = (embedding(LABELS) * features).sum(1) + linear(features)[:, 0]
    found = practice.projection_logit(features, LABELS, embedding.weight, linear.weight[0], linear.bias[0])
    torch.testing.assert_close(found, wanted)


def test_batch_normalization_by_class_is_torchs_with_the_classs_gain():
    images, scale, shift = draw(6, 4, 3, 2), draw(3, 4), draw(3, 4)
    found = practice.conditional_batch_normalize(images, LABELS, scale, shift)
    for label in range(3):
        places = torch.nonzero(label == LABELS)[:, 0]
        wanted = batch_norm(images, None, None, scale[label], shift[label], training=True, eps=1e-5)
        torch.testing.assert_close(found[places], wanted[places])


def test_the_projection_separates_two_gaussians():
    """Logistic regression on the features (x, 1), a vector for each class, finds the vector of the lecture."""
    generator = torch.Generator().manual_seed(0)
    mu, nu = torch.tensor([1.0, -0.5]), torch.tensor([0.0, 0.5])
    labels = torch.arange(40_000) % 2
    real, fake = (means[labels] + torch.randn(40_000, generator=generator) for means in (mu, nu))
    vectors = torch.zeros(2, 2, requires_grad=True)
    optimizer = torch.optim.LBFGS([vectors], max_iter=50, tolerance_grad=1e-9)

    def logits(x):
        features = torch.stack([x, torch.ones_like(x)], dim=1)
        return practice.projection_logit(features, labels, vectors, torch.zeros(2), torch.tensor(0.0))

    def loss():
        optimizer.zero_grad()
        value = (binary(logits(real), 1.0) + binary(logits(fake), 0.0)).mean()
        value.backward()
        return value

    optimizer.step(loss)
    wanted = torch.stack([mu - nu, -(mu**2 - nu**2) / 2], dim=1)
    np.testing.assert_allclose(vectors.detach(), wanted, atol=0.05)  # five standard errors of 40,000 draws


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    torch.manual_seed(0)
    recipe = ConditionalRecipe(**{"latent": 5, "width": 4, "classifier_hidden": 6, "fakes": 30} | fields)
    data = RandomImages((1, 8, 8))
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def test_fakes_and_discriminator_see_the_class():
    """The same noise gives another image for another class, and the same image another logit."""
    game, _ = experiment()
    game.eval()
    made = []
    for label in (0, 1):
        game.generator.manual_seed(3)
        made.append(game._made(torch.full((4,), label)))
    assert (made[0] - made[1]).abs().amax() > 1e-4
    logits = [game.discriminator(made[0], torch.full((4,), label)) for label in (0, 1)]
    assert (logits[0] - logits[1]).abs().amin() > 0


def test_real_and_fake_pairs_have_the_classes_of_the_batch():
    game, data = experiment()
    seen, judge = [], game.discriminator.forward
    game.discriminator.forward = lambda images, labels: seen.append(labels) or judge(images, labels)
    for phase in ("discriminator", "generator"):
        game(data.batch(), phase)
    assert len(seen) == 3 and all(torch.equal(labels, data.label) for labels in seen)


@pytest.mark.parametrize(("shown", "agreement", "worst"), [("asked", 1.0, 1.0), ("one class", 1 / 3, 0.0)])
def test_agreement_is_with_the_requested_class(shown, agreement, worst):
    """The classifier is handed over ready-made: it reads the class from the first pixel."""
    game, data = experiment()
    asked = game._asked(30)
    images = torch.zeros(30, 1, 8, 8)
    images[:, 0, 0, 0] = asked / 2 if shown == "asked" else 0.5
    game._shown = lambda count: images
    game._classes = lambda images: -100.0 * (images.flatten(1)[:, :1] - torch.tensor([0.0, 0.5, 1.0])).square()
    metrics = game.evaluate(data)
    assert metrics["agreement"] == pytest.approx(agreement) and metrics["agreement_worst"] == worst


def test_samples_show_the_classes_in_turn():
    game, _ = experiment()
    assert game._asked(7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert game.sample(6)["fakes"].columns == 3


def test_data_without_labels_are_refused():
    with pytest.raises(DataError, match="random has no labels"):
        build(ConditionalRecipe(), RandomImages((1, 8, 8), classes=None))


def test_an_evaluation_of_fewer_fakes_than_classes_is_refused():
    with pytest.raises(ValueError, match="fakes is 2; it must be at least 3, one for each class of"):
        build(ConditionalRecipe(fakes=2), RandomImages((1, 8, 8)))
