"""What a configuration has to hold so that the common code can run it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol


class RunOptions(Protocol):
    """Options that every experiment has; its `Config`, a frozen dataclass, says what they mean.

    Attributes:
        experiment: name of the experiment's package, a class variable; `config.yaml` says it.
    """

    @property
    def experiment(self) -> str: ...  # noqa: D102
    @property
    def run(self) -> Path: ...  # noqa: D102
    @property
    def epochs(self) -> int | None: ...  # noqa: D102
    @property
    def clip(self) -> float: ...  # noqa: D102
    @property
    def early_stop(self) -> int | None: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def devices(self) -> int: ...  # noqa: D102
    @property
    def nodes(self) -> int: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def resume(self) -> bool: ...  # noqa: D102
    @property
    def logger(self) -> Literal["csv", "tensorboard"]: ...  # noqa: D102
