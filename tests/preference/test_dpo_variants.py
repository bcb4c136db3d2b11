"""The variants of direct preference optimization compared with SciPy, torch's own losses and trl."""

import itertools
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch
from torch.nn import functional

from practice_torch.preference import dpo_variants as practice

rng = np.random.default_rng(0)
PAIR = [torch.tensor(rng.normal(size=6, loc=-20)) for _ in range(4)]
LENGTHS = [torch.tensor(rng.integers(1, 40, size=6)) for _ in range(2)]
MEANS = [log_prob / length for log_prob, length in zip(PAIR[:2], LENGTHS, strict=True)]
DESIRABLE, POINT = torch.tensor([True, False, True, True, False, False]), torch.tensor(0.4, dtype=torch.float64)


def test_the_losses_of_a_margin_are_those_of_torch():
    ratios = PAIR[0] - PAIR[2], PAIR[1] - PAIR[3]
    target = torch.full_like(ratios[0], 1 / (2 * 0.3))
    wanted = functional.mse_loss(ratios[0] - ratios[1], target, reduction="none")
    torch.testing.assert_close(practice.ipo_loss(*PAIR, regularization=0.3), wanted)
    scaled = 0.3 * ratios[0], 0.3 * ratios[1]
    wanted = functional.margin_ranking_loss(*scaled, torch.ones(6), margin=1.0, reduction="none")
    torch.testing.assert_close(practice.hinge_loss(*PAIR, kl_coefficient=0.3), wanted)


def test_judgements_and_odds_are_those_of_scipy():
    given = PAIR[0], PAIR[2], DESIRABLE, POINT
    got = practice.kto_loss(*given, kl_coefficient=0.3, desirable_weight=2.0, undesirable_weight=0.5)
    beyond = 0.3 * (PAIR[0] - PAIR[2] - POINT).numpy()
    wanted = np.where(DESIRABLE, 2.0 * scipy.special.expit(-beyond), 0.5 * scipy.special.expit(beyond))
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    chosen, rejected = (scipy.special.logit(mean.exp().numpy()) for mean in MEANS)
    wanted = -MEANS[0].numpy() - 0.3 * scipy.special.log_expit(chosen - rejected)
    np.testing.assert_allclose(practice.orpo_loss(*PAIR[:2], *LENGTHS, odds_weight=0.3), wanted, rtol=1e-12)


def test_the_policy_that_ipo_fits_reads_mean_win_rates():
    """By scipy.optimize.minimize over all policies, of win rates that follow no Bradley-Terry model."""
    wins = np.array([[0.5, 0.8, 0.3, 0.9], [0.2, 0.5, 0.7, 0.6], [0.7, 0.3, 0.5, 0.55], [0.1, 0.4, 0.45, 0.5]])
    reference, tau = torch.tensor(scipy.special.log_softmax(rng.normal(size=4))), 0.7
    first, second = torch.tensor(list(itertools.permutations(range(4), 2))).T
    often = torch.tensor(wins)[first, second]

    def loss(logits):
        logits = torch.tensor(logits, requires_grad=True)
        log_probs = logits.log_softmax(0)
        pairs = log_probs[first], log_probs[second], reference[first], reference[second]
        total = (often * practice.ipo_loss(*pairs, regularization=tau)).sum()
        return total.item(), torch.autograd.grad(total, logits)[0].numpy()

    found = scipy.optimize.minimize(loss, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-10})
    wanted = torch.log_softmax(reference + torch.tensor(wins.mean(1)) / tau, dim=0)
    torch.testing.assert_close(torch.tensor(found.x).log_softmax(0), wanted, atol=1e-8, rtol=0)


def test_a_small_loss_with_odds_needs_a_probable_chosen_completion():
    """Both log-probabilities fall by 5 nats a token: SimPO's loss is the same, ORPO's rises by about 5."""
    lower = [log_prob - 5 * length for log_prob, length in zip(PAIR[:2], LENGTHS, strict=True)]
    same, moved = (practice.simpo_loss(*pair, *LENGTHS, scale=2.0, margin=0.5) for pair in (PAIR[:2], lower))
    torch.testing.assert_close(same, moved)
    before, after = (practice.orpo_loss(*pair, *LENGTHS, odds_weight=0.2) for pair in (PAIR[:2], lower))
    assert (before >= -MEANS[0]).all() and (after - before > 4).all()


@pytest.mark.parametrize("wrong", [-1.0, 1.0])
def test_kto_gives_up_what_is_hopeless(wrong):
    """The pull is largest at the reference point and dies on both sides; a hinge keeps its pull on the wrong side."""
    ratio = torch.tensor([0.4, 0.4 + 60 * wrong], dtype=torch.float64, requires_grad=True)
    loss = practice.kto_loss(ratio, torch.zeros(2), torch.ones(2, dtype=torch.bool), POINT, kl_coefficient=1.0)
    here, far = torch.autograd.grad(loss.sum(), ratio)[0]
    assert here == -0.25 and -1e-25 < far < 0
    zero = torch.zeros(2)
    (pull,) = torch.autograd.grad(practice.hinge_loss(ratio, zero, zero, zero, kl_coefficient=1.0).sum(), ratio)
    assert pull[1] == (-1 if wrong < 0 else 0)


# ---------------------------------------------------------------------------------------------------- trl


@pytest.mark.peers("trl")
def test_pairs_agree_with_trl():
    """Its CPOTrainer takes log-probabilities, without a reference: of log-ratios they are IPO and the hinge, of means SimPO."""
    from trl.experimental.cpo import CPOTrainer as trainer

    ratios = PAIR[0] - PAIR[2], PAIR[1] - PAIR[3]
    settings = {
        "alpha": 0.0,
        "beta": 0.3,
        "label_smoothing": 0.0,
        "simpo_gamma": 0.5,
        "accelerator": SimpleNamespace(device="cpu"),
    }

    def peer(loss_type, *log_probs):
        return trainer.cpo_loss(SimpleNamespace(loss_type=loss_type, **settings), *log_probs)[0]

    torch.testing.assert_close(practice.ipo_loss(*PAIR, regularization=0.3), peer("ipo", *ratios))
    torch.testing.assert_close(practice.hinge_loss(*PAIR, kl_coefficient=0.3), peer("hinge", *ratios))
    torch.testing.assert_close(practice.simpo_loss(*PAIR[:2], *LENGTHS, scale=0.3, margin=0.5), peer("simpo", *MEANS))


@pytest.mark.peers("trl")
def test_odds_agree_with_trl():
    """Its second term alone, with the other sign and in float32."""
    from trl.experimental.orpo import ORPOTrainer as trainer

    ratio = trainer.odds_ratio_loss(SimpleNamespace(beta=0.3, accelerator=SimpleNamespace(device="cpu")), *MEANS)[0]
    got = practice.orpo_loss(*PAIR[:2], *LENGTHS, odds_weight=0.3) + MEANS[0]
    torch.testing.assert_close(got, -ratio.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.peers("trl")
def test_judgements_agree_with_trl():
    """Its KTOTrainer, on one token a completion; its reference point is the mean log-ratio of other completions."""
    from trl.trainer.kto_trainer import KTOTrainer as trainer

    loss = MagicMock(
        loss_type="kto",
        beta=0.3,
        desirable_weight=2.0,
        undesirable_weight=0.5,
        precompute_ref_logps=True,
        calculate_KL=True,
        aux_loss_enabled=False,
    )
    loss.accelerator = SimpleNamespace(device="cpu", gather_for_metrics=lambda values: values)
    loss._compute_kl_logps = lambda model, batch: POINT.expand(6)
    ones = torch.ones(6, 2, dtype=torch.long)
    batch = {
        "label": DESIRABLE,
        "input_ids": ones,
        "attention_mask": ones,
        "completion_mask": ones,
        "ref_logps": PAIR[2],
        "ref_KL_logps": torch.zeros(6),
    }
    outputs = SimpleNamespace(log_probs=PAIR[0][:, None], entropy=torch.zeros(6, 1), mean_logits=torch.zeros(6, 1))
    got = trainer._compute_loss(loss, lambda **given: outputs, batch, False)
    wanted = practice.kto_loss(
        PAIR[0], PAIR[2], DESIRABLE, POINT, kl_coefficient=0.3, desirable_weight=2.0, undesirable_weight=0.5
    )
    torch.testing.assert_close(got, wanted.mean())
