"""Where in a run of several phases a fit stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Which phase a fit is, and what was before it; a run of one phase has the default."""

    phase: int = 0
    """Number of the phase, from 0."""
    phases: int = 1
    """How many there are."""
    first_epoch: int = 0
    """Epochs of all phases before."""
    first_step: int = 0
    """Training steps of all phases before."""

    def after(self, epochs: int, steps: int) -> Place:
        """Return the place of the next phase, after so many epochs and steps in this one."""
        return Place(self.phase + 1, self.phases, self.first_epoch + epochs, self.first_step + steps)
