"""Group-relative policies compared with trl, torch's statistics and a policy trained on a small space."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from practice_torch.reinforcement import group_policy as practice

F64 = {"dtype": torch.float64}
LOSSES_OF_TRL = {"grpo": ("sequence_mean", None), "bnpo": ("token_mean", None), "dr_grpo": ("constant", 9)}


def _normal(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **F64)


def _tokens():
    """log_probs with a gradient, old and reference log-probabilities, advantages, a mask of answers of 1 to 6 tokens."""
    log_probs, old, reference = (-2 + _normal(6, 7, seed=seed, scale=0.4) for seed in range(3))
    return log_probs.requires_grad_(), old, reference, _normal(6, seed=3), torch.arange(7) < torch.arange(1, 7)[:, None]


def _loss_of_trl(log_probs, old, reference, advantages, mask, **options):
    """GRPOTrainer's own loss, of log-probabilities that no model has computed."""
    from trl.trainer.grpo_trainer import GRPOTrainer as trainer

    defaults = {
        "aux_loss_enabled": False,
        "top_entropy_quantile": 1.0,
        "off_policy_mask_threshold": None,
        "use_vllm": False,
        "importance_sampling_level": "token",
        "epsilon_low": 0.2,
        "epsilon_high": 0.28,
        "beta": 0.04,
        "loss_type": "grpo",
        "max_completion_length": 9,
        "current_gradient_accumulation_steps": 1,
        "_entropy_bonus_enabled": False,
        "args": SimpleNamespace(use_bias_correction_kl=False, delta=None),
        "model": SimpleNamespace(training=True),
        "_get_per_token_logps_and_entropies": lambda *given, **more: (log_probs, torch.zeros_like(log_probs), None),
        "accelerator": SimpleNamespace(gather=lambda x: x, reduce=lambda x, reduction: x),
        "_metrics": {"train": defaultdict(list)},
    }
    ids = torch.zeros(mask.shape, dtype=torch.long)
    inputs = {"prompt_ids": ids, "prompt_mask": ids, "completion_ids": ids, "completion_mask": mask.to(log_probs.dtype)}
    inputs |= {"advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": reference}
    return trainer._compute_loss(SimpleNamespace(**defaults | options), None, inputs)


def _agree(found, wanted, log_probs):
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    slopes = [torch.autograd.grad(loss, log_probs, retain_graph=True)[0] for loss in (found, wanted)]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-15)
    assert slopes[0].abs().max() > 0.01


@pytest.mark.peers("trl")
@pytest.mark.parametrize("name", LOSSES_OF_TRL)
def test_the_losses_are_those_of_trl(name):
    """GRPO's mean of means, the mean over tokens, Dr. GRPO's constant: value and gradient, clipped and with a price."""
    log_probs, old, reference, advantages, mask = _tokens()
    losses = practice.group_token_loss(
        log_probs, old, reference, advantages, mask, clip_low=0.2, clip_high=0.28, kl_coefficient=0.04
    )
    mode, length = LOSSES_OF_TRL[name]
    found = practice.aggregate_tokens(losses, mask, mode=mode, constant_length=length)
    _agree(found, _loss_of_trl(log_probs, old, reference, advantages, mask, loss_type=name), log_probs)


@pytest.mark.peers("trl")
def test_the_ratio_of_a_sequence_is_that_of_trl():
    """GSPO: the geometric mean, clipped as one ratio for the whole answer."""
    log_probs, old, _, advantages, mask = _tokens()
    ratio = practice.sequence_ratio(log_probs, old, mask, length_normalized=True)
    found = -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.28) * advantages).mean()
    wanted = _loss_of_trl(log_probs, old, None, advantages, mask, importance_sampling_level="sequence", beta=0.0)
    _agree(found, wanted, log_probs)


@pytest.mark.parametrize("correction", [0, 1])
def test_normalized_advantages_have_mean_0_and_deviation_1(correction):
    """By torch's mean and std, up to epsilon."""
    rewards = _normal(5, 8, scale=3.0)
    found = practice.group_normalized_advantages(rewards, correction=correction, epsilon=1e-12)
    torch.testing.assert_close(found.mean(1), torch.zeros(5, **F64), rtol=0, atol=1e-14)
    torch.testing.assert_close(found.std(1, correction=correction), torch.ones(5, **F64), rtol=1e-11, atol=0)


def test_the_price_is_on_the_divergence_of_the_reference():
    """Answers of one token, expectations enumerated: beta k3 as a loss is a price on KL(reference || policy).

    So the policy settles where r + beta reference / policy is the same for all answers; the policy of the other divergence,
    the reference tilted by the reward, is far from it.
    """
    rewards, reference, beta = _normal(4), _normal(4, seed=1).log_softmax(0), 0.5
    logits, mask = torch.zeros(4, **F64, requires_grad=True), torch.ones(4, 1, dtype=torch.bool)
    for _ in range(300):
        log_probs = logits.log_softmax(0)
        policy = log_probs.detach().exp()
        losses = practice.group_token_loss(
            log_probs[:, None],
            log_probs.detach()[:, None],
            reference[:, None],
            rewards - policy @ rewards,
            mask,
            clip_low=0.2,
            clip_high=0.2,
            kl_coefficient=beta,
        )
        (slope,) = torch.autograd.grad(policy @ losses[:, 0], logits)
        logits = (logits - 2 * slope).detach().requires_grad_()
    level = rewards + beta * (reference - logits.log_softmax(0)).exp().detach()
    torch.testing.assert_close(level, level.mean().expand(4), rtol=1e-9, atol=0)
    tilted = (reference + rewards / beta).softmax(0)
    assert (logits.softmax(0) - tilted).abs().max() > 0.05
