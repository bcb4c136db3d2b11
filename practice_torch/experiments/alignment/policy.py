"""A language model that is tuned: its network, its reference and its tokenizer, from the run of a language model.

    recipe = begin(recipe, run)                        # the fields below, filled from the run of a language model
    policy = policy_network(recipe, vocabulary)        # tokens [B, T] -> logits; low-rank adapters if recipe.adapters > 0
    reference = reference_network(recipe, vocabulary)  # a frozen copy; None with adapters, where none is needed
    take_over(recipe, policy, tokenizer, say)          # in the experiment's `start`: the weights of the run
    copy_weights(policy, reference)                    # the reference is the policy as it is now
    with as_reference(policy, reference) as network:   # the frozen copy, or the policy with its adapters off
        logits = network(tokens)

A recipe declares every field of FIELDS with the types and bounds of the recipe of experiments/alignment/offline.py: so a run is
resumed, sampled and reported without the one that it began from. Its experiment has the attributes `policy` and `tokenizer()`,
and so a tuned model begins another tuning.

Its phase moves "policy": with adapters all other weights of it are frozen, and get neither gradients nor moments.
"""

import contextlib
import dataclasses
import importlib.util
from pathlib import Path

import torch

from practice_torch.data.reading.chat_templates import read_chat_template
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import load_weights
from practice_torch.experiments.autoregressive.transformer import LanguageRecipe, LlamaRecipe, language_decoder
from practice_torch.networks.cached_decoder import CachedDecoder

FORMS = {"gpt2": LanguageRecipe, "llama": LlamaRecipe}
_OF_TRAINING = {field.name for field in dataclasses.fields(Recipe)} | {"merges", "dropout"}  # a policy has no dropout
NETWORK = tuple(
    dict.fromkeys(field.name for kind in FORMS.values() for field in dataclasses.fields(kind) if field.name not in _OF_TRAINING)
)
FIELDS = ("form", *NETWORK, "extra_rows", "adapters", "adapter_scale", "tokens", "chat_template", "start")
ADAPTED = ("query_key_value", "output", "gate", "up", "down")  # the layers of a block that get adapters


def conditions(recipe):
    """(field, whether its value is allowed, which ones are) of what FIELDS say of a network."""
    if recipe.form == "llama":
        yield "heads", recipe.width % (2 * recipe.heads) == 0, f"a divisor of half the width, {recipe.width // 2}"
        fits = recipe.heads % recipe.key_value_heads == 0
        yield "key_value_heads", fits, f"a divisor of the heads, {recipe.heads}"
    yield "heads", recipe.width % recipe.heads == 0, f"a divisor of the width, {recipe.width}"
    there = not recipe.adapters or importlib.util.find_spec("peft") is not None
    yield "adapters", there, "0 without the package peft: pip install 'diptych[peft]'"


def begin(recipe, run):
    """The recipe with form, sizes, tokens and start of the run of a language model, or of a policy.  RunError for others."""
    theirs, model = opened(run)
    fields = {name: getattr(theirs, name) for name in NETWORK if hasattr(theirs, name)}
    form = theirs.form if hasattr(theirs, "form") else next(name for name, kind in FORMS.items() if isinstance(theirs, kind))
    extra = _network(model).vocabulary_size - model.tokenizer().vocabulary_size
    fields |= {"form": form, "extra_rows": extra, "start": str(run.folder)}
    if not recipe.chat_template and read_chat_template(run.folder) is not None:
        fields["chat_template"] = str(run.folder)
    return dataclasses.replace(recipe, **fields, tokens="bytes" if _tokenizer_of(model).library == "bytes" else str(run.folder))


def opened(run, say=lambda line: None):
    """(recipe, experiment with its weights) of the run of a language model or of a policy.  RunError for others."""
    topic, name = run.asked["topic"], run.asked["recipe"]
    try:
        module = importlib.import_module("practice_torch.experiments." + topic.replace("/", "."))
        recipe = run.restored_recipe(type(module.RECIPES[name]))
    except (ImportError, KeyError):
        raise RunError(f"{run.folder} is a run of {topic} {name}, which does not exist here") from None
    if not (isinstance(recipe, tuple(FORMS.values())) or all(hasattr(recipe, field) for field in FIELDS)):
        raise RunError(f"{run.folder} is a run of {topic} {name}; tuning begins from a transformer of tokens, or a tuned one")
    experiment = module.build(recipe, Described(run.asked["data"]))
    load_weights(run, recipe, experiment, say)
    return recipe, experiment


def tokenizer_of_run(folder):
    """The tokenizer of the run of a language model or of a policy, as a PreparedTokenizer; None if the folder is no run."""
    if not (Path(folder).expanduser() / "recipe.json").is_file():
        return None
    return _tokenizer_of(opened(Run.open(folder))[1])


def policy_network(recipe, vocabulary):
    """The network of a recipe's form and sizes, with adapters if it has a rank of them; vocabulary: of the tokenizer."""
    kind = FORMS[recipe.form]
    names = [field.name for field in dataclasses.fields(kind) if field.name in NETWORK]
    network = language_decoder(kind(**{name: getattr(recipe, name) for name in names}), vocabulary + recipe.extra_rows)
    return _adapted(network, recipe) if recipe.adapters else network


def reference_network(recipe, vocabulary):
    """A frozen network like the policy's; None with adapters: the policy without them is the reference."""
    if recipe.adapters:
        return None
    return policy_network(recipe, vocabulary).requires_grad_(False)


def take_over(recipe, policy, tokenizer, say):
    """Load the weights of the run that the recipe names as its start, if it names one.

    OptionError where form, sizes or tokens of the two differ.
    """
    if not recipe.start:
        return
    run = Run.open(recipe.start)
    theirs, model = opened(run, say)
    wanted = begin(recipe, run)
    if spelled(model.tokenizer()) != spelled(tokenizer):
        raise OptionError(f"tokens is {recipe.tokens!r}, and {run.folder} has others: leave --tokens to the run, or name its own")
    for name in ("form", *NETWORK, "extra_rows"):
        here, there = getattr(recipe, name), getattr(wanted, name)
        if here != there:
            raise OptionError(f"{name} is {here}, and {there} in {run.folder}, where the policy begins: give both the same")
    load_plain(policy, plain_weights(_network(model)))


def copy_weights(policy, reference):
    """The reference is the policy as it is now; with adapters, which begin as no change, nothing is to be done."""
    if reference is not None:
        reference.load_state_dict(policy.state_dict())


@contextlib.contextmanager
def as_reference(policy, reference):
    """The network of the reference: the frozen copy, or inside the context the policy with its adapters off. No gradients."""
    with torch.no_grad():
        if reference is not None:
            yield reference
            return
        layers = [layer for layer in policy.modules() if hasattr(layer, "disable_adapters")]
        if not layers:
            raise ValueError("reference is None, and the policy has no adapters to switch off")
        for layer in layers:
            layer._disable_adapters = True  # enable_adapters(False) would also stop their gradients
        try:
            yield policy
        finally:
            for layer in layers:
                layer._disable_adapters = False


def plain_weights(network):
    """Its weights {name: tensor} under the names of a network without adapters; these are added to what they adapt."""
    found, scales = {}, {name: layer.scaling["default"] for name, layer in network.named_modules() if hasattr(layer, "lora_A")}
    state = network.state_dict()
    for name, tensor in state.items():
        if ".lora_" in name:
            continue
        owner, _, leaf = name.rpartition(".base_layer.")
        if owner in scales and leaf == "weight":
            up, down = state[f"{owner}.lora_B.default.weight"], state[f"{owner}.lora_A.default.weight"]
            tensor = tensor + scales[owner] * (up @ down)
        found[name.replace(".base_layer.", ".")] = tensor
    return found


def load_plain(network, weights):
    """Load weights {name: tensor} of a network without adapters; the network's own adapters stay as they are.

    A network without a head, as a reward model's is, leaves theirs out.
    """
    if network.head is None:
        weights = {name: tensor for name, tensor in weights.items() if name != "head.weight"}
    names = {name.replace(".base_layer.", "."): name for name in network.state_dict() if ".lora_" not in name}
    missing = network.load_state_dict({names[name]: tensor for name, tensor in weights.items()}, strict=False).missing_keys
    if wrong := [name for name in missing if ".lora_" not in name]:
        raise OptionError(f"start has no {wrong[0]}, which the policy needs: a reward model begins none; name a language model")


def _adapted(network, recipe):
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        found = f"adapters is {recipe.adapters}, which needs peft"
        raise OptionError(f"{found}: pip install 'diptych[peft]', or leave --adapters at 0") from None
    how = dict(r=recipe.adapters, lora_alpha=recipe.adapter_scale, lora_dropout=0.0, bias="none")
    return inject_adapter_in_model(LoraConfig(target_modules=list(ADAPTED), **how), network)


def _network(model):
    """The network of an opened experiment."""
    network = model.policy if hasattr(model, "policy") else model.network
    if not isinstance(network, CachedDecoder):
        raise RunError(f"its network is a {type(network).__name__}; tuning begins from a transformer of tokens")
    return network


def _tokenizer_of(model):
    """The tokenizer of an opened experiment, as a PreparedTokenizer."""
    if model.library == "bytes" or model.library is None and not model.get_buffer(model.kept).numel():
        return PreparedTokenizer("bytes", None)
    content = spelled(model.tokenizer())
    return PreparedTokenizer(model.library or "diptych", content.encode() if isinstance(content, str) else content)


def spelled(tokenizer):
    """The content of a tokenizer's file: equal of those that give equal tokens."""
    content = tokenizer.content
    return content() if callable(content) else content
