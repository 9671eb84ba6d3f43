"""Rows of batches."""

from __future__ import annotations

import torch

from pyro_mmvae.data.batches import RowSampler, batch_loader


def test_processes_share_every_batch():
    def rows(**options):
        sampler = RowSampler(100, 16, shuffle=True, seed=1, **options)
        return [batch.rows for batch in batch_loader(lambda rows: rows, sampler)]

    whole, parts = rows(), [rows(rank=rank, world_size=2) for rank in range(2)]
    assert len(whole) == 6  # the incomplete one is left out
    for all_rows, *halves in zip(whole, *parts, strict=True):
        assert sorted(torch.cat(halves).tolist()) == sorted(all_rows.tolist())
