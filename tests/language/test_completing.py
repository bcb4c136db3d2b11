"""Completions in a batch: those of every prompt alone, those of transformers, and their ends."""

import pytest
import torch

from practice_torch.experiments.autoregressive.transformer import LanguageRecipe, LlamaRecipe, language_decoder
from practice_torch.experiments.language.completing import ROOM, Ending, complete
from practice_torch.experiments.language.decoding import Decoding

VOCABULARY, CONTEXT = 37, 24
GPT = LanguageRecipe(context=CONTEXT, layers=2, width=12, heads=3, biases="all")
LLAMA = LlamaRecipe(context=CONTEXT, layers=2, width=16, heads=4, key_value_heads=2, feed_forward_width=20, tied=False)
GREEDY = Decoding(greedy=True)
FILTERED = Decoding(temperature=0.8, top_k=9, top_p=0.9, repetition_penalty=1.3)
LENGTHS = (3, 7, 1, 23, 12)


@pytest.fixture(scope="module", params=[GPT, LLAMA], ids=["gpt2", "llama"])
def network(request):
    """Parameters far from their beginnings, so that what it writes varies."""
    torch.manual_seed(0)
    made = language_decoder(request.param, VOCABULARY).double().eval()
    for name, parameter in made.named_parameters():
        if parameter.ndim == 2:  # tied to small embeddings, the head does not just repeat the last token
            parameter.data = (
                3
                * torch.randn_like(parameter)
                / (4 if "token" in name else 1 if "position" in name else parameter.shape[1] ** 0.5)
            )
    return made
    return made


def prompts(lengths=LENGTHS):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(VOCABULARY, (length,), generator=generator) for length in lengths]


@pytest.mark.parametrize("room", [4, ROOM])
def test_the_logits_of_a_row_are_those_of_its_prompt_alone(network, monkeypatch, room):
    """Of every step, against the forward pass over the row's own tokens; the part of the cache that is read grows with room 4."""
    monkeypatch.setattr("practice_torch.experiments.language.completing.ROOM", room)
    seen, begun = [], prompts()

    class Watching(Decoding):
        def choose_by(self, logits, tokens, uniforms):
            seen.append(logits)
            return super().choose_by(logits, tokens, uniforms)

    drawn = complete(network, begun, new_tokens=12, seeds=range(5), decoding=Watching())
    assert drawn.lengths.tolist() == [12, 12, 12, 1, 12]
    for row, (prompt, completion) in enumerate(zip(begun, drawn.rows(), strict=True)):
        with torch.no_grad():
            alone = network(torch.cat([prompt, completion])[None, :-1])[0, len(prompt) - 1 :]
        got = torch.stack([logits[row] for logits in seen[: len(completion)]])
        torch.testing.assert_close(got, alone, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("decoding", [Decoding(), GREEDY, FILTERED], ids=["law", "greedy", "filtered"])
def test_a_row_depends_on_its_prompt_and_seed_alone(network, decoding):
    """Not on the batch, not on its place there, and of the number of new tokens only by its end."""
    begun, seeds = prompts(), (5, 6, 7, 8, 9)
    how = dict(decoding=decoding, stop=(3, 4))
    drawn = complete(network, begun, new_tokens=12, seeds=seeds, **how)
    turned = complete(network, begun[::-1], new_tokens=12, seeds=seeds[::-1], **how)
    for row, (prompt, completion) in enumerate(zip(begun, drawn.rows(), strict=True)):
        alone = complete(network, [prompt], new_tokens=5, seeds=seeds[row : row + 1], **how).rows()[0]
        assert completion[:5].tolist() == alone.tolist()
        assert completion.tolist() == turned.rows()[-1 - row].tolist()


def test_seeds_make_the_difference(network):
    same = [prompts()[0]] * 3
    a, b, c = complete(network, same, new_tokens=12, seeds=(1, 2, 1)).tokens.tolist()
    assert a == c != b


def test_a_completion_ends_at_a_stop_token_at_its_length_or_with_the_context(network):
    begun = prompts((3, 7, 20, 23))
    free = complete(network, begun, new_tokens=6, decoding=GREEDY)
    assert free.endings == (Ending.LENGTH, Ending.LENGTH, Ending.CONTEXT, Ending.CONTEXT)
    assert free.lengths.tolist() == [6, 6, 4, 1] and not free.stopped.any()
    first, second = free.tokens[0, 2].item(), free.tokens[1, 3].item()
    drawn = complete(network, begun, new_tokens=6, decoding=GREEDY, stop=(first, second), fill=11)
    for row, length in zip(free.rows(), drawn.lengths.tolist(), strict=True):
        ends = [place + 1 for place, token in enumerate(row.tolist()) if token in (first, second)]
        assert length == min([*ends, len(row)])
    assert drawn.endings[:2] == (Ending.STOP, Ending.STOP) and drawn.stopped.tolist()[:2] == [True, True]
    assert bool((drawn.tokens[~drawn.mask] == 11).all())
    assert drawn.mask.sum(1).tolist() == drawn.lengths.tolist()


def test_a_completion_ends_where_until_says_so(network):
    begun, how = prompts((3, 7)), dict(new_tokens=6, seeds=(1, 2))
    free = complete(network, begun, **how).tokens.tolist()
    drawn = complete(network, begun, **how, until=lambda tokens: tokens.tolist() == free[1][:2])
    assert drawn.lengths.tolist() == [6, 2] and drawn.endings == (Ending.LENGTH, Ending.STOP)


def test_completions_may_be_trained_on(network):
    drawn = complete(network, prompts((3,)), new_tokens=4, seeds=(0,))
    network.hidden(drawn.tokens).sum().backward()
    network.zero_grad()


def test_a_compiled_step_is_one_graph_for_all_steps(network):
    """fullgraph refuses a break; each compilation is counted."""
    torch._dynamo.reset()
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return torch._dynamo.backends.debugging.aot_eager(graph, inputs)

    step = torch.compile(network.step_rows, fullgraph=True, backend=backend)
    begun = prompts((3, 7))
    drawn = complete(network, begun, new_tokens=9, seeds=(1, 2), step=step)
    assert len(compiled) == 1
    assert torch.equal(drawn.tokens, complete(network, begun, new_tokens=9, seeds=(1, 2)).tokens)


@pytest.mark.parametrize("recipe", [GPT, LLAMA], ids=["gpt2", "llama"])
def test_a_network_of_half_precision_writes_with_a_cache_of_it(recipe):
    """Its keys are not turned in that precision, and nothing is promoted on the way to the cache."""
    half = language_decoder(recipe, VOCABULARY).to(torch.bfloat16).eval()
    assert half.empty_cache(2, 5).dtype == torch.bfloat16
    assert complete(half, prompts((3, 7)), new_tokens=8, decoding=FILTERED, seeds=(1, 2)).lengths.tolist() == [8, 8]


def theirs(network):
    """transformers' model with the weights of a network, in its precision."""
    transformers = pytest.importorskip("transformers")
    ours, blocks = network.state_dict(), len(network.blocks)
    if hasattr(network, "position_embedding"):
        sizes = dict(n_positions=CONTEXT, n_embd=12, n_layer=2, n_head=3)
        gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY, **sizes)).double().eval()
        state = {"transformer.wte.weight": ours["token_embedding.weight"], "lm_head.weight": ours["token_embedding.weight"]}
        state["transformer.wpe.weight"] = ours["position_embedding.weight"]
        names = {"attention_norm": "ln_1", "query_key_value": "attn.c_attn", "output": "attn.c_proj"}
        names |= {"feed_forward_norm": "ln_2", "up": "mlp.c_fc", "down": "mlp.c_proj"}
        for end in ("weight", "bias"):
            state[f"transformer.ln_f.{end}"] = ours[f"final_norm.{end}"]
            for i in range(blocks):
                for name, path in names.items():
                    tensor = ours[f"blocks.{i}.{name}.{end}"]
                    state[f"transformer.h.{i}.{path}.{end}"] = tensor.T.contiguous() if tensor.ndim == 2 else tensor
        gpt2.load_state_dict(state)
        return gpt2
    sizes = dict(hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    how = dict(max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False)
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=VOCABULARY, **sizes, **how)).double().eval()
    state = {"model.embed_tokens.weight": ours["token_embedding.weight"], "model.norm.weight": ours["final_norm.weight"]}
    state["lm_head.weight"] = ours["head.weight"]
    for i in range(blocks):
        here, there = f"blocks.{i}.", f"model.layers.{i}."
        state[f"{there}input_layernorm.weight"] = ours[f"{here}attention_norm.weight"]
        state[f"{there}post_attention_layernorm.weight"] = ours[f"{here}feed_forward_norm.weight"]
        state |= {f"{there}mlp.{name}_proj.weight": ours[f"{here}{name}.weight"] for name in ("gate", "up", "down")}
        parts = ours[f"{here}query_key_value.weight"].split([16, 8, 8])
        state |= {f"{there}self_attn.{name}_proj.weight": part for name, part in zip("qkv", parts, strict=True)}
        state[f"{there}self_attn.o_proj.weight"] = ours[f"{here}output.weight"]
    llama.load_state_dict(state)
    return llama


def test_greedy_completions_are_those_of_transformers(network):
    """Its prompts are padded on the left. Both stop at the same tokens, and fill with the same one."""
    begun = prompts((3, 7, 1, 12))
    free = complete(network, begun, new_tokens=12, decoding=GREEDY)
    stop = [free.tokens[0, 3].item(), free.tokens[2, 5].item()]
    drawn = complete(network, begun, new_tokens=12, decoding=GREEDY, stop=stop, fill=2)
    padded = torch.stack([torch.cat([torch.full((12 - len(prompt),), 2), prompt]) for prompt in begun])
    mask = torch.stack([torch.arange(12) >= 12 - len(prompt) for prompt in begun]).long()
    how = dict(max_new_tokens=12, do_sample=False, eos_token_id=stop, pad_token_id=2)
    wanted = theirs(network).generate(padded, attention_mask=mask, **how)[:, 12:]
    assert torch.equal(drawn.tokens, wanted)
    assert {Ending.STOP, Ending.LENGTH} >= set(drawn.endings) and Ending.STOP in drawn.endings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(prompts=[]), "prompts is empty; it must have at least one"),
        (dict(prompts=[torch.ones(2, dtype=torch.int64), torch.ones(0, dtype=torch.int64)]), r"prompts\[1\] is empty"),
        (dict(prompts=[torch.ones(2)]), r"prompts\[0\] is torch.float32 \[2\]; it must be integers \[P\]"),
        (dict(prompts=[torch.ones(1, 2, dtype=torch.int64)]), r"prompts\[0\] is torch.int64 \[1, 2\]"),
        (dict(prompts=[torch.ones(CONTEXT, dtype=torch.int64)]), r"prompts\[0\] has 24 tokens; the context is 24, and"),
        (dict(prompts=[torch.tensor([3, VOCABULARY])]), r"prompts\[0\] has token 37; tokens are in 0..36"),
        (dict(prompts=[torch.tensor([-1, 2])]), r"prompts\[0\] has token -1"),
        (dict(new_tokens=0), "new_tokens is 0; it must be at least 1"),
        (dict(seeds=None), "seeds is missing"),
        (dict(seeds=(1, 2)), "seeds has 2 entries; it must have one for each prompt, 1"),
        (dict(stop=(99,)), r"stop is \(99,\); tokens are in 0..36"),
        (dict(fill=-1), r"fill is \(-1,\)"),
    ],
)
def test_what_cannot_be_completed_is_refused(network, changes, message):
    given = dict(prompts=prompts((3,)), new_tokens=2, seeds=(0,)) | changes
    with pytest.raises(ValueError, match=message):
        complete(network, given.pop("prompts"), **given)
