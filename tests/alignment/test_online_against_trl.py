"""PPO's kin as TRL has them: the same random Llama, completions and rewards, twenty updates by each.

TRL generates nothing here: both learn from completions that are drawn in advance. Our losses are applied to the same network of
transformers, so that what differs is the algorithm alone.
"""

import pytest
import torch

from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.experiments.alignment.online_recipe import OnlineRecipe
from practice_torch.experiments.alignment.rollouts import Drawn, measured, update_loss

pytestmark = pytest.mark.peers("trl", "datasets", "tokenizers", "transformers")

PAD, END, LETTERS, STEPS, ANSWERS, LONGEST = 0, 1, 18, 20, 4, 6
PROMPTS = ("abc", "de", "fghij", "ka")
# TRL multiplies the divergence by the ratio unless use_bias_correction_kl is False (trl 1.16, grpo_config.py:972,
# grpo_trainer.py:3104): its value is then the same on policy, its gradient is not.
CASES = {
    "GRPO": (
        dict(loss_type="grpo", beta=0.05, use_bias_correction_kl=False, num_iterations=2),
        dict(estimator="group", kl_coefficient=0.05),
    ),
    "GRPO by default": (dict(loss_type="grpo", beta=0.05), dict(estimator="group", kl_coefficient=0.05, kl_ratio=True)),
    "DAPO": (
        dict(loss_type="dapo", beta=0.0, epsilon_high=0.28),
        dict(estimator="group", kl_coefficient=0.0, clip_high=0.28, aggregation="token_mean"),
    ),
    "Dr. GRPO": (
        dict(loss_type="dr_grpo", beta=0.0, scale_rewards="none"),
        dict(estimator="group", kl_coefficient=0.0, aggregation="constant", standardize=False),
    ),
    "GSPO": (
        dict(loss_type="grpo", beta=0.0, importance_sampling_level="sequence", epsilon=3e-4, num_iterations=2),
        dict(estimator="group", kl_coefficient=0.0, ratio="sequence_mean", clip=3e-4),
    ),
    "RLOO": (
        dict(beta=0.05, num_iterations=2),
        dict(estimator="leave_one_out", kl_coefficient=0.05, ratio="sequence", standardize=False),
    ),
}


class OfTransformers:
    """A network of transformers with the methods that rollouts need."""

    token_embedding, vocabulary_size = None, LETTERS + 2

    def __init__(self, network):
        self.network, self.head = network, network.lm_head

    def hidden(self, tokens):
        return self.network.model(input_ids=tokens).last_hidden_state


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """(folder of a random Llama, its tokenizer of letters)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = {"<pad>": PAD, "<eos>": END} | {chr(ord("a") + k): k + 2 for k in range(LETTERS)}
    letters = Tokenizer(models.WordLevel(known, unk_token="<pad>"))
    letters.pre_tokenizer, letters.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, pad_token="<pad>", eos_token="<eos>")
    torch.manual_seed(0)
    sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, initializer_range=0.2)
    special = dict(pad_token_id=PAD, eos_token_id=END, bos_token_id=END)
    network = LlamaForCausalLM(LlamaConfig(vocab_size=LETTERS + 2, max_position_embeddings=64, **sizes, **special))
    folder = tmp_path_factory.mktemp("llama")
    network.save_pretrained(folder)
    return folder, tokenizer


def answers(count, seed):
    """Completions of random lengths, the shorter ones with an end."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        length = int(torch.randint(2, LONGEST + 1, (), generator=generator))
        drawn = torch.randint(2, LETTERS + 2, (length,), generator=generator).tolist()
        yield drawn if length == LONGEST else [*drawn[:-1], END]


def rewards_of(completions):
    return [text.count("a") - 0.5 * text.count("b") + 0.1 * len(text) for text in completions]


def by_trl(llama, options, rounds, folder, monkeypatch):
    """(what TRL logs at each step, the tokens of the prompts of every round, the final weights)."""
    import datasets
    import trl

    path, tokenizer = llama
    kind = "GRPO" if "loss_type" in options else "RLOO"
    Trainer, Config = getattr(trl, f"{kind}Trainer"), getattr(trl, f"{kind}Config")

    def generated(self, prompts, *_):
        rounds.append([(prompt, answer) for prompt, answer in zip(prompts, answers(len(prompts), len(rounds)), strict=True)])
        found = [answer for _, answer in rounds[-1]]
        return (found, None) if kind == "GRPO" else found

    monkeypatch.setattr(Trainer, "_generate_single_turn", generated)
    config = Config(
        output_dir=str(folder),
        per_device_train_batch_size=2 * ANSWERS,
        num_generations=ANSWERS,
        max_completion_length=LONGEST,
        max_steps=STEPS,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_grad_norm=0.0,
        weight_decay=0.0,
        disable_tqdm=True,
        model_init_kwargs={"dtype": "float32"},
        **options,
    )
    data = datasets.Dataset.from_dict({"prompt": list(PROMPTS) * 8})
    trainer = Trainer(
        model=str(path),
        reward_funcs=lambda completions, **_: rewards_of(completions),
        args=config,
        train_dataset=data,
        processing_class=tokenizer,
    )
    for network in (trainer.model, trainer.ref_model):
        network is None or network.double()
    trainer.train()
    logs = [row for row in trainer.state.log_history if "loss" in row]
    return logs, {name: p.detach() for name, p in trainer.model.named_parameters()}


def by_ours(llama, terms, rounds, passes):
    """(our loss and logs at each step, the final weights)."""
    from transformers import LlamaForCausalLM

    path, tokenizer = llama
    policy, reference = (LlamaForCausalLM.from_pretrained(path, dtype=torch.float32).double() for _ in range(2))
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3, weight_decay=0.0)
    price, alone, logs = torch.tensor(terms.kl_coefficient), WholeBatch(), []
    networks = OfTransformers(policy), OfTransformers(reference)
    for rows in rounds[: STEPS // passes]:
        drawn = drawn_of(rows)
        texts = tokenizer.batch_decode([answer for _, answer in rows], skip_special_tokens=True)
        round_, of_round = measured(
            terms, *networks, None, drawn, torch.tensor(rewards_of(texts), dtype=torch.float64), price, alone
        )
        for _ in range(passes):
            loss, found = update_loss(terms, networks[0], None, round_, price, alone)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            logs.append({"loss": loss.item()} | {k: v.item() for k, v in (of_round | found).items()})
    return logs, dict(policy.named_parameters())


def drawn_of(rows):
    tokens = torch.zeros(len(rows), max(len(prompt) + len(answer) for prompt, answer in rows), dtype=torch.int64)
    mask = torch.zeros(len(rows), max(len(answer) for _, answer in rows), dtype=torch.bool)
    for place, (prompt, answer) in enumerate(rows):
        tokens[place, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        mask[place, : len(answer)] = True
    return Drawn(tokens, torch.tensor([len(prompt) for prompt, _ in rows]), mask)


@pytest.mark.parametrize("name", CASES)
def test_twenty_updates_are_those_of_trl(llama, name, tmp_path, monkeypatch):
    options, ours = CASES[name]
    rounds, passes = [], options.get("num_iterations", 1)
    theirs, weights = by_trl(llama, options, rounds, tmp_path, monkeypatch)
    terms = OnlineRecipe(answers=ANSWERS, completion=LONGEST, **ours)
    logs, our_weights = by_ours(llama, terms, rounds, passes)
    assert len(logs) == len(theirs) == STEPS
    clipped = 0.0
    for mine, other in zip(logs, theirs, strict=True):
        names = {"loss": "loss", "score": "reward", "length": "completions/mean_length", "clipped": "clip_ratio/region_mean"}
        for name, there in names.items():
            if there in other:  # TRL logs rewards and lengths in the steps in which it generates
                assert mine[name] == pytest.approx(other[there], rel=1e-5, abs=1e-6), (name, other["step"])
        clipped += mine["clipped"]
    assert clipped > 0 or passes == 1
    for key, weight in weights.items():
        torch.testing.assert_close(our_weights[key], weight, rtol=0.0, atol=2e-6)
