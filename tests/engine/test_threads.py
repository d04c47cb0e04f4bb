"""Work in threads: in order, one core each, and the number of threads is as before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from psis_bench.engine.threads import in_threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(1, 200, (40,), generator=generator).tolist()  # of unequal length
    found = list(
        in_threads(lambda size: (size, torch.ones(size, size).matmul(torch.ones(size)).sum()), sizes, device=CPU)
    )
    assert [size for size, _ in found] == sizes
    assert [float(value) for _, value in found] == [size**2 for size in sizes]


def test_each_has_one_core_and_torch_has_all_again_afterwards() -> None:
    assert list(in_threads(lambda _: torch.get_num_threads(), range(6), device=CPU)) == [1] * 6
    assert torch.get_num_threads() == 3
    assert list(in_threads(lambda _: torch.get_num_threads(), range(2), device=torch.device("meta"))) == [3, 3]


def test_an_error_is_raised_and_the_rest_is_left() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("no")
        return item

    with pytest.raises(ValueError, match="no"):
        list(in_threads(work, range(10_000), device=CPU))
    assert len(begun) < 10_000
    assert torch.get_num_threads() == 3
