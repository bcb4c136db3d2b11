"""Conditioning of this family's decoders."""

from practice_torch.arguments import as_int64


def embedded(embedding, tokens, condition):
    """Of tokens [B] or [B, T]; the embedding of each row's condition [B], a token too, is added to each. None: there is none."""
    x = embedding(as_int64(tokens))
    if condition is None:
        return x
    return x + embedding(as_int64(condition).view(-1, *(1,) * (tokens.ndim - 1)))
