"""Entangled sets: pairs that conditional autoencoders of two uni-modal sets make from one latent vector."""
