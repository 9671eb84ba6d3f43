import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyro_mmvae.data.sampler import EpochSampler


def rows(sampler):
    return [draws.rows.tolist() for draws in sampler]


@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 12), st.integers(0, 3), st.booleans(), st.booleans())
def test_ranks_together_load_the_batches_of_one_process(length, world, size, epoch, shuffle, drop_last):
    def of(rank, world_size):
        sampler = EpochSampler(
            length, size, shuffle=shuffle, seed=5, rank=rank, world_size=world_size, drop_last=drop_last
        )
        sampler.set_epoch(epoch)
        assert len(list(sampler)) == len(sampler)
        assert all(draws.rank == rank for draws in sampler)
        return rows(sampler)

    single, ranks = of(0, 1), [of(rank, world) for rank in range(world)]
    if drop_last and length < size:  # all ranks then have the same number of samples
        assert {len(part) for rank in ranks for part in rank} <= {length // world}
        single = [batch[: length // world * world] for batch in single] if length >= world else []
    assert {len(rank) for rank in ranks} == {len(single)}
    for number, expected in enumerate(single):
        parts = [rank[number] for rank in ranks]
        assert [parts[i % world][i // world] for i in range(len(expected))] == expected
        assert sum(map(len, parts)) == len(expected)
    assert sum(map(len, single)) >= (length - length % size if drop_last else length)
    if drop_last and length >= size:
        assert {len(batch) for batch in single} == {size}


def test_every_sample_once_in_a_new_order_each_epoch():
    sampler = EpochSampler(48, 8, shuffle=True, seed=1)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert [d.key for d in draws] == [(epoch, number, 0) for number in range(6)]
        orders.append(torch.cat([d.rows for d in draws]).tolist())
        assert sorted(orders[-1]) == list(range(48))
    assert orders[0] != orders[1] != orders[2]
    sampler.set_epoch(1)
    assert torch.cat([d.rows for d in sampler]).tolist() == orders[1]
    other = EpochSampler(48, 8, shuffle=True, seed=2)
    assert torch.cat([d.rows for d in other]).tolist() != orders[0]


def test_evaluation_draws_the_same_in_every_epoch():
    sampler = EpochSampler(5, 2)
    sampler.set_epoch(7)
    assert rows(sampler) == [[0, 1], [2, 3], [4]]
    assert {draws.epoch for draws in sampler} == {0}


def test_redraw_can_be_chosen():
    sampler = EpochSampler(3, 3, redraw=True)
    sampler.set_epoch(7)
    (draws,) = sampler
    assert [(draw.index, draw.epoch) for draw in draws.each()] == [(0, 7), (1, 7), (2, 7)]


@pytest.mark.parametrize(("rank", "world", "size"), [(2, 2, 1), (-1, 2, 1), (0, 0, 1), (0, 1, 0)])
def test_arguments_are_checked(rank, world, size):
    with pytest.raises(ValueError, match="rank"):
        EpochSampler(3, size, rank=rank, world_size=world)
