"""Shared cases of the specs of state-space models."""


def step_by_step(network, tokens, **more):
    """The logits of one token after the other, and those of all tokens at once."""
    states, logits = network.start(len(tokens)), []
    for t in range(tokens.shape[1]):
        now, states = network.step(tokens[:, t], states, **more)
        logits.append(now)
    return logits, network(tokens, **more).unbind(1)
