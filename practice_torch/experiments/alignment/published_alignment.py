"""Sources of published alignments, how their data are prepared, and how the recipes differ from what reached the numbers.

The scripts that `prepare` names are printed in docs/published_alignment.md.
"""

from practice_torch.engine.published import Difference, Published

GPT2_LARGE = dict(context=1024, layers=36, width=1280, heads=20, biases="all")
QWEN2_HALF_BILLION = dict(
    form="llama", layers=24, width=896, heads=14, key_value_heads=2, feed_forward_width=4864, tied=True, rotary_base=1e6,
    epsilon=1e-6, query_key_value_biases=True,
)  # fmt: skip
QWEN2_BILLION_AND_HALF = QWEN2_HALF_BILLION | dict(layers=28, width=1536, heads=12, feed_forward_width=8960)

REVIEWS = "IMDB, 50,000 film reviews (https://huggingface.co/datasets/stanfordnlp/imdb, parquet)"
SUMMARIES = "TL;DR, 92,858 pairs of summaries (https://huggingface.co/datasets/trl-lib/tldr-preference, parquet)"
PROBLEMS = "GSM8K, 7,473 problems (https://huggingface.co/datasets/openai/gsm8k, train.jsonl)"
OF_REVIEWS = "score of a classifier of sentiment, against the divergence from the start"
FIGURE = "a figure, without numbers, of all methods and prices"

OPTIMIZER = Difference("optimizer", "RMSprop", "AdamW", "not known")
REVIEW_PAIRS = Published(
    REVIEWS,
    "python imdb.py prompts imdb_parquet, then python imdb.py pairs completions.jsonl (docs/published_alignment.md)",
    OF_REVIEWS,
    None,
    "Rafailov et al. 2023, figure 2",
    facts={"vocabulary": 50257},
    differences=(
        OPTIMIZER,
        Difference("schedule", "the number of steps is not stated", "4,000 steps of 64 pairs", "not known"),
        Difference("evaluation", FIGURE, "share of held-out pairs in the right order; the reward by the online recipe",
                   "another quantity"),
    ),
)  # fmt: skip
REVIEW_REWARDS = Published(
    REVIEWS,
    "python imdb.py prompts imdb_parquet (docs/published_alignment.md); also give --reward sentiment.py:positive",
    OF_REVIEWS,
    None,
    "Rafailov et al. 2023, figure 2, PPO-GT",
    facts={"vocabulary": 50257},
    differences=(
        Difference("optimizer", "settings of PPO are not stated", "the defaults of TRL's PPO of the time, batches of 1,024",
                   "not known"),
        Difference("schedule", "target divergences of 3, 6, 9 and 12 nats", "6 nats; others by --kl-target", "none"),
        Difference("completions", "their length is not stated", "64 tokens", "not known"),
    ),
)  # fmt: skip
SUMMARY_PAIRS = Published(
    SUMMARIES,
    "none: its columns are prompt, chosen and rejected; save its training file as tldr.parquet",
    "share of summaries that GPT-4 prefers to the human-written ones, drawn at temperature 0",
    0.61,
    "Rafailov et al. 2023, section 6.2",
    facts={"vocabulary": 151936},
    quoted="DPO has a win rate of approximately 61% at a temperature of 0.0",
    differences=(
        Difference("architecture", "GPT-J, 6 billion parameters, tuned to summaries", "Qwen2.5, 1.5 billion, tuned by the user",
                   "not known"),
        OPTIMIZER,
        Difference("schedule", "the number of steps is not stated", "one pass over the pairs", "not known"),
        Difference("evaluation", "GPT-4 compares summaries", "share of held-out pairs in the right order", "another quantity"),
    ),
)  # fmt: skip
PROBLEM_REWARDS = Published(
    PROBLEMS,
    "python gsm8k.py train.jsonl (docs/published_alignment.md); also give --reward gsm8k_answer",
    "percent of the 1,319 test problems with the right answer, the likeliest token at each step",
    54.3,
    "verl, docs/algo/baseline.md, GRPO-LoRA of Qwen2.5-0.5B-Instruct",
    facts={"vocabulary": 151936},
    quoted="| NVIDIA GPU  | Qwen/Qwen2.5-0.5B-Instruct       | GRPO-LoRA         | 54.3         |",
    differences=(
        Difference("weights", "adapters of rank 32, learning rate 3e-5", "all weights, 1e-6; the others by --adapters 32 "
                   "--adapter-scale 32 --learning-rate 3e-5, with peft", "not known"),
        Difference("evaluation", "the test problems, greedy", "held-out problems of --data, drawn at temperature 1",
                   "ours is lower"),
    ),
)  # fmt: skip
