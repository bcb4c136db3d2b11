"""Writing 240 bytes with a GPT of 10.7 million parameters: our cache against none, and against transformers with its own.

    python -m benchmarks.language.generation [--repeats 5]

Six layers of width 384, six heads, context 256; a prompt of 16 bytes, one text, greedy choice, float32, one thread. All sides
have the same weights (transformers' attention biases are zero) and must write the same bytes. The JAX side is the theory wing's
cached_decoder_step in one compiled loop. Result: benchmarks/results/generation.json.
"""

import argparse
import os
import sys
import time
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.experiments.language.generation import generate
from practice_torch.networks.decoder_transformer import DecoderTransformer
from theory_jax.autoregressive.kv_cache import cached_decoder_step

LAYERS, WIDTH, HEADS, CONTEXT, PROMPT, NEW = 6, 384, 6, 256, 16, 240


def greedy(logits, _):
    return logits.argmax(-1)


@torch.inference_mode()
def without_cache(network, tokens):
    for _ in range(NEW):
        tokens = torch.cat([tokens, greedy(network(tokens)[:, -1], tokens)[:, None]], dim=1)
    return tokens


def as_gpt2(network):
    """transformers' GPT-2 with our weights."""
    gpt2 = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=256, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, eos_token_id=None, bos_token_id=None
        )
    ).eval()
    state, ours = gpt2.state_dict(), network.state_dict()
    names = {
        "attention_norm": "ln_1",
        "query_key_value": "attn.c_attn",
        "output": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "up": "mlp.c_fc",
        "down": "mlp.c_proj",
    }
    for name, tensor in state.items():
        if name.endswith(("c_attn.bias", "attn.c_proj.bias")):
            tensor.zero_()
    state["transformer.wte.weight"].copy_(ours["token_embedding.weight"])
    state["transformer.wpe.weight"].copy_(ours["position_embedding.weight"])
    for end in ("weight", "bias"):
        state[f"transformer.ln_f.{end}"].copy_(ours[f"final_norm.{end}"])
    for layer in range(LAYERS):
        for here, there in names.items():
            for end in ("weight", "bias"):
                if (tensor := ours.get(f"blocks.{layer}.{here}.{end}")) is not None:
                    turned = tensor.T if tensor.ndim == 2 else tensor  # GPT-2's matrices are [in, out]
                    state[f"transformer.h.{layer}.{there}.{end}"].copy_(turned)
    gpt2.load_state_dict(state)
    return gpt2


def in_jax(network):
    """The whole loop compiled: prompt -> PROMPT + NEW tokens."""
    parameters = jax.tree.map(lambda p: jnp.asarray(p.detach().numpy()), network.parameters_by_name())

    def step(carry, position):
        token, caches = carry
        logits, caches = cached_decoder_step(token, *caches, parameters, heads=HEADS, position=position)
        token = jnp.argmax(logits[:, -1:], -1)
        return (token, caches), token[:, 0]

    @jax.jit
    def write(prompt):
        empty = jnp.zeros((LAYERS, len(prompt), HEADS, CONTEXT, WIDTH // HEADS), jnp.float32)
        logits, caches = cached_decoder_step(prompt, empty, empty, parameters, heads=HEADS, position=0)
        first = jnp.argmax(logits[:, -1:], -1)
        _, rest = jax.lax.scan(step, (first, caches), jnp.arange(PROMPT, PROMPT + NEW - 1))
        return jnp.concatenate([prompt, first, rest.T], axis=1)

    return write


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    torch.manual_seed(0)
    network = DecoderTransformer(vocabulary_size=256, context_length=CONTEXT, width=WIDTH, layers=LAYERS, heads=HEADS).eval()
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)  # so that the bytes written vary
    prompt = torch.randint(256, (1, PROMPT))
    gpt2, compiled = as_gpt2(network), in_jax(network)
    jax_prompt = jnp.asarray(prompt.numpy())
    sides = {
        "ours, cached": lambda: generate(network, prompt, NEW, greedy),
        "without cache": lambda: without_cache(network, prompt),
        "transformers": lambda: gpt2.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW, do_sample=False, use_cache=True, pad_token_id=0
        ),
        "theory wing, one JAX loop": lambda: jax.block_until_ready(compiled(jax_prompt)),
    }
    texts = {side: torch.tensor(call().tolist()) for side, call in sides.items()}
    for side, text in texts.items():
        assert torch.equal(text, texts["ours, cached"]), f"{side} wrote other bytes"
    seconds = in_turns(sides, repeats=arguments.repeats)
    return conclude(
        "generation",
        f"{NEW} bytes after a prompt of {PROMPT}, GPT of 10.7M parameters, greedy",
        seconds,
        ours="ours, cached",
        began=began,
        unit=(NEW, "bytes"),
        transformers=version("transformers"),
        distinct_bytes=texts["transformers"].unique().numel(),
    )


if __name__ == "__main__":
    sys.exit(main())
