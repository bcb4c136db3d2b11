"""Prompts for a language model that learns from rewards, with what the reward is computed from: a modality."""

from practice_torch.data.prompts.prompts import FORMS as FORMS
from practice_torch.data.prompts.prompts import NAMES as NAMES
from practice_torch.data.prompts.prompts import blank as blank
from practice_torch.data.prompts.prompts import load as load
