"""Domain-adversarial training against torch's cross-entropy and two separate passes, and how its experiment behaves."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.adversarial import domain_adversarial as practice
from practice_torch.data import images
from practice_torch.data.errors import DataError
from practice_torch.data.image_set import Images
from practice_torch.experiments.adversarial import domain_adversarial as experiment_of
from practice_torch.experiments.adversarial.domain_adversarial import CHANGES, DomainRecipe, build

GENERATOR = torch.Generator().manual_seed(13)
DOMAIN = torch.tensor([1, 1, 1, 0, 0, 0])


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_the_domain_loss_is_torchs_cross_entropy():
    logits = torch.linspace(-60, 60, 6, dtype=torch.float64)
    wanted = binary_cross_entropy_with_logits(logits, DOMAIN.double(), reduction="none")
    torch.testing.assert_close(practice.domain_loss(logits, DOMAIN), wanted, rtol=1e-12, atol=1e-13)


def test_one_backward_pass_is_the_saddle_points_step():
    """Features descend the objective, the domain classifier descends its own loss: against two separate passes."""
    x, labels, labeled = draw(6, 5), torch.tensor([0, 1, 2, 0, 0, 0]), DOMAIN == 1
    feature, head, domain = (draw(*shape).requires_grad_() for shape in ((3, 5), (3, 3), (3,)))

    def heads(reverse):
        features = torch.tanh(x @ feature.mT)
        return features @ head.mT, reverse(features) @ domain

    label_logits, domain_logits = heads(lambda features: practice.gradient_reversal(features, scale=0.3))
    label_loss = torch.nn.functional.cross_entropy(label_logits[:3], labels[:3], reduction="sum")
    reversed_pass = torch.autograd.grad(label_loss + practice.domain_loss(domain_logits, DOMAIN).sum(), (feature, head, domain))
    label_logits, domain_logits = heads(lambda features: features)
    objective = practice.domain_adversarial_objective(label_logits, labels, labeled, domain_logits, DOMAIN, weight=0.3).sum()
    wanted = torch.autograd.grad(objective, (feature, head), retain_graph=True)
    of_domain = torch.autograd.grad(practice.domain_loss(domain_logits, DOMAIN).sum(), domain)
    for got, expected in zip(reversed_pass, (*wanted, *of_domain), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)


def test_a_reversed_gradient_passes_torch_func():
    """grad and vmap go through the layer."""
    x = draw(4, 3)
    each = torch.func.vmap(torch.func.grad(lambda row: practice.gradient_reversal(row, scale=2.0).square().sum()))(x)
    torch.testing.assert_close(each, -4 * x)


def test_the_schedule_is_the_papers():
    progress = torch.linspace(0, 1, 11, dtype=torch.float64)
    wanted = 2 / (1 + np.exp(-10 * progress.numpy())) - 1
    np.testing.assert_allclose(practice.adaptation_schedule(progress).numpy(), wanted, rtol=1e-12, atol=1e-16)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    torch.manual_seed(0)
    recipe = DomainRecipe(**{"hidden": 16, "features": 8} | fields)
    _, data = images.load("digits", held_out=0.1)
    return build(recipe, data), data


def test_the_changes_are_what_their_names_say():
    point = torch.zeros(1, 1, 8, 8)
    point[0, 0, 3, 4] = 1.0
    spread = torch.outer(*[torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16] * 2)
    torch.testing.assert_close(CHANGES["blurred"](point)[0, 0, 1:6, 2:7], spread)
    assert CHANGES["shifted"](point)[0, 0, 4, 5] == 1 and CHANGES["shifted"](point).sum() == 1
    assert CHANGES["inverted"](point)[0, 0, 3, 4] == 0 and CHANGES["inverted"](point).sum() == 63


def test_labels_of_the_target_are_not_used():
    model, data = experiment()
    batch = data.batch(torch.arange(12))
    other = batch | {"label": torch.where(torch.arange(12) % 2 == 1, (batch["label"] + 1) % 10, batch["label"])}
    for phase in ("adapted", "source_only"):
        model._seen = 0
        loss, _ = model(batch, phase)
        model._seen = 0
        torch.testing.assert_close(model(other, phase)[0], loss, rtol=0, atol=0)


def test_features_hide_the_domain_and_the_domain_classifier_finds_it():
    """At the end of the schedule, one step of either player alone moves the domain loss its own way."""
    model, data = experiment(change="inverted", steps=10)
    batch = data.batch(torch.arange(64))

    def domain_loss_after(players, steps=20):
        optimizer = torch.optim.Adam([p for player in players for p in player.parameters()], 1e-2)
        for _ in range(steps):
            model._seen = 10
            loss, _ = model(batch, "adapted")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(model(batch, "adapted")[1]["domain_loss"])

    model._seen = 10
    before = float(model(batch, "adapted")[1]["domain_loss"])
    found = domain_loss_after([model.domain_classifier])
    assert found < before - 0.02
    assert domain_loss_after([model.feature_network]) > found + 0.02


def test_the_distance_of_domains_is_measured_anew():
    """Equal features have almost none, separated ones the largest."""
    features = draw(400, 3)
    assert abs(experiment_of._proxy_distance(features[:200], features[200:])) < 0.3
    assert experiment_of._proxy_distance(features, features + 10) == 2.0


def test_images_need_labels():
    _, data = experiment()
    without = Images(data.pixels, None, data.white, data.description | {"classes": None})
    with pytest.raises(DataError, match="has no labels"):
        build(DomainRecipe(), without)
