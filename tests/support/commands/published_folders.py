"""Folders of models as Hugging Face's libraries write them, at random weights and of tiny sizes."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = "A tale of two tables, told by a \u201ccable\u201d: the tail of a fable.\n\n" * 60
END = "<|endoftext|>"


def tokenizer():
    """A byte-level tokenizer of 300 tokens, learned from TEXT."""
    found = Tokenizer(models.BPE())
    found.pre_tokenizer, found.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    how = trainers.BpeTrainer(vocab_size=300, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    found.train_from_iterator([TEXT], how)
    return PreTrainedTokenizerFast(tokenizer_object=found, bos_token=END, eos_token=END)


def gpt2(folder):
    """A GPT-2 with its tokenizer."""
    torch.manual_seed(0)
    sizes = GPT2Config(vocab_size=300, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    return _saved(GPT2LMHeadModel(sizes), folder)


def llama(folder):
    """A Llama in bfloat16 with three tokens more than the tokenizer knows."""
    torch.manual_seed(1)
    sizes = LlamaConfig(
        vocab_size=303,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _saved(LlamaForCausalLM(sizes).to(torch.bfloat16), folder)


def _saved(model, folder):
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
