"""Everything that knows of Vision&Touch: its files, failing sensors, simulated insertions, metrics and plots of them.

Nothing else in the library imports it. Lee et al., "Making Sense of Vision and Touch" (2020, arXiv:1907.13098).
"""
