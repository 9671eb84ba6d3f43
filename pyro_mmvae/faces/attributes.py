"""The attributes of CelebA's faces."""

from __future__ import annotations

from collections.abc import Sequence

ATTRIBUTES: tuple[str, ...] = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)
"""All forty, in the order of CelebA's file (Liu et al. 2015, arXiv:1411.7766)."""

DISTINCTIVE: tuple[str, ...] = (
    *("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Gray_Hair"),
    *("Heavy_Makeup", "Male", "Mouth_Slightly_Open", "Mustache", "Pale_Skin", "Receding_Hairline", "Smiling"),
    *("Straight_Hair", "Wavy_Hair", "Wearing_Hat"),
)
"""The 18 that can be seen best, which the literature of multimodal autoencoders takes (Perarnau et al. 2016,
arXiv:1611.06355; Wu and Goodman 2018, arXiv:1802.05335)."""


def columns_of(names: Sequence[str]) -> list[int]:
    """Return the places of attributes among the forty.

    Raises:
        ValueError: there is no such attribute, one is named twice, or none is named.
    """
    if unknown := [name for name in names if name not in ATTRIBUTES]:
        raise ValueError(f"expected attributes of CelebA, such as {DISTINCTIVE[0]}, got {unknown}")
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"expected one or more different attributes, got {list(names)}")
    return [ATTRIBUTES.index(name) for name in names]


def in_words(name: str) -> str:
    """Return an attribute's name as people write it."""
    return name.replace("_", " ").lower()
