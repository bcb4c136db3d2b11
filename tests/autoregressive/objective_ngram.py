"""The experiment of autoregressive/ngram counts; none of its phases minimizes a loss."""

from tests.support.objectives import Objective

OBJECTIVE = Objective(None, unread={"passage"})
