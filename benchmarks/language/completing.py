"""Completing prompts with a GPT-2 and a Llama, one prompt and sixteen of different lengths: ours against transformers' generate.

    python -m benchmarks.language.completing [--repeats 5] [--new 240]

Six layers of width 384, six heads (of the Llama two of keys), a vocabulary of 8,192; prompts of 16 to 76 tokens, and one of 512;
greedy, float32, one thread. Both sides have the same weights and must write the same tokens; of sixteen prompts transformers pads
those that are shorter on the left, ours has a length for every row. Results:
benchmarks/results/completing_*.json.

What bounds it: a step reads all weights once, 55 MB, and with sixteen rows its products of matrices take most of the time of both
sides. Kept are results of 64 new tokens, on a machine with eight other programs at work; the goal is for 240.
"""

import argparse
import sys
import time
from importlib.metadata import version

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.experiments.autoregressive.transformer import LanguageRecipe, LlamaRecipe, language_decoder
from practice_torch.experiments.language.completing import complete
from practice_torch.experiments.language.decoding import Decoding
from practice_torch.pretrained import gpt2, llama
from practice_torch.pretrained.layout import to_theirs

VOCABULARY, CONTEXT, GREEDY = 8192, 768, Decoding(greedy=True)
SIZES = dict(context=CONTEXT, layers=6, width=384, heads=6)
LENGTHS = range(16, 80, 4)
LONG = 512


def pair(recipe, architecture, kind, config):
    """Our network and transformers' with the same weights."""
    torch.manual_seed(0)
    network = language_decoder(recipe, VOCABULARY).eval()
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)  # so that the tokens written vary
    fields = recipe.fields() | {"vocabulary": VOCABULARY}
    model = kind(config(**architecture.config(fields))).eval()
    missing, unknown = model.load_state_dict(to_theirs(architecture.layout(fields), network.state_dict()), strict=False)
    assert not unknown and set(missing) <= {"lm_head.weight"}, (missing, unknown)
    model.tie_weights()
    return network, model


def sides_of(network, model, prompts, new):
    """{side: call} of these prompts; both calls return the new tokens."""
    longest = max(map(len, prompts))
    padded = torch.stack([torch.cat([torch.zeros(longest - len(prompt), dtype=torch.int64), prompt]) for prompt in prompts])
    mask = torch.stack([torch.arange(longest) >= longest - len(prompt) for prompt in prompts]).long()
    how = dict(max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0)
    return {
        "ours": lambda: complete(network, prompts, new_tokens=new, decoding=GREEDY).tokens,
        "transformers": lambda: model.generate(padded, attention_mask=mask, **how)[:, longest:],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--new", type=int, default=240)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    prompts = [torch.randint(VOCABULARY, (length,), generator=generator) for length in (*LENGTHS, LONG)]
    cases = {"": prompts[:1], "_16_rows": prompts[:-1], "_long": prompts[-1:]}
    networks = {
        "gpt2": pair(LanguageRecipe(**SIZES, biases="all"), gpt2, GPT2LMHeadModel, GPT2Config),
        "llama": pair(LlamaRecipe(**SIZES, key_value_heads=2, feed_forward_width=1024), llama, LlamaForCausalLM, LlamaConfig),
    }
    codes = []
    for name, both in networks.items():
        for case, some in cases.items():
            began, sides = time.perf_counter(), sides_of(*both, some, arguments.new)
            ours, theirs = (call() for call in sides.values())
            assert torch.equal(ours, theirs), f"{name}{case}: the two sides wrote different tokens"
            lengths = sorted({len(prompt) for prompt in some})
            what = f"{arguments.new} tokens after {len(some)} prompts of {lengths[0]} to {lengths[-1]} tokens, {name}, greedy"
            seconds = in_turns(sides, repeats=arguments.repeats, warm_up=0)  # both have completed all once
            options = dict(ours="ours", began=began, unit=(arguments.new * len(some), "tokens"))
            codes.append(conclude(f"completing_{name}{case}", what, seconds, **options, transformers=version("transformers")))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
