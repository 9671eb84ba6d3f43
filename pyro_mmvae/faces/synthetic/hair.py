"""Draws hair and hats."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Points, curve, darker, mixed
from .traits import Face

X = 89.0
TOP = 44.0
"""Where hair begins, in pixels from the top."""


def draw_back(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    """Draw long hair behind head and neck."""
    if not face.length or "Bald" in face.has:
        return
    outer = face.width + 13
    down = np.linspace(100, face.length, 30)
    wave = 4.5 * np.sin((down - 100) / 5.2) if "Wavy_Hair" in face.has else 0 * down
    flare = 6 * ((down - 100) / 110) ** 2
    right = curve(X + outer + wave + flare, down)
    left = curve(X - outer - wave - flare, down)
    canvas.fill(np.concatenate([_dome(outer, 100, TOP - 2), right, left[::-1]]), darker(face.hair, 0.22))
    for side in (-1, 1):
        for place in np.linspace(0.62, 1.02, 6):
            _strand(canvas, face, X + side * place * outer, side, rng)


def _strand(canvas: Canvas, face: Face, x: float, side: int, rng: np.random.Generator) -> None:
    down = np.linspace(96, face.length - 3, 26)
    if "Wavy_Hair" in face.has:
        xs = x + 4.5 * np.sin((down - 100) / 5.2) * side
    elif "Straight_Hair" in face.has:
        xs = x + 0 * down
    else:
        return
    _stroke(canvas, face, curve(xs, down), rng)


def _stroke(canvas: Canvas, face: Face, points: Points, rng: np.random.Generator) -> None:
    bright = rng.random() < 0.5
    colour = mixed(face.hair, (255, 240, 220), 0.30) if bright else darker(face.hair, 0.5)
    canvas.line(points, colour, 1.2, 0.75)


def draw_top(canvas: Canvas, face: Face, rng: np.random.Generator) -> None:
    """Draw the hair on top of the head, down to the hairline and in front of the ears."""
    if "Bald" in face.has:
        canvas.ellipse(X - 12, 66, 13, 6, (255, 255, 255), 0.22)
        return
    outer, inner = face.width + (8 if face.length else 4.5), 0.97 * face.width
    low = 142.0 if face.length else 112.0
    xs = np.linspace(inner, -inner, 49)
    line = _hairline(xs / inner, face)
    temple = curve([X + inner - 1, X - inner + 1], [low - 6, low - 6])
    edge = np.concatenate([temple[:1], curve(X + xs * 0.94, line), temple[1:]])
    top = _dome(outer, low, TOP - 3)
    if "Wavy_Hair" in face.has:
        top[:, 1] += 2.2 * np.sin(np.arange(len(top)) * 1.15)
    canvas.fill(np.concatenate([top, edge]), face.hair)
    _texture(canvas, face, line, outer, rng)
    if "Bangs" in face.has:
        for place in np.linspace(-0.75, 0.75, 9):
            canvas.line(curve([X + place * 30, X + place * inner], [62, 93]), darker(face.hair, 0.38), 1.1, 0.8)


def _texture(canvas: Canvas, face: Face, line: Points, outer: float, rng: np.random.Generator) -> None:
    """Draw strands: straight ones from the parting to the sides, or waves along the head."""
    if "Straight_Hair" in face.has:
        for place in np.linspace(-0.9, 0.9, 13):
            share = np.linspace(0, 1, 8)
            end = line[int((1 - (place + 1) / 2) * 48)] - 3
            ys = TOP + 3 + share * (end - TOP - 3) + 8 * place**2 * (1 - share)
            _stroke(canvas, face, curve(X + place * (18 + share * (outer - 24)), ys), rng)
    if "Wavy_Hair" in face.has:
        share = np.linspace(-0.92, 0.92, 50)
        for number, depth in enumerate(np.linspace(2.0, 26.0, 5)):
            ys = TOP + depth + (outer + 6 - depth * 0.4) * 0.72 * (1 - np.sqrt(1 - share**2 * 0.98))
            ys += 2.4 * np.sin(share * 20 + number * 1.7)
            shown = ys < np.interp(-share, np.linspace(-1, 1, 49), line) - 2
            wave = curve(X + share * (outer - 5), ys)
            for piece in np.split(wave, np.flatnonzero(~shown)):
                if len(piece) > 4:
                    _stroke(canvas, face, piece[1:], rng)


def _hairline(place: Points, face: Face) -> Points:
    """Return how far down the hair comes, by the place across the forehead from 1 to -1."""
    side = np.abs(place)
    if "Bangs" in face.has:
        return 95 - 5 * side**2 + 2.0 * np.sin(place * 24)
    if "Receding_Hairline" in face.has:
        return 67 - 6 * np.exp(-(((side - 0.55) / 0.25) ** 2)) + 34 * np.clip(side - 0.8, 0, 1) / 0.2
    return 76 + 3 * np.cos(place * 2.2) - 3 * side + 22 * np.clip(side - 0.8, 0, 1) / 0.2


def _dome(outer: float, low: float, top: float) -> Points:
    """Return the upper outline of a head from left to right."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 41)
    return curve(X + outer * np.sin(angle), low - (low - top) * np.cos(angle) ** 0.8)


def draw_hat(canvas: Canvas, face: Face) -> None:
    """Draw a woollen hat."""
    if "Wearing_Hat" not in face.has:
        return
    outer = face.width + 11
    dome = _dome(outer, 84, 18)
    canvas.fill(dome, face.hat)
    for place in np.linspace(-0.8, 0.8, 7):
        share = np.linspace(0, 1, 10)
        canvas.line(curve(X + place * outer * np.sin(share * np.pi / 2), 22 + share * 52), darker(face.hat, 0.3), 1.2)
    band = curve([X - outer - 2, X + outer + 2, X + outer + 1, X - outer - 1], [72, 72, 88, 88])
    canvas.fill(band, mixed(face.hat, (255, 255, 255), 0.25))
    canvas.line(band[2:], darker(face.hat, 0.4), 1.2)
