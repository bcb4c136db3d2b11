"""Mistakes planted into the networks of autoregressive/recurrent, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.autoregressive import recurrent
from tests.support.planted_networks import BEGINS, FUTURE, OTHERS, mean_of_the_batch


def forget_bias_of_zero(patch):
    """A layer begins with biases of zero for all gates."""
    plain = recurrent.LSTM.__init__

    def begin(self, inputs, hidden):
        plain(self, inputs, hidden)
        nn.init.zeros_(self.input.bias)

    patch.setattr(recurrent.LSTM, "__init__", begin)


def reads_backwards(patch):
    """Every layer begins at the end of the text."""
    plain = recurrent.lstm_sequence

    def turned(x, *given):
        outputs, *state = plain(x.flip(1), *given)
        return outputs.flip(1), *state

    patch.setattr(recurrent, "lstm_sequence", turned)


def forgets_between_steps(patch):
    """A step returns the state that it was given."""
    plain = recurrent.CharacterLSTM.step
    patch.setattr(recurrent.CharacterLSTM, "step", lambda self, tokens, states: (plain(self, tokens, states)[0], states))


MISTAKES = {
    "CharacterLSTM": {
        "the future is read": (reads_backwards, FUTURE),
        "steps without a memory": (forgets_between_steps, "one token after the other"),
        "no forget bias": (forget_bias_of_zero, BEGINS),
        "the batch mixes": (mean_of_the_batch(recurrent.LSTM), OTHERS),
    }
}
