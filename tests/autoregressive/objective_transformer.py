"""The objective of the experiment autoregressive/transformer, by functions with contracts."""

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from tests.support.objectives import Objective


def nats_per_token(logits, tokens):
    return -sequence_log_prob(tokens, logits, None).mean() / tokens.shape[1]


def language(e, batch, phase):
    network = e.network if phase == "train" else getattr(e, phase)
    return nats_per_token(network(batch["tokens"][:, :-1]), batch["tokens"][:, 1:])


# 256 tokens need no padding, and padding has no effect on a loss (tests/autoregressive/test_transformer.py)
OBJECTIVE = Objective(language, unread={"pad_vocabulary"}, sizes=dict(heads=2))
