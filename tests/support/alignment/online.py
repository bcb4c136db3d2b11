"""Online alignment a second time: the loss of an update from log-probabilities of one completion at a time."""

import importlib.util
import math
import statistics
import string

import torch
from scipy.stats import t

from practice_torch.experiments.alignment.rollouts import drawn_after, seeds_of

# of a recipe with rewards: what no training step reads, and what shows only together
UNREAD = {"judged", "tokens", "chat_template", "start", "pad_vocabulary", "adapter_scale", "reward_seconds"} | (
    {"adapters"} if not importlib.util.find_spec("peft") else set()
)
TOGETHER = (
    dict(ratio="sequence", kl_ratio=True, kl_coefficient=0.7),
    dict(form="llama", key_value_heads=1),
    dict(form="llama", feed_forward_width=24),
    dict(form="llama", tied=False),
    dict(form="llama", rotary_base=40.0),
    dict(form="llama", epsilon=0.1),
    dict(form="llama", query_key_value_biases=True),
)


def laws(e):
    """(row, law of each token of its completion, the tokens, hidden states) of the completions that the last loss is about."""
    drawn = e.current.drawn
    for row, (tokens, prompt, mask) in enumerate(zip(drawn.tokens, drawn.prompts.tolist(), drawn.mask, strict=True)):
        text = tokens[None, : prompt + int(mask.sum())]
        hidden = e.policy.hidden(text[:, :-1])[0, prompt - 1 :]
        law = torch.distributions.Categorical(logits=e.policy.logits(hidden) / e.recipe.temperature)
        yield row, law, text[0, prompt:], hidden


def loss(e, batch, phase):
    """Of the advantages, returns and old log-probabilities of the round."""
    recipe, held, rows, nats, entropies, counts = e.recipe, e.current, [], [], [], []
    high = recipe.clip if recipe.clip_high is None else recipe.clip_high
    for row, law, tokens, hidden in laws(e):
        n, log_probs = len(tokens), law.log_prob(tokens)
        change = log_probs - held.old_log_probs[row, :n]
        if recipe.ratio != "token":
            change = change.sum() / (n if recipe.ratio == "sequence_mean" else 1)
        ratio, advantages = change.exp(), held.advantages[row, :n] if recipe.ratio == "token" else held.advantages[row, 0]
        losses = -torch.minimum(ratio * advantages, ratio.clamp(1 - recipe.clip, 1 + high) * advantages)
        d = held.reference_log_probs[row, :n] - log_probs
        divergence = (d.exp() - 1 - d) * (ratio if recipe.kl_ratio else 1.0)
        if recipe.estimator == "ppo":
            values = e.critic(hidden)[:, 0]
            losses = losses + recipe.value_coefficient * (values - held.returns[row, :n]) ** 2 / 2
            losses = losses - recipe.entropy_coefficient * law.entropy()
        rows.append(losses.reshape(-1))
        nats.append(divergence)
        entropies.append(law.entropy())
        counts.append(n)

    def together(parts):
        match "sequence_mean" if recipe.estimator == "ppo" else recipe.aggregation:
            case "sequence_mean":
                return sum(part.mean() for part in parts) / len(parts)
            case "token_mean":
                return torch.cat(parts).mean()
        return torch.cat(parts).sum() / (len(parts) * recipe.completion)

    of_policy = together(rows) if recipe.ratio == "token" else torch.cat(rows).mean()
    if recipe.estimator == "ppo":
        return of_policy
    if recipe.estimator == "group":
        of_policy = of_policy + e.price * together(nats)
    return of_policy - recipe.entropy_coefficient * torch.cat(entropies).mean()


@torch.no_grad()
def logs(e):
    """What a round and the update on it log, where the update is on the whole round: none of its ratios has moved."""
    held, found = e.current, {"nats": [], "k3": [], "entropy": [], "length": []}
    for row, law, tokens, _ in laws(e):
        d = (law.log_prob(tokens) - held.reference_log_probs[row, : len(tokens)]).tolist()
        found["nats"].append(sum(d))
        found["k3"].append(sum(math.exp(-x) - 1 + x for x in d))
        found["entropy"] += law.entropy().tolist()
        found["length"].append(len(tokens))
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return means | {"score": held.scores.mean(), "price": e.price, "clipped": 0.0}


def evaluated(e, data):
    """The metrics of held-out prompts, all in one batch, with the same draws; one completion after another."""
    batch = data.batch()
    prompts = [tokens[:length] for tokens, length in zip(batch["tokens"], batch["length"].tolist(), strict=True)]
    networks, texts = (e.policy, e.reference), []
    drawn = [drawn_after(e.recipe, each, prompts, end=e.end, seeds=seeds_of(prompts, e.generator)) for each in networks]
    for each in drawn:
        rows = zip(each.tokens, each.prompts.tolist(), each.mask.sum(1).tolist(), strict=True)
        texts.append([(tokens[: known + n], known) for tokens, known, n in rows])
    scores = [[score(text[known:].tolist(), e.end) for text, known in each] for each in texts]
    nats, grams = 0.0, {1: [], 2: []}
    for text, known in texts[0]:
        ours, theirs = (
            torch.distributions.Categorical(logits=network(text[None, :-1])[0, known - 1 :])
            for network in (e.policy, e.reference)
        )
        nats += float(torch.distributions.kl_divergence(ours, theirs).sum())
        own = text[known:].tolist()
        for n, found in grams.items():
            found += zip(*(own[k:] for k in range(n)), strict=False)
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(*scores, strict=True)]
    count = len(prompts)
    return {
        "reward": statistics.mean(scores[0]),
        "reward_error": t.ppf(0.975, count - 1) * statistics.stdev(scores[0]) / count**0.5,
        "reference_reward": statistics.mean(scores[1]),
        "divergence": nats / count,
        "win_rate": statistics.mean(wins),
        "win_rate_error": half_of_share(wins),
        "length": sum(len(text) - known for text, known in texts[0]) / count,
        "distinct_1": len(set(grams[1])) / len(grams[1]),
        "distinct_2": len(set(grams[2])) / len(grams[2]),
    }


def half_of_share(wins):
    """Half the width of Student's interval of 95% for log-odds of a share; at 0 or 1, of a run of equal draws."""
    share, count = statistics.mean(wins), len(wins)
    if share in (0, 1):
        return (1 - 0.025 ** (1 / count)) / 2
    reach = t.ppf(0.975, count - 1) * statistics.stdev(wins) / count**0.5 / (share * (1 - share))
    ends = [1 / (1 + (1 - share) / share * math.exp(-sign * reach)) for sign in (-1, 1)]
    return (ends[1] - ends[0]) / 2


def score(tokens, end):
    """The mean over the characters of a text of bytes: vowels 1, digits and punctuation -1."""
    text = bytes(tokens[:-1] if tokens[-1] == end else tokens).decode(errors="replace")
    values = [(x in "aeiou") - (x in string.digits + string.punctuation) for x in text]
    return sum(values) / len(values) if values else 0.0
