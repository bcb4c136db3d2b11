"""Offline alignment a second time: losses and metrics from log-probabilities of one completion at a time."""

import importlib.util

import torch
from torch.nn.functional import logsigmoid

from practice_torch.autoregressive.chain_rule import sequence_log_prob

# of an aligned recipe: what no training step of any method reads, and the options of each method
UNREAD = {"tokens", "chat_template", "start", "pad_vocabulary", "adapter_scale"} | (
    {"adapters"} if not importlib.util.find_spec("peft") else set()
)
TOGETHER = (
    dict(method="supervised", packing=True),
    dict(method="dpo", label_smoothing=0.1),
    dict(method="robust", flip_probability=0.3),
    dict(method="ipo", per_token=False),
    dict(method="ipo", kl_coefficient=0.7),
    dict(method="simpo", scale=3.0),
    dict(method="simpo", margin=0.3),
    dict(method="orpo", odds_weight=0.7),
    dict(method="kto", desirable_weight=0.6),
    dict(method="kto", undesirable_weight=0.7),
    dict(method="reward", center_coefficient=0.1),
    dict(form="llama", key_value_heads=1),
    dict(form="llama", feed_forward_width=24),
    dict(form="llama", tied=False),
    dict(form="llama", rotary_base=40.0),
    dict(form="llama", epsilon=0.1),
    dict(form="llama", query_key_value_biases=True),
    dict(form="llama", method="reward", tied=False),
)


def preference_log_prob(first, second, margin=0.0):
    return logsigmoid(first - second - margin)


def log_probs(network, batch, column=0):
    """log p of each completion, and its tokens, one text after another and without padding."""
    values, counts = [], []
    for tokens, prompt, lengths in zip(batch["tokens"], batch["prompt"].tolist(), batch["length"].tolist(), strict=True):
        text = tokens[column, None, : lengths[column]]
        values.append(sequence_log_prob(text[:, prompt:], network(text)[:, prompt - 1 : -1], None)[0])
        counts.append(lengths[column] - prompt)
    return torch.stack(values), torch.tensor(counts)


def packed_log_probs(network, batch):
    """What log_probs gives, of each text in rows of several."""
    values, counts = [], []
    for tokens, numbers, learned in zip(batch["tokens"][:, 0], batch["segments"], batch["learned"], strict=True):
        for number in numbers.unique().tolist():
            text, own = tokens[None, numbers == number], learned[numbers == number]
            if own.any():
                known = int(own.nonzero()[0])
                values.append(sequence_log_prob(text[:, known:], network(text)[:, known - 1 : -1], None)[0])
                counts.append(int(own.sum()))
    return torch.stack(values), torch.tensor(counts)


def reference_log_prob(e, batch, column):
    if e.recipe.keep_reference:
        return e.reference_log_probs[batch["row"], column]
    return log_probs(e.reference, batch, column)[0].detach()


def rewards(e, batch, column):
    """The reward of each text at its last token, one after another."""
    ends = [
        e.policy.hidden(tokens[column, None, : length[column]])[0, -1]
        for tokens, length in zip(batch["tokens"], batch["length"], strict=True)
    ]
    return torch.stack(ends) @ e.head.weight[0]


def divergence(e, batch):
    """The mean log-ratio of each prompt with the completion of the example before it, at least 0."""
    width, ratios = batch["tokens"].shape[2], []
    for row in range(len(batch["prompt"])):
        prompt, other = int(batch["prompt"][row]), int(batch["prompt"][row - 1])
        own, theirs = batch["tokens"][row, 0, :prompt], batch["tokens"][row - 1, 0, other : int(batch["length"][row - 1, 0])]
        text = torch.cat([own, theirs])[None, :width]
        ratio = [sequence_log_prob(text[:, prompt:], n(text)[:, prompt - 1 : -1], None)[0] for n in (e.policy, e.reference)]
        ratios.append((ratio[0] - ratio[1]).detach())
    return torch.stack(ratios).mean().clamp(min=0)


def loss(e, batch, phase):
    """The mean loss of an aligned recipe's method."""
    recipe, beta = e.recipe, e.recipe.kl_coefficient
    if recipe.method == "supervised":
        values, counts = (packed_log_probs if recipe.packing else log_probs)(e.policy, batch)
        return -values.sum() / counts.sum()
    if recipe.method == "reward":
        chosen, rejected = rewards(e, batch, 0), rewards(e, batch, 1)
        return (
            recipe.center_coefficient * (chosen + rejected) ** 2 - preference_log_prob(chosen - batch["margin"], rejected)
        ).mean()
    if recipe.method == "kto":
        values, _ = log_probs(e.policy, batch)
        beyond = values - log_probs(e.reference, batch)[0].detach() - divergence(e, batch)
        weights = torch.where(batch["label"], recipe.desirable_weight, recipe.undesirable_weight)
        return (weights * (1 - torch.where(batch["label"], beta * beyond, -beta * beyond).sigmoid())).mean()
    (chosen, n), (rejected, m) = log_probs(e.policy, batch, 0), log_probs(e.policy, batch, 1)
    if recipe.method == "simpo":
        return -preference_log_prob(recipe.scale * chosen / n, recipe.scale * rejected / m, margin=recipe.margin).mean()
    if recipe.method == "orpo":
        odds = [(part / count).exp() for part, count in ((chosen, n), (rejected, m))]
        ratio = [(p / (1 - p)).log() for p in odds]
        return (-chosen / n - recipe.odds_weight * preference_log_prob(*ratio)).mean()
    gained, lost = (value - reference_log_prob(e, batch, k) for k, value in enumerate((chosen, rejected)))
    match recipe.method:
        case "dpo":
            kept, flipped = preference_log_prob(beta * gained, beta * lost), preference_log_prob(beta * lost, beta * gained)
            return ((recipe.label_smoothing - 1) * kept - recipe.label_smoothing * flipped).mean()
        case "robust":
            epsilon = recipe.flip_probability
            both = preference_log_prob(beta * gained, beta * lost), preference_log_prob(beta * lost, beta * gained)
            return ((epsilon * both[1] - (1 - epsilon) * both[0]) / (1 - 2 * epsilon)).mean()
        case "ipo":
            scales = (n, m) if recipe.per_token else (1, 1)
            return ((gained / scales[0] - lost / scales[1] - 1 / (2 * beta)) ** 2).mean()
        case "hinge":
            return (1 - beta * (gained - lost)).clamp(min=0).mean()


@torch.no_grad()
def metrics(e, batch):
    """What an aligned recipe logs of a batch, as numbers."""
    recipe = e.recipe
    if recipe.method == "supervised":
        right = count = 0
        for tokens, prompt, length in zip(batch["tokens"], batch["prompt"].tolist(), batch["length"][:, 0].tolist(), strict=True):
            guesses = e.policy(tokens[0, None, :length])[0, prompt - 1 : -1].argmax(-1)
            right, count = right + int((guesses == tokens[0, prompt:length]).sum()), count + length - prompt
        return {"accuracy": right / count}
    if recipe.method == "kto":
        values, label = log_probs(e.policy, batch)[0], batch["label"]
        ratio, point = values - log_probs(e.reference, batch)[0], divergence(e, batch)
        found = {"accuracy": float(torch.where(label, ratio > point, ratio < point).double().mean()), "divergence": float(point)}
        for name, of in (("chosen", label), ("rejected", ~label)):
            found |= {
                f"reward_{name}": recipe.kl_coefficient * float(ratio[of].mean()),
                f"log_prob_{name}": float(values[of].mean()),
            }
        return found | {"margin": found["reward_chosen"] - found["reward_rejected"]}
    found = {}
    if recipe.method == "reward":
        both = rewards(e, batch, 0), rewards(e, batch, 1)
    else:
        ours = [log_probs(e.policy, batch, column) for column in (0, 1)]
        found = {"log_prob_chosen": float(ours[0][0].mean()), "log_prob_rejected": float(ours[1][0].mean())}
        if e.reference is None:
            scale = recipe.scale if recipe.method == "simpo" else recipe.odds_weight
            both = [scale * value / count for value, count in ours]
        else:
            both = [recipe.kl_coefficient * (ours[k][0] - log_probs(e.reference, batch, k)[0]) for k in (0, 1)]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(*both, strict=True)]
    found |= {"accuracy": sum(wins) / len(wins), "reward_chosen": float(both[0].mean()), "reward_rejected": float(both[1].mean())}
    return found | {"margin": found["reward_chosen"] - found["reward_rejected"]}


def evaluated(e, data):
    """The metrics of held-out examples, of which all are one batch."""
    found = metrics(e, data.batch())
    if e.recipe.method == "supervised":
        found["nats_per_token"] = float(loss(e, data.batch(), "train").detach())
    return found
