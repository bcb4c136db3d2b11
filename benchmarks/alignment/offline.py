"""A step of offline alignment: our experiment's against TRL's trainers', of the same random GPT-2 on the same examples.

    python -m benchmarks.alignment.offline [--repeats 5]

A GPT-2 of 13.8 million parameters (6 layers of width 384, 8,192 tokens, biases of all layers), 4 pairs or 8 demonstrations of up
to 96 tokens, float32, one thread: the loss, the backward pass, clipping to a norm of 1 and torch's fused AdamW. Our side is the
experiment's `forward` on a batch, TRL's its trainer's `compute_loss` on what its collator makes of the same texts. Before
any timing both must give the same losses in three steps, to 2e-5. Memory is that of a step beyond what was held before, of each
side in a process of its own. Needs trl (the extra `peers`). Results: benchmarks/results/offline_*.json.
"""

import argparse
import os
import sys
import tempfile
import time
from importlib.metadata import version

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # trl takes a GPU where there is one

import torch
from torch.nn.utils import clip_grad_norm_

from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.alignment.offline import AlignmentRecipe, build
from practice_torch.pretrained import gpt2
from practice_torch.pretrained.layout import to_theirs

VOCABULARY, CONTEXT, ROWS, END = 8192, 96, 8, 256
SIZES = dict(form="gpt2", biases="all", context=CONTEXT, layers=6, width=384, heads=6, extra_rows=VOCABULARY - 256)
METHODS = {  # ours, the trainer of TRL and its options
    "dpo": ("DPO", dict(beta=0.1)),
    "supervised": ("SFT", dict(completion_only_loss=True)),
}
CLOSE = 2e-5  # float32, of losses below 10


def texts(method):
    """Random letters of different lengths: 4 pairs, or 8 demonstrations."""
    generator = torch.Generator().manual_seed(0)

    def letters(low, high):
        length = int(torch.randint(low, high, (), generator=generator))
        return bytes(torch.randint(97, 123, (length,), generator=generator).tolist()).decode()

    names = ("completion",) if method == "supervised" else ("chosen", "rejected")
    return [{"prompt": letters(20, 32)} | {name: letters(32, 63) for name in names} for _ in range(ROWS // len(names))]


def batch_of(rows):
    """The rows as a batch of ours, with an end behind every completion."""
    whole = [[[*(row["prompt"] + text).encode(), END] for name, text in row.items() if name != "prompt"] for row in rows]
    lengths = torch.tensor([list(map(len, row)) for row in whole])
    tokens = torch.zeros(*lengths.shape, int(lengths.max()), dtype=torch.int64)
    for place, row in zip(tokens, whole, strict=True):
        for column, text in zip(place, row, strict=True):
            column[: len(text)] = torch.tensor(text)
    prompts = torch.tensor([len(row["prompt"]) for row in rows])
    more = {"label": torch.ones(len(rows), dtype=torch.bool), "margin": torch.zeros(len(rows)), "row": torch.arange(len(rows))}
    return {"tokens": tokens, "prompt": prompts, "length": lengths} | more


def experiment_of(method):
    """Our experiment with random weights, the same every time."""
    torch.manual_seed(0)
    about = {"vocabulary": 256, "sha256": "", "tokenizer": {"library": "bytes"}}
    experiment = build(AlignmentRecipe(method=method, **SIZES), Described(about))
    for parameter in experiment.policy.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    if experiment.reference is not None:
        experiment.reference.load_state_dict(experiment.policy.state_dict())
    return experiment.train()


def stepping(parameters, loss):
    """A call that takes a step and gives its loss."""
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0, fused=True)

    def step():
        value = loss()
        optimizer.zero_grad()
        value.backward()
        clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return value.item()

    return step


def ours(method):
    experiment, batch = experiment_of(method), batch_of(texts(method))
    return stepping(experiment.policy.parameters(), lambda: experiment(batch, "train")[0])


def trls(method):
    """The same by TRL's trainer, of transformers' GPT-2 with the same weights."""
    import datasets
    import trl

    kind, options = METHODS[method]
    experiment = experiment_of(method)
    with tempfile.TemporaryDirectory() as folder:
        as_gpt2(experiment.policy, experiment.recipe).save_pretrained(folder)
        del experiment
        settings = getattr(trl, f"{kind}Config")(
            output_dir=folder,
            per_device_train_batch_size=ROWS,
            max_length=None,
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            model_init_kwargs={"dtype": "float32"},
            **options,
        )
        rows = datasets.Dataset.from_list(texts(method))
        known = dict(args=settings, train_dataset=rows, processing_class=tokenizer())
        trainer = getattr(trl, f"{kind}Trainer")(model=folder, **known)
    inputs = trainer.data_collator(list(trainer.train_dataset))
    trainer.model.train()
    return stepping(trainer.model.parameters(), lambda: trainer.compute_loss(trainer.model, inputs))


def as_gpt2(network, recipe):
    """transformers' GPT-2 with the weights of ours, without dropout."""
    from transformers import GPT2Config, GPT2LMHeadModel

    fields = recipe.fields() | {"vocabulary": VOCABULARY}
    dropouts = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), END)
    model = GPT2LMHeadModel(GPT2Config(**gpt2.config(fields) | dropouts | special))
    missing, unknown = model.load_state_dict(to_theirs(gpt2.layout(fields), network.state_dict()), strict=False)
    assert not unknown and set(missing) <= {"lm_head.weight"}, (missing, unknown)
    model.tie_weights()
    return model


def tokenizer():
    """Bytes as tokens, for transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {chr(byte): byte for byte in range(33, 127)} | {"<end>": END}  # the letters are all that is requested
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", pad_token="<end>")


SIDES = {"ours": ours, "trl": trls}


def side(name):
    """The step of "dpo ours", ..., after one that makes the optimizer's slots: its peak is measured in a process of its own."""
    torch.set_num_threads(1)
    method, which = name.split()
    step = SIDES[which](method)
    step()
    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    codes = []
    for method in METHODS:
        began = time.perf_counter()
        sides = {name: make(method) for name, make in SIDES.items()}
        losses = {name: [step() for _ in range(3)] for name, step in sides.items()}
        for got, wanted in zip(*losses.values(), strict=True):
            if abs(got - wanted) > CLOSE:
                raise SystemExit(f"{method}: the losses of three steps are {losses}; they may differ by {CLOSE:.0e}")
        seconds = in_turns(sides, repeats=arguments.repeats, warm_up=0)
        memory = {name: peak("benchmarks.alignment.offline", f"{method} {name}", runs=1) for name in SIDES}
        codes.append(
            conclude(
                f"offline_{method}",
                f"a step of {method} on {ROWS} texts of up to {CONTEXT} tokens, GPT-2 of 13.8M parameters",
                seconds,
                ours="ours",
                began=began,
                unit=(ROWS, "texts"),
                losses=losses,
                bytes=memory,
                memory=memory["ours"] / memory["trl"],
                trl=version("trl"),
                transformers=version("transformers"),
            )
        )
        print(f"  memory: {memory}")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
