"""Offline alignment as TRL has it: the same random GPT-2 or Llama, batches and options, twenty steps by each.

What is compared: every loss, the metrics that TRL logs, and the weights in the end. Both run in float32 on a CPU, and sum in
different orders.
"""

import pytest
import torch

from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.optimizers import make_player
from practice_torch.experiments.alignment.offline import AlignmentRecipe, build

pytestmark = pytest.mark.peers("trl", "datasets", "tokenizers", "transformers")

PAD, END, LETTERS, STEPS, BATCH, CONTEXT = 0, 1, 18, 20, 4, 24
SIZES = dict(context=CONTEXT, layers=2, width=16, heads=2)
FORMS = {
    "gpt2": dict(form="gpt2", biases="all"),
    "llama": dict(form="llama", key_value_heads=1, feed_forward_width=32, tied=False),
}
TRAINING = dict(steps=STEPS, batch_size=BATCH, learning_rate=1e-3, clip_norm=1.0, target=None)
# our options, the trainer of TRL and its options
METHODS = {
    "supervised": (dict(metric="nats_per_token", direction="lower"), "SFT", dict(completion_only_loss=True)),
    "reward": (dict(center_coefficient=0.01), "Reward", dict(center_rewards_coefficient=0.01)),
    "dpo": ({}, "DPO", dict(beta=0.1)),
    "robust": (dict(flip_probability=0.2), "DPO", dict(beta=0.1, loss_type=["robust"], label_smoothing=0.2)),
    "ipo": ({}, "DPO", dict(beta=0.1, loss_type=["ipo"])),
    "hinge": ({}, "DPO", dict(beta=0.1, loss_type=["hinge"])),
    "kto": (dict(undesirable_weight=0.75), "KTO", dict(beta=0.1, undesirable_weight=0.75)),
    "simpo": ({}, "CPO", dict(beta=2.0, loss_type="simpo", simpo_gamma=1.0, cpo_alpha=0.0, max_length=CONTEXT)),
    "orpo": ({}, "ORPO", dict(beta=0.1, max_length=CONTEXT)),
}
DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")  # which TRL's supervised trainer keeps, and its others switch off
CASES = [(form, method) for form in FORMS for method in METHODS]
# TRL's name -> ours; a tie counts half here and nothing there (dpo_trainer.py: chosen_rewards > rejected_rewards)
LOGS = {
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "log_prob_chosen",
    "logps/rejected": "log_prob_rejected",
    "kl": "divergence",
    "accuracy": "accuracy",
    "margin": "margin",
}


def rows_of(method):
    """Texts of letters: (prompt, completions, label). Of ORPO, where TRL's loss of the chosen one also has the prompt, and is a
    mean over the tokens of a batch (orpo_trainer.py: concatenated_forward), a prompt has one letter and all lengths are equal.
    """
    generator, orpo = torch.Generator().manual_seed(1), method == "orpo"
    for number in range(STEPS * BATCH):
        sizes = (1, 6, 6) if orpo else torch.randint(2, 9, (3,), generator=generator).tolist()
        texts = ["".join(chr(97 + k) for k in torch.randint(LETTERS, (n,), generator=generator).tolist()) for n in sizes]
        yield texts[0], texts[1:] if method not in ("supervised", "kto") else texts[1:2], number % 3 > 0


def by_trl(form, method, rows, network, folder):
    """(what TRL logs at each step, the final weights)."""
    import datasets
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl.experimental import cpo, orpo

    known = {"<pad>": PAD, "<eos>": END} | {chr(97 + k): k + 2 for k in range(LETTERS)}
    letters = Tokenizer(models.WordLevel(known, unk_token="<pad>"))
    letters.pre_tokenizer, letters.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, pad_token="<pad>", eos_token="<eos>")
    _, kind, options = METHODS[method]
    home = {"CPO": cpo, "ORPO": orpo}.get(kind, trl)
    Trainer, Config = getattr(home, f"{kind}Trainer"), getattr(home, f"{kind}Config")
    if method == "supervised":
        content = [{"prompt": prompt, "completion": texts[0]} for prompt, texts, _ in rows]
    elif method == "kto":
        content = [{"prompt": prompt, "completion": texts[0], "label": label} for prompt, texts, label in rows]
    else:
        content = [{"prompt": prompt, "chosen": texts[0], "rejected": texts[1]} for prompt, texts, _ in rows]
    if method == "reward":  # TRL's reads whole texts
        content = [{name: row["prompt"] + row[name] for name in ("chosen", "rejected")} for row in content]
    config = Config(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        max_steps=STEPS,
        learning_rate=TRAINING["learning_rate"],
        lr_scheduler_type="constant",
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=TRAINING["clip_norm"],
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        dataloader_num_workers=0,
        disable_tqdm=True,
        **options,
    )
    network.save_pretrained(folder)
    trainer = Trainer(
        model=type(network).from_pretrained(folder),  # where a reference is loaded, too
        args=config,
        train_dataset=datasets.Dataset.from_list(content),
        processing_class=tokenizer,
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    return logged, {name: value.detach() for name, value in trainer.model.state_dict().items()}


def theirs_of(experiment, recipe):
    """The network of transformers with the weights of ours."""
    from transformers import (
        GPT2Config,
        GPT2ForSequenceClassification,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        LlamaForSequenceClassification,
    )

    special = dict(vocab_size=LETTERS + 2, pad_token_id=PAD, eos_token_id=END, bos_token_id=END, num_labels=1)
    if recipe.form == "gpt2":
        config = GPT2Config(n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2, **special, **dict.fromkeys(DROPOUTS, 0.0))
        network = (GPT2ForSequenceClassification if experiment.head is not None else GPT2LMHeadModel)(config)
    else:
        sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
        sizes |= dict(max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=False)
        kind = LlamaForSequenceClassification if experiment.head is not None else LlamaForCausalLM
        network = kind(LlamaConfig(**sizes, **special))
    ours = layout(experiment, recipe)
    wanted = network.state_dict()
    assert ours.keys() == wanted.keys(), ours.keys() ^ wanted.keys()
    network.load_state_dict(ours)
    return network


def layout(experiment, recipe):
    """The weights of ours under the names of transformers."""
    state = {name: value.detach().clone() for name, value in experiment.policy.state_dict().items()}
    found = {}
    if recipe.form == "gpt2":
        names = {"attention_norm": "ln_1", "query_key_value": "attn.c_attn", "output": "attn.c_proj", "feed_forward_norm": "ln_2"}
        names |= {"up": "mlp.c_fc", "down": "mlp.c_proj"}
        for name, value in state.items():
            if name.startswith("blocks."):
                _, block, layer, leaf = name.split(".")
                found[f"transformer.h.{block}.{names[layer]}.{leaf}"] = value.T if value.ndim == 2 else value
        found["transformer.wte.weight"] = state["token_embedding.weight"]
        found["transformer.wpe.weight"] = state["position_embedding.weight"]
        found |= {f"transformer.ln_f.{leaf}": state[f"final_norm.{leaf}"] for leaf in ("weight", "bias")}
        if experiment.head is None:
            found["lm_head.weight"] = found["transformer.wte.weight"]
    else:
        names = {
            "attention_norm": "input_layernorm",
            "output": "self_attn.o_proj",
            "feed_forward_norm": "post_attention_layernorm",
        }
        names |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
        for name, value in state.items():
            if name.startswith("blocks."):
                _, block, layer, leaf = name.split(".")
                if layer == "query_key_value":
                    parts = zip("qkv", value.split([16, 8, 8]), strict=True)
                    found |= {f"model.layers.{block}.self_attn.{part}_proj.weight": rows for part, rows in parts}
                else:
                    found[f"model.layers.{block}.{names[layer]}.{leaf}"] = value
        found |= {"model.embed_tokens.weight": state["token_embedding.weight"], "model.norm.weight": state["final_norm.weight"]}
        if experiment.head is None:
            found["lm_head.weight"] = state["head.weight"]
    return found | ({} if experiment.head is None else {"score.weight": experiment.head.weight.detach().clone()})


def batch_of(rows):
    """The rows as a batch, with an end behind every completion."""
    encode = lambda text: [ord(letter) - 97 + 2 for letter in text]  # noqa: E731
    texts = [[encode(prompt + text) + [END] for text in completions] for prompt, completions, _ in rows]
    tokens = torch.zeros(len(rows), len(texts[0]), CONTEXT, dtype=torch.int64)
    for row, pair in enumerate(texts):
        for column, text in enumerate(pair):
            tokens[row, column, : len(text)] = torch.tensor(text)
    lengths = torch.tensor([[len(text) for text in pair] for pair in texts])
    prompts = torch.tensor([len(prompt) for prompt, _, _ in rows])
    label, margin = torch.tensor([label for *_, label in rows]), torch.zeros(len(rows))
    return {"tokens": tokens, "prompt": prompts, "length": lengths, "label": label, "margin": margin}


def by_us(experiment, recipe, rows):
    """(loss and logs of each step, the final weights)."""
    (phase,) = experiment.phases
    player, found = make_player(experiment, phase, recipe), []
    for step in range(STEPS):
        loss, logs = experiment(batch_of(rows[BATCH * step : BATCH * (step + 1)]), "train")
        player.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(player.parameters.values(), recipe.clip_norm)
        player.optimizer.step()
        found.append({"loss": loss.item()} | {name: value.item() for name, value in logs.items()})
    return found, layout(experiment, recipe)


@pytest.mark.parametrize(("form", "method"), CASES)
def test_twenty_steps_are_those_of_trl(form, method, tmp_path):
    torch.manual_seed(0)
    recipe = AlignmentRecipe(method=method, **FORMS[form], **SIZES, **TRAINING, **METHODS[method][0])
    about = {"vocabulary": LETTERS + 2, "tokenizer": {"library": "bytes"}}
    experiment = build(recipe, Described(about))
    for parameter in experiment.policy.parameters():
        torch.nn.init.normal_(parameter, std=0.2) if parameter.ndim == 2 else None
    experiment.start({})  # the reference is the policy
    experiment.train()
    rows = list(rows_of(method))
    logged, weights = by_trl(form, method, rows, theirs_of(experiment, recipe), tmp_path)
    ours, our_weights = by_us(experiment, recipe, rows)
    assert len(logged) == len(ours) == STEPS
    compared = {"loss"}
    for theirs, mine in zip(logged, ours, strict=True):
        # of the mean over a batch, as both are; TRL rounds what it logs to nothing
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=2e-5, abs=2e-6)
        for name, here in LOGS.items():
            averaged = name.startswith("logps") and method in ("simpo", "orpo")  # cpo_trainer.py, get_batch_logps: means there
            if name in theirs and here in mine and not averaged and not _ties(name, theirs, mine[here]):
                assert mine[here] == pytest.approx(theirs[name], rel=2e-4, abs=2e-5), name
                compared.add(here)
    assert compared >= {"loss"} | ({"reward_chosen", "margin"} if method not in ("supervised", "reward") else set())
    assert our_weights.keys() == weights.keys()
    for name, tensor in weights.items():
        if name.endswith(
            "c_attn.bias"
        ):  # no softmax depends on the keys' bias: its gradient is a rounding, of which Adam makes steps
            tensor, our_weights[name] = (torch.cat([whole[:16], whole[32:]]) for whole in (tensor, our_weights[name]))
        torch.testing.assert_close(our_weights[name], tensor, rtol=0, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}")


def _ties(name, theirs, mine):
    """Whether an accuracy is of rewards that are equal, as all are at the first step of a method with a reference."""
    return "accura" in name and theirs.get("rewards/margins") == 0.0 and mine == 0.5
