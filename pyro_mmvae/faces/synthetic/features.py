"""Draws what is in a face: eyes, brows, nose, mouth, glasses."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Points, curve, darker, mixed, oval
from .hair import X
from .traits import Face

EYE_Y, EYE_X = 111.0, 20.0
NOSE_Y, MOUTH_Y = 136.0, 153.0
_SIDES = (-1, 1)


def landmarks(face: Face) -> Points:
    """Return left eye, right eye, nose, left and right corner of the mouth, before the head is turned, `(5, 2)`."""
    half, lift = _mouth(face)
    y = MOUTH_Y - lift
    return np.array([(X - EYE_X, EYE_Y), (X + EYE_X, EYE_Y), (X, NOSE_Y), (X - half, y), (X + half, y)])


def _mouth(face: Face) -> tuple[float, float]:
    """Return half the width of the mouth, and how far its corners are lifted."""
    return (20.0, 5.5) if "Smiling" in face.has else (14.5, -1.0)


def draw_eyes(canvas: Canvas, face: Face) -> None:
    """Draw eyes and brows."""
    made_up = "Heavy_Makeup" in face.has
    open_ = 4.0 if "Smiling" in face.has else 4.8
    for side in _SIDES:
        x = X + side * EYE_X
        canvas.ellipse(x, EYE_Y - 1, 12, 8, darker(face.skin, 0.35), 0.30)
        if made_up:
            canvas.ellipse(x, EYE_Y - 4.5, 12, 7.5, mixed(face.makeup, (70, 40, 110), 0.6), 0.62)
        canvas.ellipse(x, EYE_Y, 9.2, open_, (246, 244, 240))
        canvas.ellipse(x, EYE_Y - 0.3, 4.5, min(4.5, open_), face.eyes)
        canvas.ellipse(x, EYE_Y - 0.3, 2.1, 2.1, (12, 10, 12))
        canvas.ellipse(x - 1.4, EYE_Y - 1.8, 1.0, 1.0, (255, 255, 255))
        lid = np.linspace(-1, 1, 15)
        ys = EYE_Y - open_ * np.sqrt(np.clip(1 - lid**2, 0, 1)) - 0.3
        canvas.line(curve(x + 9.6 * lid, ys), (30, 20, 22), 2.4 if made_up else 1.2)
        if made_up:
            canvas.line([(x + side * 9, EYE_Y - 1), (x + side * 14, EYE_Y - 5)], (24, 16, 20), 1.8)
        _draw_brow(canvas, face, x, side)


def _draw_brow(canvas: Canvas, face: Face, x: float, side: int) -> None:
    bushy = "Bushy_Eyebrows" in face.has
    thick = 7.5 if bushy else 2.4
    place = np.linspace(-1, 1, 17)
    arch = EYE_Y - 14.5 - 3.2 * (1 - (place * side - 0.25) ** 2)
    shape = thick * np.clip(1.1 - 0.6 * place * side - 0.35 * place**2, 0.15, 1)
    upper, lower = curve(x + 13 * place, arch - shape / 2), curve(x + 13 * place, arch + shape / 2)
    brow = darker(face.hair, 0.45) if "Bald" not in face.has else (52, 38, 30)
    canvas.fill(np.concatenate([upper, lower[::-1]]), darker(brow, 0.35 if bushy else 0.0), 1.0 if bushy else 0.85)
    if bushy:
        for one in np.linspace(-0.9, 0.9, 9):
            start = (x + 13 * one, EYE_Y - 12.5 - 2.5 * (1 - one**2))
            canvas.line([start, (start[0] + side * 2.5, start[1] - 7)], darker(brow, 0.5), 1.0)


def draw_nose(canvas: Canvas, face: Face) -> None:
    """Draw a nose by its shadows."""
    shade = darker(face.skin, 0.38)
    ys = np.linspace(EYE_Y + 1, NOSE_Y + 1, 12)
    bend = 3.5 + 4.5 * ((ys - EYE_Y) / (NOSE_Y - EYE_Y)) ** 2
    canvas.line(curve(X + bend, ys), shade, 1.6, 0.45)
    canvas.fill(np.concatenate([curve(X + bend, ys), curve(X + 1.5, ys[::-1])]), shade, 0.16)
    canvas.ellipse(X - 1.5, NOSE_Y - 4, 2.6, 5.0, (255, 255, 255), 0.20)
    for side in _SIDES:
        canvas.ellipse(X + side * 4.4, NOSE_Y + 2.2, 2.6, 1.5, darker(face.skin, 0.62))
        canvas.line(curve(X + side * np.array([7.0, 8.8, 7.6]), [NOSE_Y - 3, NOSE_Y, NOSE_Y + 2.6]), shade, 1.3, 0.6)


def draw_mouth(canvas: Canvas, face: Face) -> None:
    """Draw lips, teeth where the mouth is open, and the folds of a smile."""
    half, lift = _mouth(face)
    place = np.linspace(-1, 1, 25)
    rest = MOUTH_Y + 3 - (lift + 3) * place**2
    gap = (10.0 if "Smiling" in face.has else 8.0) * ("Mouth_Slightly_Open" in face.has)
    opened = np.clip(1 - place**2, 0, 1) ** 0.7
    made_up = "Heavy_Makeup" in face.has
    lips = face.makeup if made_up else mixed(face.skin, (170, 74, 74), 0.5)
    above = 4.2 * (1 - place**2) * (1 - 0.3 * np.exp(-((place / 0.18) ** 2))) + 0.6
    below = (5.2 if made_up else 4.4) * (1 - place**2) + 0.6
    up, down = rest - 0.35 * gap * opened, rest + 0.65 * gap * opened
    canvas.fill(_between(half, place, up - above, up), lips)
    canvas.fill(_between(half, place, down, down + below), mixed(lips, (255, 220, 220), 0.12))
    if gap:
        canvas.fill(_between(half, place, up, down), (58, 14, 20))
        teeth = np.minimum(up + 0.5 * gap * opened, down)
        canvas.fill(_between(half * 0.88, place, up, teeth), (250, 248, 240))
    else:
        canvas.line(curve(X + half * place, rest), darker(lips, 0.55), 1.3)
    if "Smiling" in face.has:
        for side in _SIDES:
            fold = np.linspace(0, 1, 9)
            xs = X + side * (half - 6 + 12 * fold**0.6)
            canvas.line(curve(xs, NOSE_Y + 1 + 17 * fold), darker(face.skin, 0.42), 1.5, 0.6)
    canvas.ellipse(X, MOUTH_Y + 15, 7, 2, darker(face.skin, 0.4), 0.25)


def draw_mustache(canvas: Canvas, face: Face) -> None:
    """Draw a mustache over the upper lip."""
    if "Mustache" not in face.has:
        return
    half, lift = _mouth(face)
    place = np.linspace(-1, 1, 25)
    rest = MOUTH_Y - 0.6 - (lift + 1) * place**2
    colour = darker(face.hair, 0.35) if "Bald" not in face.has else (60, 44, 34)
    thick = 9.0 * np.clip(1 - np.abs(place) ** 2.6, 0, 1) * (1 - 0.35 * np.exp(-((place / 0.12) ** 2)))
    canvas.fill(_between(half + 3.5, place, rest - thick, rest + 0.8), colour, 0.96)


def draw_cheeks(canvas: Canvas, face: Face) -> None:
    """Draw the blush of makeup."""
    for side in _SIDES:
        if "Heavy_Makeup" in face.has:
            for size in (1.0, 0.75, 0.5):
                canvas.ellipse(X + side * 28, 132, 12 * size, 8 * size, (232, 84, 104), 0.16)


def draw_glasses(canvas: Canvas, face: Face) -> None:
    """Draw glasses with dark rims."""
    if "Eyeglasses" not in face.has:
        return
    for side in _SIDES:
        rim = oval(X + side * EYE_X, EYE_Y + 1, 16, 12.5, 3.0)
        canvas.fill(rim, (225, 238, 250), 0.16)
        canvas.line(np.concatenate([rim, rim[:2]]), (22, 20, 24), 2.6)
        canvas.line([(X + side * 36, EYE_Y - 3), (X + side * (face.width + 1), EYE_Y - 5)], (22, 20, 24), 2.4)
    canvas.line(curve([X - 4.5, X, X + 4.5], [EYE_Y - 2, EYE_Y - 4, EYE_Y - 2]), (22, 20, 24), 2.4)


def _between(half: float, place: Points, upper: Points, lower: Points) -> Points:
    return np.concatenate([curve(X + half * place, upper), curve(X + half * place, lower)[::-1]])
