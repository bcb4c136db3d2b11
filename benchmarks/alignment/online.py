"""A step of GRPO with its completions: our experiment's against TRL's trainer, of the same random GPT-2 on the same prompts.

    python -m benchmarks.alignment.online [--repeats 5]

The GPT-2 of benchmarks/alignment/offline.py, 4 prompts of 20 to 31 tokens with 4 completions of 32 each, float32, one thread: the
completions, their rewards (fixed numbers), advantages, the reference's log-probabilities, the loss, the backward pass, clipping
and torch's fused AdamW. TRL's side is its trainer's `_prepare_inputs` and `compute_loss`. The two draw different completions, of
equal lengths; that both compute the same from equal ones is a test (tests/alignment/test_online_against_trl.py). Memory as in
offline.py. Needs trl (the extra `peers`). Result: benchmarks/results/online.json.
"""

import argparse
import json
import sys
import tempfile
import time
from importlib.metadata import version

import torch

from benchmarks.alignment.offline import END, SIZES, as_gpt2, stepping, texts, tokenizer
from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.alignment.online import Rewarded
from practice_torch.experiments.alignment.online_recipe import OnlineRecipe

ANSWERS, NEW, PRICE = 4, 32, 0.05
RECIPE = OnlineRecipe(answers=ANSWERS, prompt=31, completion=NEW, batch_size=4, kl_coefficient=PRICE, **SIZES)


def rewards_of(count):
    """Numbers in the place of rewards: what is timed is the same whatever the completions are."""
    return [float(k * 7 % 5) for k in range(count)]


def prompts():
    return [row["prompt"] for row in texts("dpo")]


def experiment():
    """Our experiment with random weights, the same every time."""
    torch.manual_seed(0)
    # END is none of the bytes: no completion ends before its 32 tokens, but for one in thousands
    about = {"vocabulary": 256, "sha256": "", "end": END, "tokenizer": {"library": "bytes"}}
    made = Rewarded(RECIPE, Described(about))
    for parameter in made.policy.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    made.reference.load_state_dict(made.policy.state_dict())
    made.generator = torch.Generator().manual_seed(0)
    return made.train()


def ours():
    made, encoded = experiment(), [list(text.encode()) for text in prompts()]
    made.rewards = lambda rows, answers: torch.tensor(rewards_of(len(rows)))
    made.rewards.log = None
    lengths = torch.tensor(list(map(len, encoded)))
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in encoded], batch_first=True)
    columns = [json.dumps({"prompt": text}).encode() for text in prompts()]
    widest = max(map(len, columns))
    columns = torch.tensor([list(row.ljust(widest)) for row in columns], dtype=torch.uint8)
    batch = {"tokens": tokens, "length": lengths, "columns": columns}
    return stepping(made.policy.parameters(), lambda: made(batch, "update")[0])


def trls():
    """The same by TRL's trainer, of transformers' GPT-2 with the same weights."""
    import datasets
    import trl

    with tempfile.TemporaryDirectory() as folder:
        as_gpt2(experiment().policy, RECIPE).save_pretrained(folder)
        settings = trl.GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=4 * ANSWERS,
            num_generations=ANSWERS,
            max_completion_length=NEW,
            beta=PRICE,
            loss_type="grpo",
            use_bias_correction_kl=False,
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            model_init_kwargs={"dtype": "float32"},
        )
        trainer = trl.GRPOTrainer(
            model=folder,
            reward_funcs=lambda completions, **_: rewards_of(len(completions)),
            args=settings,
            train_dataset=datasets.Dataset.from_list([{"prompt": text} for text in prompts()]),
            processing_class=tokenizer(),
        )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    rows = [{"prompt": text} for text in prompts() for _ in range(ANSWERS)]

    def loss():
        inputs = trainer._prepare_inputs(rows)
        assert inputs["completion_ids"].shape == (4 * ANSWERS, NEW)
        return trainer.compute_loss(trainer.model, inputs)

    return stepping(trainer.model.parameters(), loss)


SIDES = {"ours": ours, "trl": trls}


def side(name):
    """The step of a side, after one that makes the optimizer's slots: its peak is measured in a process of its own."""
    torch.set_num_threads(1)
    step = SIDES[name]()
    step()
    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    sides = {name: make() for name, make in SIDES.items()}
    losses = {name: step() for name, step in sides.items()}
    assert all(abs(loss) < 1e-4 for loss in losses.values()), losses  # on policy the advantages of a prompt add up to nothing
    seconds = in_turns(sides, repeats=arguments.repeats, warm_up=0)
    memory = {name: peak("benchmarks.alignment.online", name, runs=1) for name in SIDES}
    code = conclude(
        "online",
        f"a step of GRPO with {4 * ANSWERS} completions of {NEW} tokens, GPT-2 of 13.8M parameters",
        seconds,
        ours="ours",
        began=began,
        unit=(4 * ANSWERS, "completions"),
        bytes=memory,
        memory=memory["ours"] / memory["trl"],
        trl=version("trl"),
        transformers=version("transformers"),
    )
    print(f"  memory: {memory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
