"""The recipe of an online alignment."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.alignment.policy import FORMS, begin, conditions, tokenizer_of_run
from practice_torch.experiments.alignment.rewards import READY
from practice_torch.experiments.alignment.rollouts import Aggregation, Estimator, Ratio, require_terms
from practice_torch.networks.decoder_transformer import BIASES

# Fields that a training may change which begins from a run of the same recipe: no weight depends on them.
OF_A_ROUND = (
    "reward",
    "reward_weights",
    "reward_seconds",
    "prompt",
    "completion",
    "answers",
    "passes",
    "minibatches",
    "temperature",
    "kl_coefficient",
    "kl_ratio",
    "kl_target",
    "max_divergence",
    "clip",
    "clip_high",
    "ratio",
    "aggregation",
    "standardize",
    "entropy_coefficient",
    "judged",
)


@dataclass(frozen=True)
class OnlineRecipe(Recipe):
    """A language model is tuned to rewards of its own completions, by PPO, RLOO or GRPO; it begins from a run (--from), or from
    noise.
    """

    modality: ClassVar[str] = "prompts"
    data: str = "pydoc"
    """pydoc (passages of Python's help pages), or your own .jsonl or .parquet file with a column prompt."""
    reward: tuple[str, ...] = ("vowels",)
    """Rewards, which are added: a ready one (vowels, gsm8k_answer), your own function as FILE.py:FUNCTION, with TRL's signature
    (prompts, completions, and the other columns of the data), or the run folder of a reward model.
    """
    reward_weights: Annotated[tuple[float, ...], AtLeast(-1e9)] = ()
    """Weight of each reward; none: 1 each."""
    reward_seconds: Annotated[float, Above(0)] = 60.0
    """Seconds that a function may take for the completions of a round, before the training stops, with all saved."""
    estimator: Estimator = "group"
    """Baseline of a reward. ppo: a critic's value of every prefix; leave_one_out: the rewards of the other completions
    of the prompt (RLOO); group: their mean (GRPO).
    """
    prompt: Annotated[int, AtLeast(1)] = 32
    """Maximum number of tokens of a prompt; of a longer one the last are kept, with a note."""
    completion: Annotated[int, AtLeast(1)] = 32
    """Maximum number of tokens of a completion."""
    answers: Annotated[int, AtLeast(1)] = 4
    """Completions of a prompt in a round; two or more, except for ppo."""
    passes: Annotated[int, AtLeast(1)] = 1
    """Passes over the completions of a round."""
    minibatches: Annotated[int, AtLeast(1)] = 1
    """Updates of a pass, each on as many completions, drawn at random."""
    temperature: Annotated[float, Above(0)] = 1.0
    """Temperature of the policy, in drawing and in learning; below 1 it is sharper."""
    kl_coefficient: Annotated[float, AtLeast(0)] = 0.05
    """Price of a nat of divergence from the reference, in units of the reward; with group, of the advantage. 0: no price."""
    kl_ratio: bool = False
    """group: multiply the divergence's estimate by the ratio, by which its gradient is that of the divergence (DeepSeek-V3.2, and
    TRL unless told otherwise); off, as GRPO was published.
    """
    kl_target: Annotated[float | None, Above(0)] = None
    """Nats of a completion beyond which the price rises, and below which it falls to kl_coefficient; none: it is fixed."""
    max_divergence: Annotated[float | None, Above(0)] = None
    """Nats of a completion, as a round measures them, beyond which the training stops, with all saved; none: it goes on."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """Clipping range of the ratio of new to old probability."""
    clip_high: Annotated[float | None, Above(0)] = None
    """Upper clipping range, where it is another (DAPO: 0.28); not of ppo."""
    ratio: Ratio = "token"
    """What is clipped: token, each token's ratio; sequence, the whole completion's (RLOO in TRL); sequence_mean, the geometric
    mean of its tokens' (GSPO). Of ppo always token.
    """
    aggregation: Aggregation = "sequence_mean"
    """Of the losses of tokens: sequence_mean, the mean of each completion's mean (GRPO); token_mean, over all tokens (DAPO);
    constant, their sum over the longest possible completions (Dr. GRPO). ppo has always sequence_mean.
    """
    standardize: bool = True
    """group: divide by the deviation of the rewards of a prompt, as GRPO does; off, as Dr. GRPO. leave_one_out, ppo: of all
    advantages of a round, as usual for ppo.
    """
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages; ppo only."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.1
    """Weight of the values' loss; ppo only."""
    value_clip: Annotated[float | None, Above(0)] = None
    """Clipping range of the values around those of the round; none: they are free. ppo only."""
    entropy_coefficient: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the entropy of the next token, as a reward."""
    judged: Annotated[int, AtLeast(2)] = 256
    """Held-out prompts of an evaluation, at most, each completed by the policy and by the reference."""
    tokens: str = "bytes"
    """bytes; a tokenizer.json; tiktoken:NAME; a folder that `prepare text` wrote; or a run folder: its tokens."""
    chat_template: str = ""
    """File of a chat template in Jinja, or a folder that has one, by which messages become text; --from sets that of the run."""
    start: str = ""
    """Run folder of the language model to begin from, with the same tokens and sizes: --from sets it, and them."""
    adapters: Annotated[int, AtLeast(0)] = 0
    """Rank of low-rank adapters, which alone are trained, and without which the policy is the reference; 0: none. Needs peft."""
    adapter_scale: Annotated[float, Above(0)] = 16.0
    """Factor of the adapters' product, divided by their rank."""
    form: Literal[tuple(FORMS)] = "gpt2"
    """Form of the network. --from sets it, and all of the sizes below."""
    extra_rows: Annotated[int, AtLeast(0)] = 0
    """Rows of the table of tokens that stand for none of the tokenizer's."""
    context: Annotated[int, AtLeast(16)] = 128
    """Maximum number of tokens that the network sees."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(16)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    biases: Literal[BIASES] = "feed_forward"
    """gpt2: biases of the norms and the feed-forward blocks; all: of attention, too; none."""
    exact_gelu: bool = False
    """gpt2: x Phi(x) in place of the tanh form."""
    key_value_heads: Annotated[int, AtLeast(1)] = 4
    """llama: number of heads of keys and values, which divides the heads."""
    feed_forward_width: Annotated[int, AtLeast(1)] = 256
    """llama: units of a feed-forward block."""
    tied: bool = True
    """llama: the table of embeddings is the head, too."""
    rotary_base: Annotated[float, Above(0)] = 10000.0
    """llama: base of the angles by which queries and keys are turned."""
    epsilon: Annotated[float, Above(0)] = 1e-5
    """llama: added to the mean square in the norms; 1e-6 in Qwen2."""
    query_key_value_biases: bool = False
    """llama: biases of queries, keys and values, as in Qwen2."""
    pad_vocabulary: bool = False
    """Pad the table of tokens with rows of zeros to a multiple of 64, which suits a GPU; the model is the same."""
    metric: Fixed = "reward"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        require_terms(self)
        self._require("reward", len(self.reward) > 0, f"one or more of {', '.join(READY)}, FILE.py:FUNCTION, or a run folder")
        fits = len(self.reward_weights) in (0, len(self.reward))
        self._require("reward_weights", fits, f"one number for each of the {len(self.reward)} rewards, or none")
        for condition in conditions(self):
            self._require(*condition)
        fits = self.prompt + self.completion <= self.context
        self._require("context", fits, f"at least prompt + completion, {self.prompt} + {self.completion}")
        self._require("kl_target", self.kl_target is None or self.kl_coefficient > 0, "none with a kl_coefficient of 0")
        rows = self.batch_size * self.answers
        self._require("minibatches", self.minibatches <= rows, f"at most the completions of a round, {rows}")

    def loading(self):
        """Prompts as tokens, with the other columns of their rows."""
        known = {"byte_pairs": BytePairTokenizer, "of_run": tokenizer_of_run}
        return {"prompt": self.prompt, "tokens": self.tokens, "chat_template": self.chat_template} | known


def begun_from(recipe, run):
    """The recipe with form, sizes and tokens of the run of a language model.  RunError if prompts do not fit into its context."""
    try:
        return begin(recipe, run)
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"{run.folder} does not fit this recipe: {error}") from None
