"""What a synthetic face looks like, before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pyro_mmvae.faces.attributes import ATTRIBUTES

Colour = tuple[float, float, float]

_PALE: Colour = (244, 224, 216)
_SKINS: tuple[Colour, ...] = ((232, 190, 160), (222, 172, 136), (198, 146, 106), (158, 108, 76), (116, 78, 56))
_SKIN_SHARES = (0.36, 0.28, 0.16, 0.12, 0.08)
_HAIRS: dict[str, Colour] = {
    "Black_Hair": (30, 26, 28),
    "Blond_Hair": (226, 190, 110),
    "Brown_Hair": (112, 70, 38),
    "Gray_Hair": (176, 176, 180),
    "": (150, 58, 30),  # red, which is none of the four
}
_CLOTHES: tuple[Colour, ...] = (
    *((42, 52, 84), (150, 42, 48), (56, 96, 70), (224, 220, 210), (38, 38, 42), (120, 88, 140)),
    (214, 160, 60),
)
_EYES: tuple[Colour, ...] = ((78, 52, 34), (92, 130, 160), (96, 116, 72), (54, 40, 32))


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face to be drawn.

    Attributes:
        has: the attributes of `ATTRIBUTES` that it has.
        skin: colour, as those that follow from 0 to 255.
        hair: likewise.
        eyes: of the iris.
        clothes: likewise.
        hat: likewise.
        makeup: of lips and lids where there is makeup.
        back: two colours of the background.
        width: half the width of the head in pixels of a picture of 178 x 218.
        chin: how far the chin is below the mouth, in pixels.
        length: where long hair ends, in pixels from the top; 0 for short hair.
        tilt: turn in degrees.
        shift: of the whole head in pixels.
        light: direction (x, y) from which it is lit, and how strongly.
        shadow: strength of a beard's shadow, 0 to 1.
    """

    has: frozenset[str]
    skin: Colour
    hair: Colour
    eyes: Colour
    clothes: Colour
    hat: Colour
    makeup: Colour
    back: tuple[Colour, Colour]
    width: float
    chin: float
    length: float
    tilt: float
    shift: tuple[float, float]
    light: tuple[float, float]
    shadow: float

    def line(self) -> list[int]:
        """Return 1 or -1 for each of the forty attributes."""
        return [1 if name in self.has else -1 for name in ATTRIBUTES]


MEN, OLD = 0.44, 0.22
FREQUENCIES = MappingProxyType(
    {
        "Bald": (0.0, 0.12),
        "Wearing_Hat": (0.06, 0.14),
        "Eyeglasses": (0.08, 0.22),
        "Heavy_Makeup": (0.62, 0.0),
        "Mustache": (0.0, 0.28),
        "Bushy_Eyebrows": (0.10, 0.40),
        "Pale_Skin": (0.20, 0.10),
        "Smiling": (0.56, 0.42),
        "Bangs": (0.34, 0.14),
        "Receding_Hairline": (0.03, 0.26),
    }
)
"""How often an attribute is drawn: by whether the face is a woman's or a man's, before others exclude it."""


def sample_face(rng: np.random.Generator) -> Face:
    """Draw a face, whose attributes depend on each other as they do in CelebA, rare ones more frequent than there.

    Men are bald, have a mustache or bushy eyebrows; women wear makeup and long hair; grey hair goes with glasses and a
    receding hairline; those who smile open their mouths. Nothing is said of what cannot be seen: there is no hair of a
    bald man; under a hat no fringe and no hairline, nor whether short hair is wavy.
    """
    male, old = bool(rng.random() < MEN), bool(rng.random() < OLD)
    chance = {name: by_sex[int(male)] for name, by_sex in FREQUENCIES.items()}
    if old:
        chance |= {"Eyeglasses": 0.5, "Receding_Hairline": 1.8 * chance["Receding_Hairline"]}
        chance["Heavy_Makeup"] *= 0.5
    has = {name for name, p in chance.items() if rng.random() < p}
    hair = _hair_colour(male, old, rng)
    texture = str(rng.choice(("Straight_Hair", "Wavy_Hair", ""), p=(0.38, 0.32, 0.30) if male else (0.33, 0.52, 0.15)))
    has |= {name for name in (hair, texture) if name} | ({"Male"} if male else set())
    has |= {"Mouth_Slightly_Open"} if rng.random() < (0.72 if "Smiling" in has else 0.22) else set()
    has -= _hidden(has)
    shadow = float(rng.random() < 0.4) * float(rng.uniform(0.3, 0.7)) * male
    has |= _further(has, old, shadow > 0)
    return _face(frozenset(has), hair, male, shadow, rng)


def _hair_colour(male: bool, old: bool, rng: np.random.Generator) -> str:
    names = list(_HAIRS)
    young = (0.46, 0.10, 0.36, 0.0, 0.08) if male else (0.28, 0.32, 0.32, 0.0, 0.08)
    return names[int(rng.choice(len(names), p=(0.26, 0.06, 0.24, 0.38, 0.06) if old else young))]


def _hidden(has: set[str]) -> set[str]:
    """Return the attributes that others make invisible."""
    gone: set[str] = set()
    if "Wearing_Hat" in has:
        gone |= {"Bald", "Bangs", "Receding_Hairline"}
        gone |= {"Straight_Hair", "Wavy_Hair"} if "Male" in has else set()
    elif "Bald" in has:
        gone |= {*_HAIRS, "Bangs", "Receding_Hairline", "Straight_Hair", "Wavy_Hair"}
    if "Bangs" in has:
        gone |= {"Receding_Hairline"}
    return gone


def _further(has: set[str], old: bool, shadow: bool) -> set[str]:
    """Return attributes beyond the 18 that follow from what is drawn."""
    found = {"Wearing_Lipstick"} if "Heavy_Makeup" in has else set()
    found |= set() if old else {"Young"}
    found |= {"5_o_Clock_Shadow"} if shadow else set()
    found |= set() if shadow or "Mustache" in has else {"No_Beard"}
    return found | ({"High_Cheekbones"} if "Smiling" in has else set())


def _face(has: frozenset[str], hair: str, male: bool, shadow: float, rng: np.random.Generator) -> Face:
    skin = _PALE if "Pale_Skin" in has else _SKINS[int(rng.choice(len(_SKINS), p=_SKIN_SHARES))]
    light = rng.uniform(0, np.pi)
    strength = rng.uniform(0.04, 0.20)
    long = not male or rng.random() < 0.06
    return Face(
        has=has,
        skin=_varied(skin, 5, rng),
        hair=_varied(_HAIRS[hair], 8, rng),
        eyes=_EYES[int(rng.integers(len(_EYES)))],
        clothes=_varied(_CLOTHES[int(rng.integers(len(_CLOTHES)))], 14, rng),
        hat=_varied(_CLOTHES[int(rng.integers(len(_CLOTHES)))], 14, rng),
        makeup=_varied((196, 30, 60), 24, rng),
        back=(_any(rng), _any(rng)),
        width=float(rng.normal(49 if male else 46, 1.6)),
        chin=float(rng.normal(37 if male else 32, 1.8)),
        length=float(rng.uniform(172, 218)) if long else 0.0,
        tilt=float(rng.normal(0, 2.2)),
        shift=(float(rng.normal(0, 1.2)), float(rng.normal(0, 1.2))),
        light=(float(np.cos(light) * strength), float(-np.sin(light) * strength)),
        shadow=shadow,
    )


def _varied(colour: Colour, by: float, rng: np.random.Generator) -> Colour:
    r, g, b = np.clip(np.array(colour) * rng.normal(1, 0.05) + rng.normal(0, by, 3) * 0.6, 0, 255)
    return float(r), float(g), float(b)


def _any(rng: np.random.Generator) -> Colour:
    r, g, b = np.clip(rng.uniform(40, 225) + rng.normal(0, 26, 3), 10, 245)
    return float(r), float(g), float(b)
