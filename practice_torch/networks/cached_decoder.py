"""What transformer decoders share: logits, the loss of a large vocabulary, and steps from a cache of keys and values."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.networks.linear import product_dtype
from practice_torch.networks.linear_cross_entropy import linear_log_probs, next_token_loss


class Places(NamedTuple):
    """Where the one token of every row is that is read next; the rows of a cache may have pasts of different lengths.

    Or where all tokens of rows are that hold several texts, of which none sees another.
    """

    positions: torch.Tensor | int
    """[B]: the token's own, and the column of the cache that gets its key and value; one number where all rows have the same.
    Or [B, T], without a cache.
    """
    seen: torch.Tensor | None
    """[B, 1, 1, L]: 0 at the columns that it sees, its own the last, and -inf elsewhere; None where all rows have one position:
    those up to it. Or [B, 1, T, T], True where one sees the other.
    """
    turn: Callable | None
    """Turns queries or keys [B, H, 1, D] or [B, H, T, D] by these positions, in a network that turns them."""


class CachedDecoder(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: an embedding, blocks, a last norm, and a head without a bias.

    A subclass has the blocks and the final_norm. A block is called with its input, and then with the room for its keys and
    values, [2, B, G, L, D], and the position of the first token, or Places of the only one. tied: the embedding is the head, too.
    vocabulary_multiple: the table of embeddings gets rows of zeros up to a multiple of it. They stand for no token: no logit is
    given of them, and none of the probability (a product of matrices is fastest where its sides are multiples of 64).
    """

    def __init__(self, *, vocabulary_size, context_length, width, dropout, vocabulary_multiple, tied=True):
        super().__init__()
        self.context_length, self.vocabulary_size = context_length, vocabulary_size
        rows = -(-vocabulary_size // vocabulary_multiple) * vocabulary_multiple
        self.token_embedding = nn.Embedding(rows, width)
        self.head = None if tied else nn.Linear(width, rows, bias=False)
        self.dropout = nn.Dropout(dropout)

    def begin_matrices(self, layers, ends):
        """GPT-2's: deviation 0.02, smaller for these layers of the 2N branches, so that the stream does not grow with depth."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if name.endswith(ends) else 0.02)
        for table in {self.token_embedding.weight, self._head()}:
            nn.init.zeros_(table[self.vocabulary_size :])

    def forward(self, tokens, targets=None):
        """Logits, [B, T] -> [B, T, V]; given targets [B, T], the mean of -log p(target) in nats instead.

        A large vocabulary's loss goes without a table of all logits.  Raises ValueError if T is more than the context length.
        """
        hidden = self.hidden(tokens)
        if targets is None:
            return self.logits(hidden)
        return next_token_loss(hidden, self._head(), targets, size=self.vocabulary_size)

    def logits(self, hidden):
        """Logits of each next token from the output of `hidden`: [..., E] -> [..., V]."""
        return functional.linear(hidden, self._head())[..., : self.vocabulary_size]

    def log_probs(self, hidden, targets):
        """The TokenLaw of targets [...] by the output of `hidden`, [..., E]; a large vocabulary's without a table of logits."""
        return linear_log_probs(hidden, self._head(), targets, size=self.vocabulary_size)

    def hidden(self, tokens, segments=None):
        """The input of the head: [B, T] -> [B, T, E].

        segments [B, T]: of rows that hold several texts one after another, the number of the text to which a token belongs,
        another than the neighbors'. A token sees those of its text alone, and its position is that in the text.
        """
        length = tokens.shape[1]
        if length > self.context_length:
            raise ValueError(f"tokens has {length} steps; the context length is {self.context_length}")
        if segments is None:
            x = self.dropout(self._embedded(tokens, 0))
            for block in self.blocks:
                x = block(x)
            return self.final_norm(x)
        places = self._apart(segments)
        x = self.dropout(self._embedded(tokens, places.positions))
        for block in self.blocks:
            x = block(x, None, places)
        return self.final_norm(x)

    def _apart(self, segments):
        """The Places of the tokens of several texts in a row."""
        steps = torch.arange(segments.shape[1], device=segments.device)
        begins = functional.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)
        positions = steps - (steps * begins).cummax(dim=1).values
        texts = begins.cumsum(dim=1)
        seen = (texts[:, :, None] == texts[:, None, :]).tril()
        return Places(positions, seen[:, None], self._turning(positions))

    def empty_cache(self, batch, length=None):
        """Room for the keys and values of `length` tokens, or of a whole context: [N, 2, B, G, L, D], of G heads of keys.

        Zeros: a column that is masked has the weight 0, and 0 times what an empty memory may hold is not always 0.
        """
        weight, (heads, width) = self.token_embedding.weight, self.blocks[0].keys
        shape = (len(self.blocks), 2, batch, heads, length or self.context_length, width)
        return torch.zeros(shape, dtype=product_dtype(weight), device=weight.device)  # as keys and values are

    def step(self, tokens, cache, position):
        """The logits [B, V] of the token after tokens [B, S], which are at position .. position+S-1; the cache has their past.

        Their keys and values are written into the cache, in place. Rows from `position` on are not read: tokens are taken back by
        the next call's smaller position.  Raises ValueError if they reach beyond the context.
        """
        return self.logits(self.final_norm(self._read(tokens, cache, position)[:, -1]))

    def step_each(self, tokens, cache, position):
        """The logits [B, S, V] of the token after each of tokens [B, S], which `step` gives of the last."""
        return self.logits(self.final_norm(self._read(tokens, cache, position)))

    def step_after(self, tokens, cache, lengths):
        """The logits [B, V] of the token after the first lengths [B] of each row of tokens [B, S]; the cache gets all S.

        What a row has after its length is not seen, whatever it is, and `step_rows` writes over it.
        """
        x = self._read(tokens, cache, 0)
        return self.logits(self.final_norm(x[torch.arange(len(x), device=x.device), lengths - 1]))

    def step_rows(self, tokens, cache, positions):
        """The logits [B, V] of the token after one token [B] of each row, at its row's position: [B], or a number for all.

        The cache has the row's past in the columns before its position; columns after it are not seen. With positions [B] shapes
        are those of the call before, and no value is read: compiled, it is one graph for all steps. Positions must be below the
        cache's length.
        """
        if isinstance(positions, int):
            places = Places(positions, None, self._turning(torch.tensor([positions], device=tokens.device)))
        else:
            # numbers, and not truth values, which attention would turn into numbers in every block
            hidden = torch.arange(cache.shape[4], device=tokens.device) > positions[:, None]
            seen = torch.zeros(hidden.shape, dtype=cache.dtype, device=cache.device).masked_fill_(hidden, -math.inf)
            places = Places(positions, seen[:, None, None], self._turning(positions))
        x = self._embedded(tokens[:, None], positions)
        for block, kept in zip(self.blocks, cache, strict=True):
            x = block(x, kept, places)
        return self.logits(self.final_norm(x[:, 0]))

    def _turning(self, positions):
        """Places.turn of these positions."""
        return None

    def _head(self):
        return self.token_embedding.weight if self.head is None else self.head.weight

    def _embedded(self, tokens, position):
        """The tokens at position, position + 1, ..., at positions [B, S], or [B] of each row's only one: [B, S] -> [B, S, E]"""
        return self.token_embedding(as_int64(tokens))

    def _read(self, tokens, cache, position):
        end = position + tokens.shape[1]
        if end > self.context_length:
            raise ValueError(f"position is {position} and {tokens.shape[1]} tokens follow; the context is {self.context_length}")
        x = self._embedded(tokens, position)
        for block, kept in zip(self.blocks, cache, strict=True):
            x = block(x, kept, position)
        return x


def attended(query, key, value, cache, position, *, dropout):
    """Attention to the past: queries [B, H, T, D], keys and values [B, G, T, D], G a divisor of H -> [B, T, H D].

    With a cache [2, B, G, L, D], rows before `position` are the past, and those of the T tokens are written. position may be the
    Places of one token; or without a cache those of all.
    """
    mask, steps = None, query.shape[2]
    if isinstance(position, Places) and cache is None:
        mask = position.seen
    elif isinstance(position, Places) and isinstance(position.positions, int):
        end = position.positions + 1
        cache[0, :, :, end - 1 : end], cache[1, :, :, end - 1 : end] = key, value
        key, value = cache[:, :, :, :end]
    elif isinstance(position, Places):
        rows, mask = torch.arange(len(query), device=query.device), position.seen
        cache[0][rows, :, position.positions], cache[1][rows, :, position.positions] = key[:, :, 0], value[:, :, 0]
        key, value = cache
    elif cache is not None:
        end = position + steps
        cache[0, :, :, position:end], cache[1, :, :, position:end] = key, value
        key, value = cache[:, :, :, :end]
        if position and steps > 1:  # torch's is_causal lets queries and keys begin together
            mask = torch.ones(steps, end, dtype=torch.bool, device=query.device).tril(position)
    mixed = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=steps > 1 and mask is None,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return mixed.transpose(1, 2).flatten(2)


def require_sizes(**sizes):
    """Every size is at least 1, the heads divide the width, and the heads of keys those of queries."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")
    if sizes["width"] % sizes["heads"]:
        raise ValueError(f"heads is {sizes['heads']}; it must divide the width, {sizes['width']}")
    if sizes["heads"] % sizes.get("key_value_heads", 1):
        raise ValueError(f"key_value_heads is {sizes['key_value_heads']}; it must divide the heads, {sizes['heads']}")
