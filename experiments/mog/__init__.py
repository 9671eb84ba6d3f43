"""Mixture of Gaussians: two modalities of which neither tells all classes; JMVAE, TELBO and M2VAE side by side."""
