"""Imports open3d, or says what it needs."""

from __future__ import annotations

from types import ModuleType

_HELP = (
    "open3d could not be imported ({error}). "
    'Install it with `pip install "pyro-mmvae[open3d]"`; on Linux it also needs system libraries, on Debian and '
    "Ubuntu `apt-get install libgl1 libegl1 libx11-6 libgomp1 libudev1 libusb-1.0-0`. "
    "The numpy renderer and pictures of clouds need neither."
)


def import_open3d() -> ModuleType:
    """The open3d module.

    Raises:
        ImportError: the extra or one of its system libraries is missing.
    """
    # torch first: in some releases the other order made one of the two crash.
    import torch  # noqa: F401

    try:
        import open3d
    except (ImportError, OSError) as error:
        raise ImportError(_HELP.format(error=error)) from error
    return open3d
