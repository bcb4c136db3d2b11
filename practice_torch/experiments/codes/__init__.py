"""Images and sounds as codes: convolutional autoencoders, quantized codes, and models of pixels and mu-law codes."""
