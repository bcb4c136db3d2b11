"""A decoder-only transformer on torch's fused kernels: GPT-2, and the forms of it that differ in biases and in GELU."""

from torch import nn
from torch.nn import functional

from practice_torch.networks.cached_decoder import CachedDecoder, attended, require_sizes
from practice_torch.networks.linear import Linear

EPSILON = 1e-5
BIASES = ("none", "feed_forward", "all")


class DecoderTransformer(CachedDecoder):
    """Tokens [B, T] -> logits [B, T, V] of each next token; pre-norm, GELU, learned positions, tied head.

    biases: "feed_forward", of the norms and the feed-forward blocks; "all", of attention, too, as in GPT-2's published weights;
    "none", as nanoGPT trains GPT-2. exact_gelu: x Phi(x) in place of GPT-2's tanh form.
    `parameters_by_name()` are those of autoregressive/transformer's decoder_logits, which computes the same as the network with
    the defaults, slowly.
    """

    def __init__(
        self,
        *,
        vocabulary_size,
        context_length,
        width,
        layers,
        heads,
        feed_forward_width=None,
        dropout=0.0,
        vocabulary_multiple=1,
        biases="feed_forward",
        exact_gelu=False,
    ):
        if biases not in BIASES:
            raise ValueError(f"biases is {biases!r}; it must be one of {', '.join(BIASES)}")
        require_sizes(width=width, layers=layers, heads=heads, context_length=context_length)
        super().__init__(
            vocabulary_size=vocabulary_size,
            context_length=context_length,
            width=width,
            dropout=dropout,
            vocabulary_multiple=vocabulary_multiple,
        )
        self.position_embedding = nn.Embedding(context_length, width)
        inner = feed_forward_width or 4 * width
        form = dict(biases=biases, exact_gelu=exact_gelu)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads, inner, dropout, **form) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width, eps=EPSILON, bias=biases != "none")
        self._plain = biases == "feed_forward" and not exact_gelu
        self._initialize(layers)

    def _initialize(self, layers):
        self.begin_matrices(layers, ("output.weight", "down.weight"))

    def _embedded(self, tokens, position):
        x, table = super()._embedded(tokens, position), self.position_embedding.weight
        if isinstance(position, int):
            return x + table[position : position + tokens.shape[1]]
        return x + table[position].view_as(x)

    def parameters_by_name(self):
        """The parameters as nested dictionaries, by the names of decoder_logits.  Raises ValueError if it has another form."""
        if not self._plain:
            raise ValueError("biases and exact_gelu are not the defaults; decoder_logits computes the default form alone")
        return {
            "token_embedding": self.token_embedding.weight[: self.vocabulary_size],
            "position_embedding": self.position_embedding.weight,
            "blocks": tuple(block.parameters_by_name() for block in self.blocks),
            "final_norm_weight": self.final_norm.weight,
            "final_norm_bias": self.final_norm.bias,
        }


class DecoderBlock(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x))."""

    def __init__(self, width, heads, inner, dropout, *, biases="feed_forward", exact_gelu=False):
        super().__init__()
        self.heads, self.attention_dropout, self.gelu = heads, dropout, "none" if exact_gelu else "tanh"
        self.keys = heads, width // heads  # number and width of the heads of keys
        everywhere, somewhere = biases == "all", biases != "none"
        self.attention_norm = nn.LayerNorm(width, eps=EPSILON, bias=somewhere)
        self.query_key_value = Linear(width, 3 * width, bias=everywhere)  # one product instead of three
        self.output = Linear(width, width, bias=everywhere)
        self.feed_forward_norm = nn.LayerNorm(width, eps=EPSILON, bias=somewhere)
        self.up, self.down = Linear(width, inner, bias=somewhere), Linear(inner, width, bias=somewhere)
        for layer in (self.query_key_value, self.output, self.up, self.down):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None, position=0):
        """[B, T, E] -> [B, T, E]; with a cache [2, B, H, L, D], rows before `position` are the past, and T more are written."""
        query, key, value = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = attended(query, key, value, cache, position, dropout=self.attention_dropout if self.training else 0.0)
        x = x + self.dropout(self.output(mixed))
        return x + self.dropout(self.down(functional.gelu(self.up(self.feed_forward_norm(x)), approximate=self.gelu)))

    def parameters_by_name(self):
        """The parameters by the names of decoder_block."""
        query, key, value = self.query_key_value.weight.chunk(3)
        return {
            "attention_norm_weight": self.attention_norm.weight,
            "attention_norm_bias": self.attention_norm.bias,
            "query_weight": query,
            "key_weight": key,
            "value_weight": value,
            "output_weight": self.output.weight,
            "feed_forward_norm_weight": self.feed_forward_norm.weight,
            "feed_forward_norm_bias": self.feed_forward_norm.bias,
            "up_weight": self.up.weight,
            "up_bias": self.up.bias,
            "down_weight": self.down.weight,
            "down_bias": self.down.bias,
        }
