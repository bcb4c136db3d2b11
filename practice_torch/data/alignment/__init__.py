"""Demonstrations, preferences and judgements for language models, in the columns that TRL documents: a modality."""

from practice_torch.data.alignment.examples import FORMS as FORMS
from practice_torch.data.alignment.examples import NAMES as NAMES
from practice_torch.data.alignment.examples import blank as blank
from practice_torch.data.alignment.examples import load as load
