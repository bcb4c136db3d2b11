"""A tuned language model in the layout of the model that it is, for `export`: adapters are added to what they adapt."""

import dataclasses

from practice_torch.engine.storage.pretrained import Published
from practice_torch.experiments.alignment.policy import FORMS, NETWORK, plain_weights
from practice_torch.experiments.autoregressive.transformer import PRETRAINED
from practice_torch.experiments.language.tokens import text_end


def as_language_model(recipe, experiment, description):
    """The Published form of an experiment's policy; description: of its run's data. None where there is no policy that writes."""
    if not hasattr(recipe, "form") or getattr(experiment, "head", None) is not None:
        return None
    kind = FORMS[recipe.form]
    names = [field.name for field in dataclasses.fields(kind) if field.name in NETWORK]
    language = kind(**{name: getattr(recipe, name) for name in names})
    entry = dataclasses.replace(PRETRAINED[recipe.form], network="policy")
    number, name = text_end(experiment.tokenizer())
    about = description["tokenizer"] | {"end": number} | ({"end_of_text": name} if name else {})
    known = description | {"vocabulary": description["vocabulary"] + recipe.extra_rows, "tokenizer": about}
    return Published(entry, language, known, plain_weights(experiment.policy))
