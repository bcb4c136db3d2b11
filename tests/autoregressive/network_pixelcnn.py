"""Mistakes planted into the networks of autoregressive/pixelcnn, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.autoregressive import pixelcnn
from tests.support.planted_networks import BEGINS, EVALUATED, OTHERS, always_in_training, mean_of_the_batch, put


def type_b_everywhere(patch):
    """The first layers see the pixel itself, too."""
    for name in ("vertical_convolution", "horizontal_convolution"):
        plain = getattr(pixelcnn, name)
        patch.setattr(pixelcnn, name, lambda *given, mask_type, plain=plain: plain(*given, mask_type="B"))


def without_the_row(self, above, before, label):
    """A layer's horizontal stack forgets what it had."""
    condition = self.conditioned(label)
    seen_above = pixelcnn.vertical_convolution(above, self.vertical.weight, self.vertical.bias, mask_type="B")
    seen = pixelcnn.horizontal_convolution(before, self.horizontal.weight, self.horizontal.bias, mask_type="B")
    return self.gated(seen_above, condition, 0), self.out(self.gated(seen + self.link(seen_above), condition, 1))


def generated_without_the_label(patch):
    """generate draws from the first class, whatever the label."""
    plain = pixelcnn.GatedPixelCNN.generate

    def generate(self, uniforms, label=None, given=None):
        return plain(self, uniforms, label if label is None else 0 * label, given)

    patch.setattr(pixelcnn.GatedPixelCNN, "generate", generate)


def mean_of_the_codes(patch):
    """log p of an image is the mean over its codes."""
    plain = pixelcnn.GatedPixelCNN.log_prob

    def log_prob(self, codes, label=None):
        return plain(self, codes, label) / codes[0].numel()

    patch.setattr(pixelcnn.GatedPixelCNN, "log_prob", log_prob)


MISTAKES = {
    "GatedPixelCNN": {
        "the pixel itself is seen": (type_b_everywhere, "output"),
        "no residual": (put(pixelcnn._Layer, "forward", without_the_row), "output"),
        "a class begins with a say": (put(nn.init, "zeros_", nn.init.ones_), BEGINS),
        "an image is drawn without its class": (
            generated_without_the_label,
            "codes are drawn by the inverse of their distribution function",
        ),
        "a mean over the codes": (mean_of_the_codes, "an image is as likely as its codes"),
        "dropout in evaluation": (always_in_training(pixelcnn.GatedPixelCNN), EVALUATED),
        "the batch mixes": (mean_of_the_batch(pixelcnn.GatedPixelCNN), OTHERS),
    }
}
