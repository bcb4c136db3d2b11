"""The network's own cache against the formulas, generation against the full forward, and GPT-2's cache."""

import pytest
import torch

from practice_torch.autoregressive.kv_cache import cached_decoder_step, left_padded_positions
from practice_torch.experiments.language.generation import generate
from practice_torch.networks.decoder_transformer import DecoderTransformer

BATCH, CONTEXT, VOCABULARY = 3, 8, 11
TOKENS = torch.randint(VOCABULARY, (BATCH, CONTEXT), generator=torch.Generator().manual_seed(1))


def decoder():
    torch.manual_seed(0)
    network = DecoderTransformer(vocabulary_size=VOCABULARY, context_length=CONTEXT, width=12, layers=2, heads=3).double()
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return network


@pytest.mark.parametrize("chunks", [(8,), (1,) * 8, (3, 1, 4), (5, 3)], ids=str)
def test_the_networks_cache_is_that_of_the_formulas(chunks):
    """Logits after every chunk, and the keys and values in the end."""
    network = decoder()
    cache, position = network.empty_cache(BATCH), 0
    keys, values = torch.zeros(2, 2, BATCH, 3, CONTEXT, 4, dtype=torch.float64)
    with torch.no_grad():
        for size in chunks:
            chunk = TOKENS[:, position : position + size]
            logits, (keys, values) = cached_decoder_step(
                chunk, keys, values, network.parameters_by_name(), heads=3, position=position
            )
            torch.testing.assert_close(network.step(chunk, cache, position), logits[:, -1], rtol=1e-11, atol=1e-12)
            position += size
    torch.testing.assert_close(cache.transpose(0, 1), torch.stack([keys, values]), rtol=1e-11, atol=1e-12)


def test_tokens_that_are_taken_back_leave_nothing():
    """Logits after each token, before and after other tokens replace the last ones."""
    network = decoder()
    with torch.no_grad():
        wanted, cache = network(TOKENS), network.empty_cache(BATCH)
        torch.testing.assert_close(network.step_each(TOKENS[:, :4], cache, 0), wanted[:, :4], rtol=1e-11, atol=1e-12)
        network.step_each(TOKENS.flip(0)[:, 4:], cache, 4)
        torch.testing.assert_close(network.step_each(TOKENS[:, 4:], cache, 4), wanted[:, 4:], rtol=1e-11, atol=1e-12)


def test_the_cache_has_the_precision_of_the_products():
    """Keys and values are made in bfloat16 under autocast, and kept so: float32 would hold the same values."""
    network = decoder().float()
    assert network.empty_cache(1).dtype == torch.float32
    tokens = TOKENS[:, :3]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        cache = network.empty_cache(BATCH)
        assert cache.dtype == torch.bfloat16
        logits = [network.step(tokens, kept, 0) for kept in (cache, cache.float())]
        more = [network.step(tokens[:, :1], kept, 3) for kept in (cache, cache.float())]
    assert torch.equal(*logits) and torch.equal(*more)


def test_beyond_the_context_there_is_no_step():
    network = decoder()
    with pytest.raises(ValueError, match="position is 7 and 2 tokens follow; the context is 8"):
        network.step(TOKENS[:, :2], network.empty_cache(BATCH), 7)


@pytest.mark.parametrize("known", [1, 3, 8])
def test_generation_gives_every_token_half_a_context_or_more(known):
    """Each logit is the full forward's over the window that the docstring promises; the tokens chosen are those written."""
    network, windows = decoder().eval(), []

    def choose(logits, tokens):
        end = tokens.shape[1]
        # The window begins at 0 until the context is full, and then anew at its later half.
        start = 0
        while end - start > CONTEXT:
            start = start + CONTEXT + 1 - CONTEXT // 2
        windows.append(end - start)
        torch.testing.assert_close(logits, network(tokens[:, start:])[:, -1], rtol=1e-10, atol=1e-11)
        return logits.argmax(-1)

    written = generate(network, TOKENS[:, :known], 20, choose)
    assert written.shape == (BATCH, known + 20)
    assert torch.equal(written[:, :known], TOKENS[:, :known])
    assert min(windows[CONTEXT:]) >= CONTEXT // 2
    assert max(windows) == CONTEXT


def test_a_prompt_longer_than_the_context_is_read_from_its_end():
    network = decoder().eval()
    long = TOKENS.repeat(1, 3)
    seen = []
    generate(network, long, 1, lambda logits, tokens: seen.append(logits) or logits.argmax(-1))
    torch.testing.assert_close(seen[0], network(long[:, -CONTEXT // 2 :])[:, -1], rtol=1e-10, atol=1e-11)


def test_positions_are_those_that_transformers_gives_to_left_padding():
    """transformers counts real tokens alike, but gives padding a 1; what padding is given does not matter, as it is masked."""
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
    theirs = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
    assert torch.equal(left_padded_positions(mask)[mask == 1], theirs[mask == 1])


def test_the_caches_are_gpt2s():
    """transformers' GPT-2 with past_key_values, three tokens and then one: logits, keys and values."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    gpt2 = (
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=VOCABULARY,
                n_positions=CONTEXT,
                n_embd=12,
                n_layer=2,
                n_head=3,
                attn_pdrop=0,
                embd_pdrop=0,
                resid_pdrop=0,
                initializer_range=0.4,
                attn_implementation="eager",
            )
        )
        .double()
        .eval()
    )
    state, blocks = gpt2.state_dict(), []
    for i in range(2):
        h = f"transformer.h.{i}."
        query, key, value = state[h + "attn.c_attn.weight"].T.chunk(3)
        blocks.append(
            dict(
                attention_norm_weight=state[h + "ln_1.weight"],
                attention_norm_bias=state[h + "ln_1.bias"],
                query_weight=query,
                key_weight=key,
                value_weight=value,
                output_weight=state[h + "attn.c_proj.weight"].T,
                feed_forward_norm_weight=state[h + "ln_2.weight"],
                feed_forward_norm_bias=state[h + "ln_2.bias"],
                up_weight=state[h + "mlp.c_fc.weight"].T,
                up_bias=state[h + "mlp.c_fc.bias"],
                down_weight=state[h + "mlp.c_proj.weight"].T,
                down_bias=state[h + "mlp.c_proj.bias"],
            )
        )
    parameters = dict(
        token_embedding=state["transformer.wte.weight"],
        position_embedding=state["transformer.wpe.weight"],
        blocks=tuple(blocks),
        final_norm_weight=state["transformer.ln_f.weight"],
        final_norm_bias=state["transformer.ln_f.bias"],
    )
    keys, values = torch.zeros(2, 2, BATCH, 3, CONTEXT, 4, dtype=torch.float64)
    with torch.no_grad():
        first = gpt2(TOKENS[:, :3], use_cache=True)
        second = gpt2(TOKENS[:, 3:4], past_key_values=first.past_key_values, use_cache=True)
    logits, (keys, values) = cached_decoder_step(TOKENS[:, :3], keys, values, parameters, heads=3, position=0)
    torch.testing.assert_close(logits, first.logits, rtol=1e-10, atol=1e-10)
    logits, (keys, values) = cached_decoder_step(TOKENS[:, 3:4], keys, values, parameters, heads=3, position=3)
    torch.testing.assert_close(logits, second.logits, rtol=1e-10, atol=1e-10)
    for layer, theirs in enumerate(second.past_key_values.layers):
        torch.testing.assert_close(keys[layer, :, :, :4], theirs.keys, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(values[layer, :, :, :4], theirs.values, rtol=1e-10, atol=1e-10)
