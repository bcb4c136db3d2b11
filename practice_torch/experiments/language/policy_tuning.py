"""A language model as a policy that is tuned to a reward: it draws completions, they are scored, and it is updated on them.

    rollout = Rollout(tuning, rounds=steps, prompts=64, prompt=32, completion=32)  # a Tuning, or a recipe with its fields
    logs = rollout.collect(policy, reference, critic, prompts, score, generator)  # once, then
    loss, logs = rollout.loss(policy, critic, generator)  # `updates` times

policy and reference: networks with `hidden`, `logits` and what `generate` needs, as DecoderTransformer has. critic: a layer from
the policy's hidden state to a value, [..., E] -> [..., 1]; None unless the estimator is ppo. score: [N, P + C] tokens -> [N].
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from practice_torch.arguments import values_are_free
from practice_torch.engine.bounds import Above, AtLeast, Bounded
from practice_torch.engine.errors import RunError
from practice_torch.experiments.language.completions import completed
from practice_torch.reinforcement.group_policy import (
    aggregate_tokens,
    group_normalized_advantages,
    group_token_loss,
    leave_one_out_advantages,
)
from practice_torch.reinforcement.kl_estimators import adaptive_coefficient, kl_k1, kl_k2, kl_k3, token_kl
from practice_torch.reinforcement.language_policy import masked_token_log_probs, shaped_rewards
from practice_torch.reinforcement.policy_gradient import policy_entropy
from practice_torch.reinforcement.ppo import clipped_indicator, ppo_loss
from practice_torch.reinforcement.returns import generalized_advantages, lambda_returns, whiten

GAIN = 0.5  # of the adaptive price: with the clip at 0.2 it changes by a tenth a round at most
CONSTANTS = ("old_log_probs", "reference_log_probs", "advantages", "old_values", "returns")  # [N, C], of every token drawn
Estimator = Literal["ppo", "group", "leave_one_out"]


@dataclass(frozen=True)
class Tuning(Bounded):
    """Settings of a rollout."""

    estimator: Estimator = "leave_one_out"
    """Baseline of a reward. ppo: a critic's value of every prefix; leave_one_out: the rewards of the other completions
    of the prompt (RLOO); group: their mean, in units of their deviation (GRPO).
    """
    answers: Annotated[int, AtLeast(2)] = 4
    """Completions of a prompt."""
    updates: Annotated[int, AtLeast(1)] = 4
    """Updates on the completions of a round, each on as many of them, drawn at random."""
    kl_coefficient: Annotated[float, Above(0)] = 0.1
    """Price of a nat of divergence from the reference, in units of the score; with group in those of its deviation."""
    kl_target: Annotated[float | None, Above(0)] = None
    """Nats of a completion to which the price is adapted, from kl_coefficient on; none: the price is fixed."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """Clipping range of the ratio of a token's probabilities in a round."""
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages; ppo only."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.5
    """Weight of the values' loss; ppo only."""


class Rollout(nn.Module):
    """The completions of one round and what an update needs of them. Only the price and the path of all rounds are saved."""

    def __init__(self, tuning, *, rounds, prompts, prompt, completion):
        super().__init__()
        self.tuning, self.prompt = tuning, prompt
        count = prompts * tuning.answers
        self.register_buffer("price", torch.tensor(tuning.kl_coefficient))
        self.register_buffer("path", torch.zeros(rounds, 2))  # nats and score of every round, the last one last
        self.register_buffer("tokens", torch.zeros(count, prompt + completion, dtype=torch.int64), persistent=False)
        for name in CONSTANTS:
            self.register_buffer(name, torch.zeros(count, completion), persistent=False)

    @torch.no_grad()
    def collect(self, policy, reference, critic, prompts, score, generator):
        """A round: `answers` completions of each prompt, and their advantages. Returns what to log, in nats of a completion.

        Where there are fewer prompts than the rollout has room for, they are used again.
        """
        count, length = self.tokens.shape
        row = torch.arange(count, device=prompts.device).div(self.tuning.answers, rounding_mode="floor") % len(prompts)
        tokens = completed(policy, prompts[row], length - self.prompt, generator)
        hidden, logits = self._read(policy, tokens)
        _, reference_logits = self._read(reference, tokens)
        mask, scores = torch.ones_like(tokens[:, self.prompt :], dtype=torch.bool), score(tokens).float()
        if values_are_free(scores) and not scores.isfinite().all():
            wrong = scores[~scores.isfinite()][0].item()
            raise RunError(f"the score of a completion is {wrong}; a reward must be a finite number")
        pair = self._log_probs(tokens, logits), self._log_probs(tokens, reference_logits)
        # in units of the price, which is a tensor: whether it is positive would have to be asked of the device
        rewards = self.price * shaped_rewards(scores / self.price, *pair, mask, kl_coefficient=1.0)
        advantages, values, returns = torch.zeros(3, *mask.shape, device=tokens.device)
        if self.tuning.estimator == "ppo":
            values = critic(hidden)[..., 0].float()
            ends = torch.zeros_like(mask)
            ends[:, -1] = True
            steps = rewards, torch.cat([values, torch.zeros_like(values[:, :1])], dim=1), ends
            decays = {"discount": 1.0, "trace_decay": self.tuning.trace_decay}
            advantages = whiten(generalized_advantages(*steps, **decays), mask, epsilon=1e-8)
            returns = lambda_returns(*steps, **decays)
        else:
            whole = scores if self.tuning.estimator == "group" else rewards.sum(1)  # the group's divergence is in its loss
            compared = group_normalized_advantages if self.tuning.estimator == "group" else leave_one_out_advantages
            advantages = compared(whole.view(-1, self.tuning.answers)).view(-1, 1).expand(mask.shape)
        for name, value in zip(("tokens", *CONSTANTS), (tokens, *pair, advantages, values, returns), strict=True):
            getattr(self, name).copy_(value)
        nats = token_kl(logits, reference_logits).sum(1).mean()
        logs = {"score": scores.mean(), "nats": nats, "price": self.price.clone()}
        self._remember(nats, scores.mean())
        estimates = {name: estimate(*pair).sum(1).mean() for name, estimate in {"k1": kl_k1, "k2": kl_k2, "k3": kl_k3}.items()}
        entropy = policy_entropy(logits).sum(1).mean()
        return {**logs, **estimates, "entropy": entropy}

    def loss(self, policy, critic, generator):
        """The loss of an update on some of the completions, and what to log."""
        tuning, count = self.tuning, len(self.tokens)
        drawn = torch.randperm(count, generator=generator, device=self.tokens.device)[: max(count // tuning.updates, 1)]
        tokens = self.tokens[drawn]
        old_log_probs, reference_log_probs, advantages, old_values, returns = (getattr(self, name)[drawn] for name in CONSTANTS)
        hidden, logits = self._read(policy, tokens)
        log_probs, mask = self._log_probs(tokens, logits), torch.ones_like(advantages, dtype=torch.bool)
        if tuning.estimator == "ppo":
            loss = ppo_loss(
                log_probs,
                old_log_probs,
                advantages,
                critic(hidden)[..., 0].float(),
                old_values,
                returns,
                policy_entropy(logits),
                mask,
                clip=tuning.clip,
                value_clip=math.inf,
                value_coefficient=tuning.value_coefficient,
                entropy_coefficient=0.0,
            ).mean()
        else:
            kl_coefficient = 1.0 if tuning.estimator == "group" else 0.0
            losses = group_token_loss(
                log_probs,
                old_log_probs,
                reference_log_probs,
                advantages[:, 0] / self.price,
                mask,
                clip_low=tuning.clip,
                clip_high=tuning.clip,
                kl_coefficient=kl_coefficient,
            )
            loss = self.price * aggregate_tokens(losses, mask, mode="sequence_mean")
        cut = clipped_indicator(log_probs.detach(), old_log_probs, advantages, clip=tuning.clip)
        return loss, {"clipped": cut.to(loss.dtype).mean()}

    def _read(self, network, tokens):
        """The hidden states from which the tokens of the completions are drawn, and their logits: [N, C, E], [N, C, V]."""
        hidden = network.hidden(tokens[:, :-1])[:, self.prompt - 1 :]
        return hidden, network.logits(hidden).float()

    def _log_probs(self, tokens, logits):
        ends = tokens[:, self.prompt :]
        return masked_token_log_probs(ends, logits, torch.ones_like(ends, dtype=torch.bool))

    def _remember(self, nats, score):
        """Adds a point to the path; the next price follows from how far the policy has gone."""
        self.path.copy_(torch.cat([self.path[1:], torch.stack([nats, score])[None]]))
        if self.tuning.kl_target is not None:
            self.price.copy_(adaptive_coefficient(self.price, nats, target=self.tuning.kl_target, gain=GAIN))
