import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from pyro_mmvae.data.sampler import Draw, EpochSampler


class Echo(Dataset):
    def __getitem__(self, draw):
        return draw


def batches(sampler, batch_size, drop_last):
    loader = DataLoader(Echo(), batch_size, sampler=sampler, drop_last=drop_last, collate_fn=list)
    return list(loader)


@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 5), st.integers(0, 3), st.booleans(), st.booleans())
def test_ranks_together_load_the_batches_of_one_process(length, world, size, epoch, shuffle, drop_last):
    def of(rank, world_size, per_rank):
        sampler = EpochSampler(length, shuffle=shuffle, seed=5, rank=rank, world_size=world_size, drop_last=drop_last)
        sampler.set_epoch(epoch)
        loaded = batches(sampler, per_rank, drop_last)
        assert len(list(sampler)) == len(sampler)
        return loaded

    single = of(0, 1, size * world)
    ranks = [of(rank, world, size) for rank in range(world)]
    for number, expected in enumerate(single):
        together = [draw for rank in ranks if number < len(rank) for draw in rank[number]]
        assert sorted(draw.index for draw in together) == sorted(draw.index for draw in expected)
    if drop_last:
        assert {len(rank) for rank in ranks} == {len(single)}
    assert max(map(len, ranks)) == len(single)


def test_every_sample_once_in_a_new_order_each_epoch():
    sampler = EpochSampler(50, shuffle=True, seed=1)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert {draw.epoch for draw in draws} == {epoch}
        orders.append([draw.index for draw in draws])
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1] != orders[2]
    sampler.set_epoch(1)
    assert [draw.index for draw in sampler] == orders[1]
    assert [draw.index for draw in EpochSampler(50, shuffle=True, seed=2)] != orders[0]


def test_evaluation_draws_the_same_in_every_epoch():
    sampler = EpochSampler(5, shuffle=False)
    sampler.set_epoch(7)
    assert list(sampler) == [Draw(index, 0) for index in range(5)]


def test_redraw_can_be_chosen():
    sampler = EpochSampler(3, shuffle=False, redraw=True)
    sampler.set_epoch(7)
    assert list(sampler) == [Draw(index, 7) for index in range(3)]


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_ranks_are_checked(rank, world):
    with pytest.raises(ValueError, match="rank"):
        EpochSampler(3, shuffle=False, rank=rank, world_size=world)
