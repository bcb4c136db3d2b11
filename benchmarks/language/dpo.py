"""A step of direct preference optimization: ours against trl's DPOTrainer, of equal models, from equal weights, on equal pairs.

    python -m benchmarks.language.dpo [--repeats 9]

A GPT of 4 layers of width 256 on bytes, 8 pairs of up to 192 tokens, float32, one thread: log-probabilities of both completions
by the policy and by the reference, the loss, the backward pass, and torch's fused AdamW. trl's side is its trainer's
`compute_loss` on what its collator makes of the pairs, with transformers' GPT-2. Before anything is timed, both must give the
same losses in three steps, to 1e-6. Without trl (`pip install trl`) only our side is timed, with a message.
Result: benchmarks/results/dpo.json, which needs trl.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from importlib.metadata import version

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # trl takes a GPU where there is one

import torch

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.preference.dpo import dpo_loss
from practice_torch.preference.pipeline import completion_log_prob, completion_mask

LAYERS, WIDTH, HEADS, CONTEXT, PAIRS = 4, 256, 4, 192, 8
BYTES, END = 256, 256  # trl ends every completion, so the vocabulary has a token for it
PRICE = 0.1
LEARNING_RATE = 1e-5
CLOSE = 1e-6  # float32, of losses below 1


def texts():
    """Pairs of random letters, of different lengths."""
    generator = torch.Generator().manual_seed(0)

    def letters(low, high):
        length = int(torch.randint(low, high, (), generator=generator))
        return bytes(torch.randint(97, 123, (length,), generator=generator).tolist()).decode()

    return [{"prompt": letters(40, 64), "chosen": letters(64, 127), "rejected": letters(64, 127)} for _ in range(PAIRS)]


def optimizer_of(network):
    return torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.0, fused=True)


def networks():
    """A policy and a reference, which differ a little."""
    torch.manual_seed(0)
    sizes = {"context_length": CONTEXT, "width": WIDTH, "layers": LAYERS, "heads": HEADS}
    reference, policy = (DecoderTransformer(vocabulary_size=BYTES + 1, **sizes) for _ in range(2))
    policy.load_state_dict(reference.state_dict())
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.002 * torch.randn_like(parameter)
    return policy, reference.requires_grad_(False)


def ours(policy, reference):
    """A step, and its loss."""
    rows = texts()
    prompts = torch.tensor([len(row["prompt"]) for row in rows]).repeat(2)
    whole = [[*(row["prompt"] + row[key]).encode(), END] for key in ("chosen", "rejected") for row in rows]
    lengths = torch.tensor(list(map(len, whole)))
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in whole], batch_first=True)
    mask, optimizer = completion_mask(prompts, lengths, width=tokens.shape[1]), optimizer_of(policy)

    def step():
        log_probs = completion_log_prob(tokens, policy(tokens), mask).chunk(2)
        with torch.no_grad():
            reference_log_probs = completion_log_prob(tokens, reference(tokens), mask).chunk(2)
        loss = dpo_loss(*log_probs, *reference_log_probs, kl_coefficient=PRICE).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def trl(policy, reference):
    """The same by trl's trainer, of networks with the same weights."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    with tempfile.TemporaryDirectory() as folder:
        settings = DPOConfig(
            output_dir=folder,
            beta=PRICE,
            per_device_train_batch_size=PAIRS,
            max_length=None,
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            disable_dropout=True,
        )
        trainer = DPOTrainer(
            model=_gpt2(policy),
            ref_model=_gpt2(reference),
            args=settings,
            train_dataset=Dataset.from_list(texts()),
            processing_class=_tokenizer(),
        )
    inputs = trainer.data_collator(list(trainer.train_dataset))
    trainer.model.train()
    optimizer = optimizer_of(trainer.model)

    def step():
        loss = trainer.compute_loss(trainer.model, inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _gpt2(network):
    """transformers' GPT-2 with the weights of a network; its biases of attention, which ours has not, stay 0."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=BYTES + 1,
            n_positions=CONTEXT,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            attn_pdrop=0,
            embd_pdrop=0,
            resid_pdrop=0,
            bos_token_id=END,
            eos_token_id=END,
            pad_token_id=END,
        )
    )
    theirs = model.transformer
    pairs = [(theirs.wte, network.token_embedding), (theirs.wpe, network.position_embedding), (theirs.ln_f, network.final_norm)]
    for block, own in zip(theirs.h, network.blocks, strict=True):
        pairs += [(block.ln_1, own.attention_norm), (block.ln_2, own.feed_forward_norm)]
        pairs += [(block.attn.c_attn, own.query_key_value), (block.attn.c_proj, own.output)]
        pairs += [(block.mlp.c_fc, own.up), (block.mlp.c_proj, own.down)]
    with torch.no_grad():
        for theirs, own in pairs:
            turned = type(theirs).__name__ == "Conv1D"
            theirs.weight.copy_(own.weight.T if turned else own.weight)
            if getattr(theirs, "bias", None) is not None:
                theirs.bias.copy_(own.bias if own.bias is not None else torch.zeros_like(theirs.bias))
                theirs.bias.requires_grad_(own.bias is not None)
    return model


def _tokenizer():
    """Bytes as tokens, for transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {chr(byte): byte for byte in range(33, 127)} | {"<end>": END}  # the letters are all that is requested
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", pad_token="<end>")


def require_same(sides):
    """The losses of three steps of both sides."""
    losses = {name: [step() for _ in range(3)] for name, step in sides.items()}
    for number, (got, wanted) in enumerate(zip(*losses.values(), strict=True)):
        if abs(got - wanted) > CLOSE:
            raise SystemExit(f"after {number} steps the losses are {got!r} and {wanted!r}; they may differ by {CLOSE:.0e}")
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    found = importlib.util.find_spec("trl") is not None
    if not found:
        print("trl is not installed: it is left out, and results/dpo.json stays as it is")
    sides = ({"trl": trl(*networks())} if found else {}) | {"ours": ours(*networks())}
    losses = require_same(sides)
    seconds = in_turns(sides, repeats=arguments.repeats)
    return conclude(
        "dpo",
        f"a step of DPO on {PAIRS} pairs of up to {CONTEXT} tokens, GPT of {LAYERS} layers of width {WIDTH}",
        seconds,
        ours="ours",
        began=began,
        unit=(PAIRS, "pairs"),
        keep=found,
        losses=losses,
        trl=version("trl") if found else None,
        transformers=version("transformers"),
    )


if __name__ == "__main__":
    sys.exit(main())
