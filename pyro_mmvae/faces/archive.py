"""The pictures of a set, in a folder or in a zip file."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from pyro_mmvae.data.images import MissingImageError, UnreadableImageError, decode_colour, read_colour

FOLDER = "img_align_celeba"
MAX_MEMBER = 2**24
"""Bytes of the largest picture in an archive; CelebA's have about 7,000."""
MAX_MEMBERS = 2_000_000
_PLACES = ("", "Img")


class Pictures:
    """Pictures by name, from `img_align_celeba/` or `img_align_celeba.zip`; can be sent to other processes.

    A member of an archive is read to at most `MAX_MEMBER` bytes, whatever the archive says of its size.

    Args:
        root: folder of the set.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: the archive is damaged, or has far too many members.
    """

    def __init__(self, root: str | Path) -> None:
        places = [Path(root) / place / name for place in _PLACES for name in (FOLDER, f"{FOLDER}.zip")]
        found = next((path for path in places if path.exists()), None)
        if found is None:
            raise FileNotFoundError(f"{root}: expected the folder {FOLDER} or {FOLDER}.zip, got neither")
        self.path = found
        self._open: tuple[int, zipfile.ZipFile, dict[str, zipfile.ZipInfo]] | None = None
        if not found.is_dir():
            self._members()

    def names(self) -> frozenset[str]:
        """Return the names of all pictures."""
        if self.path.is_dir():
            return frozenset(entry.name for entry in os.scandir(self.path))
        return frozenset(self._members()[1])

    def read(self, name: str) -> Image.Image:
        """Return a picture of mode "RGB".

        Raises:
            MissingImageError: there is no picture of that name.
            UnreadableImageError: it cannot be read; see `read_colour`.
        """
        return read_colour(self.path / name) if self.path.is_dir() else decode_colour(self._content(name), name)

    def _content(self, name: str) -> bytes:
        archive, members = self._members()
        if name not in members:
            raise MissingImageError(f"{self.path}: it holds no {name}")
        try:
            with archive.open(members[name]) as member:
                content = member.read(MAX_MEMBER + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise UnreadableImageError(f"{self.path}, {name}: {error}") from error
        if len(content) > MAX_MEMBER:
            raise UnreadableImageError(f"{self.path}, {name}: expected at most {MAX_MEMBER} bytes, got more")
        return content

    def _members(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """Return the archive, opened by this process, as processes that share one would move each other's place."""
        if self._open is None or self._open[0] != os.getpid():
            try:
                archive = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError, ValueError) as error:
                raise ValueError(f"{self.path}: expected a zip file of pictures, got a damaged one: {error}") from error
            if len(archive.infolist()) > MAX_MEMBERS:
                raise ValueError(f"{self.path}: expected at most {MAX_MEMBERS} pictures, got more")
            members = {info.filename.rpartition("/")[2]: info for info in archive.infolist() if not info.is_dir()}
            self._open = os.getpid(), archive, members
        return self._open[1], self._open[2]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}
