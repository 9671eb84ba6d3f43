"""Surgical scenes: Sim2Real's layout, views as modalities, a synthetic set, and what trained models do on them.

No other part of the library knows of them.
"""
