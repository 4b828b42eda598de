"""The network: normalisation layers, backbones, and the embedder around them."""
