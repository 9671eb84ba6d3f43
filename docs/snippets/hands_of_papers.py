"""What three papers say of hand crops and noise, as options of `RHD`; what they leave open stays at our defaults."""

from __future__ import annotations

from pyro_mmvae.hands.augmentation import AugmentationRanges

GUPTA_2021 = {"crop": "mask", "root_joint": "wrist", "augment": AugmentationRanges()}

JOSHI_2022 = {
    "pixel_corruption": 0.25,  # of an image's pixels; 0, 0.25, 0.5 and 0.7 in the paper
    "cloud_noise": 0.1,  # in bone lengths; the paper does not say
    "corrupted_share": {"rgb": 0.5, "cloud": 0.5},  # p_m of each sensor; the paper does not print them
}

THEODORIDIS_2020 = {
    "crop": "joints",
    "first_joint": "palm",
    "root_joint": "palm",
    "augment": AugmentationRanges(zoom=(1, 1), shift=0, rotation=45, flip=0.5, color=False),
}
