"""Multimodal variational autoencoders as Pyro model/guide pairs.

The names of `__init__.pyi` are imported when they are first used, so that command lines answer `--help` without
waiting for PyTorch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
