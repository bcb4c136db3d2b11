"""Conditioning of this family's decoders."""

from practice_torch.arguments import as_int64


def embedded(embedding, tokens, condition):
    """Embedding of tokens [B] or [B, T], plus that of each row's condition [B], a token too. None: no condition."""
    x = embedding(as_int64(tokens))
    if condition is None:
        return x
    return x + embedding(as_int64(condition).view(-1, *(1,) * (tokens.ndim - 1)))
