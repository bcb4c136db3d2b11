"""Tokens, one after the other: with a key-value cache, or from a state of constant size."""

import torch

from practice_torch.arguments import as_int64
from practice_torch.autoregressive.speculative import speculative_block
from practice_torch.networks.wavenet import draw


@torch.inference_mode()
def generate(network, tokens, count, choose):
    """tokens [B, T] and `count` more for each row: choose(logits [B, V], tokens so far [B, t]) -> [B] picks each.

    network has a context_length, empty_cache and step, as DecoderTransformer has. Its positions are absolute, so a cache cannot
    slide: when the context is full, its later half is read again. Every token is given half a context of past or more.
    """
    tokens = as_int64(tokens)  # the tokens that follow may not fit into the width of these
    batch, known = tokens.shape
    written = torch.cat([tokens, tokens.new_empty(batch, count)], dim=1)
    cache = network.empty_cache(batch)
    start = read = 0  # the cache holds written[:, start:read]
    for end in range(known, known + count):
        if end - start > network.context_length:
            start = read = end - max(network.context_length // 2, 1)
        logits = network.step(written[:, read:end], cache, read - start)
        read = end
        written[:, end] = choose(logits, written[:, :end])
    return written


@torch.inference_mode()
def generate_speculatively(target, draft, tokens, count, *, drafts, generator):
    """tokens [1, T] and `count` more, drawn from the target's law; and (drafted, accepted) of every block.

    The draft writes up to `drafts` tokens one by one, the target reads them all at once. What is rejected is taken back: both
    go on at the first token that they have not read. At most one more token than a context is there in the end.
    """
    written, total, blocks = as_int64(tokens), tokens.shape[1] + count, []
    caches, read, drafted_read = (target.empty_cache(1), draft.empty_cache(1)), 0, 0
    while (end := written.shape[1]) < total:
        length = min(drafts, total - end - 1)  # the block has one more token
        sequence, begin, laws = written, drafted_read, []
        for _ in range(length):
            laws.append(draft.step(sequence[:, begin:], caches[1], begin).float().log_softmax(-1))
            begin = sequence.shape[1]
            drawn = torch.multinomial(laws[-1].exp(), 1, generator=generator)
            sequence = torch.cat([sequence, drawn], dim=1)
        logits = target.step_each(sequence[:, read:], caches[0], read)[:, -(length + 1) :]
        wanted = logits.float().log_softmax(-1)
        proposed = torch.stack(laws, 1) if laws else wanted[:, :0]
        uniforms = torch.rand(1, length + 1, generator=generator, device=written.device)
        block, accepted = speculative_block(sequence[:, end:], proposed, wanted, uniforms[:, :-1], uniforms[:, -1])
        kept = int(accepted)
        written = torch.cat([written, block[:, : kept + 1]], dim=1)
        read, drafted_read = end + kept, min(end + kept, begin)  # the draft has not read the last token that it drew
        blocks.append((length, kept))
    return written, blocks


@torch.no_grad()
def generate_from_state(network, first, uniforms, *, kinds, condition=None, given=None):
    """Tokens [B, T] below `kinds` that follow the first [B], by inverse CDF of the uniforms [B, T]; each costs the same.

    network.start(batch) is the state before the first token, network.step(tokens, state) gives logits and the next state. A
    condition [B] is its third argument. given [B, S]: the tokens that the T begin with, which are not drawn.
    """
    token, states, written = as_int64(first), network.start(len(uniforms)), []
    conditions, known = () if condition is None else (condition,), () if given is None else as_int64(given).unbind(1)
    for place, uniform in enumerate(uniforms.unbind(1)):
        logits, states = network.step(token, states, *conditions)
        token = known[place] if place < len(known) else draw(logits[:, :kinds], uniform)
        written.append(token)
    return torch.stack(written, 1)
