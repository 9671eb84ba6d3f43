"""What the data sets of hands have and lack. Nothing heavy is imported, so that command lines can ask."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Traits(NamedTuple):
    """What a data set of hands has.

    Args:
        name: of the set.
        frame_size: width and height of its pictures.
        root_joints: joints that poses and clouds can be relative to; the first is the default.
        first_joints: what joint 0 can be; the first is the default.
        masks: whether pixels are labelled.
        depthless: its cameras that measure no depth.
    """

    name: str
    frame_size: tuple[int, int]
    root_joints: tuple[str, ...]
    first_joints: tuple[str, ...]
    masks: bool = True
    depthless: Collection[str] = ()

    def check(
        self, modalities: Collection[str], *, crop: str, root_joint: str, first_joint: str, camera: str | None = None
    ) -> None:
        """Refuse what cannot be had of the set.

        Args:
            modalities: that are wanted.
            crop: rule of the crop.
            root_joint: origin of poses and clouds.
            first_joint: what joint 0 is.
            camera: that takes the pictures, in sets with several.

        Raises:
            ValueError: says what to do.
        """
        if root_joint not in self.root_joints:
            raise ValueError(f"unknown root_joint {root_joint!r}; {self.name} has {_either(self.root_joints)}")
        if first_joint not in self.first_joints:
            raise ValueError(f"first_joint: expected {_either(self.first_joints)} on {self.name}, got {first_joint!r}")
        if not self.masks and "segmentation" in modalities:
            raise ValueError(f"{self.name} has no segmentation masks: take a setting without segmentation, e.g. rc2chp")
        if not self.masks and crop == "mask":
            raise ValueError(f"{self.name} has no segmentation masks: take crop='joints', got 'mask'")
        if camera in self.depthless and "cloud" in modalities:
            raise ValueError(
                f"{self.name}'s camera {camera!r} measures no depth: take camera='sk', "
                "or a setting without point clouds, e.g. r2hp"
            )


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(repr(name) for name in names)


RHD = Traits("RHD", (320, 320), ("middle_mcp", "wrist", "palm"), ("wrist", "palm"))
STB = Traits("STB", (640, 480), ("palm", "middle_mcp"), ("palm",), masks=False, depthless=("bb", "bb_left", "bb_right"))

TRAITS = {"rhd": RHD, "stb": STB}
"""By the name that commands have for the set."""
