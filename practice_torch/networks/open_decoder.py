"""A decoder with configurable position encoding and norm placement."""

import math

from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.networks.decoder_transformer import EPSILON, DecoderBlock


class Positions(nn.Module):
    """Position scheme of a network; this one has none. Schemes override what they change."""

    def add(self, x):
        """Transform the embedded tokens [B, T, E]."""
        return x

    def turn(self, x, start=0):
        """Transform queries or keys [B, H, T, D] of the tokens start, start + 1, ..."""
        return x

    def bias(self, length):
        """Bias of the scores, [H, T, T], -inf where attention is masked; None: causal mask only."""
        return None


class OpenDecoder(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token; no biases in attention, GELU (tanh form), tied head.

    norm_position "pre" is x + f(LN(x)) and a last norm; "post" is LN(x + f(x)), without a further norm.
    """

    def __init__(self, *, vocabulary_size, width, layers, heads, positions, norm_position="pre"):
        super().__init__()
        if norm_position not in ("pre", "post"):
            raise ValueError(f"norm_position is {norm_position!r}; it must be 'pre' or 'post'")
        self.token_embedding = nn.Embedding(vocabulary_size, width)
        self.positions = positions
        self.blocks = nn.ModuleList(OpenBlock(width, heads, norm_position) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width, eps=EPSILON) if norm_position == "pre" else nn.Identity()
        # GPT-2's: deviation 0.02, and the ends of the branches smaller, so that the stream does not grow with depth
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                ends_a_branch = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if ends_a_branch else 0.02)

    def forward(self, tokens):
        """Logits, [B, T] -> [B, T, V]."""
        x = self.positions.add(self.token_embedding(as_int64(tokens)))
        bias = self.positions.bias(tokens.shape[1])
        for block in self.blocks:
            x = block(x, self.positions, bias)
        return functional.linear(self.final_norm(x), self.token_embedding.weight)


class OpenBlock(nn.Module):
    """Attention, then feed-forward, each on a skip path."""

    def __init__(self, width, heads, norm_position):
        super().__init__()
        self.heads, self.norm_position = heads, norm_position
        self.attention_norm, self.feed_forward_norm = (nn.LayerNorm(width, eps=EPSILON) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        nn.init.zeros_(self.up.bias)
        nn.init.zeros_(self.down.bias)

    def forward(self, x, positions, bias):
        """[B, T, E] -> [B, T, E]."""
        x = self._residual(x, self.attention_norm, lambda z: self._attend(z, positions, bias))
        return self._residual(x, self.feed_forward_norm, self._feed_forward)

    def _residual(self, x, norm, branch):
        return x + branch(norm(x)) if self.norm_position == "pre" else norm(x + branch(x))

    def _attend(self, x, positions, bias):
        query, key, value = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            positions.turn(query),
            positions.turn(key),
            value,
            attn_mask=bias if bias is None else bias.to(query.dtype),
            is_causal=bias is None,
        )
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _feed_forward(self, x):
        return self.down(functional.gelu(self.up(x), approximate="tanh"))

    parameters_by_name = DecoderBlock.parameters_by_name  # the same layers under the same names
