"""The model of the caching allocator against cases worked by hand from the documented rules."""

from __future__ import annotations

import random

import pytest

from builder.profile.cuda_allocator import CachingAllocator, replayed, rounded, segment_for

KIB, MIB = 2**10, 2**20


@pytest.mark.parametrize(("asked", "counts"), [(1, 512), (512, 512), (513, 1024), (MIB + 1, MIB + 512)])
def test_requests_are_rounded_to_512_bytes(asked: int, counts: int) -> None:
    assert rounded(asked) == counts


@pytest.mark.parametrize(
    ("size", "segment"),
    [
        (512, 2 * MIB),
        (MIB, 2 * MIB),
        (MIB + 512, 20 * MIB),
        (10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB),
        (10 * MIB + 512, 12 * MIB),
        (33 * MIB, 34 * MIB),
    ],
)
def test_segments(size: int, segment: int) -> None:
    assert segment_for(size) == segment


def test_small_requests_share_a_segment_of_2_mib() -> None:
    allocator = CachingAllocator()
    for _ in range(4):
        allocator.allocate(512 * KIB)
    assert (allocator.allocated, allocator.reserved) == (2 * MIB, 2 * MIB)
    allocator.allocate(1)
    assert (allocator.allocated, allocator.reserved) == (2 * MIB + 512, 4 * MIB)


def test_a_segment_of_20_mib_is_split() -> None:
    allocator = CachingAllocator()
    handles = [allocator.allocate(5 * MIB) for _ in range(4)]
    assert (allocator.allocated, allocator.reserved) == (20 * MIB, 20 * MIB)
    allocator.free(handles[1])
    allocator.allocate(3 * MIB)
    assert (allocator.allocated, allocator.reserved) == (18 * MIB, 20 * MIB)


def test_what_remains_of_a_large_block_is_split_off_above_1_mib_only() -> None:
    allocator = CachingAllocator()
    handle = allocator.allocate(12 * MIB)
    allocator.free(handle)
    handle = allocator.allocate(11 * MIB)  # 1 MiB would remain: the block stays whole, and counts as whole
    assert (allocator.allocated, allocator.reserved) == (12 * MIB, 12 * MIB)
    allocator.free(handle)
    allocator.allocate(11 * MIB - 512)
    assert (allocator.allocated, allocator.reserved) == (11 * MIB - 512, 12 * MIB)


def test_free_neighbours_join() -> None:
    allocator = CachingAllocator()
    first, second, third = (allocator.allocate(6 * MIB) for _ in range(3))
    for handle in (first, third, second):
        allocator.free(handle)
    assert allocator.allocated == 0
    allocator.allocate(20 * MIB)
    assert allocator.reserved == 20 * MIB


def test_neighbours_that_are_in_use_keep_free_blocks_apart() -> None:
    allocator = CachingAllocator()
    first, _, third = (allocator.allocate(6 * MIB) for _ in range(3))
    allocator.free(first)
    allocator.free(third)  # 6 MiB, 6 MiB in use, 8 MiB: 14 MiB are free, but no 10 MiB in one piece
    allocator.allocate(10 * MIB)
    assert (allocator.allocated, allocator.reserved) == (16 * MIB, 30 * MIB)


def test_the_smallest_block_that_is_large_enough_is_taken() -> None:
    allocator = CachingAllocator()
    large, small = allocator.allocate(40 * MIB), allocator.allocate(14 * MIB)
    allocator.free(large)
    allocator.free(small)
    allocator.allocate(13 * MIB)
    assert allocator.allocated == 14 * MIB  # whole: 1 MiB is not split off
    allocator.allocate(40 * MIB)
    assert (allocator.allocated, allocator.reserved) == (54 * MIB, 54 * MIB)


def test_peaks_stay_when_memory_is_freed() -> None:
    allocator = replayed([1, 2, -1, 3, -3, -2], [3 * MIB, 18 * MIB, 2 * MIB])
    assert (allocator.allocated, allocator.peak_allocated) == (0, 21 * MIB)
    # 3 MiB leave 17 of a segment of 20, too little for 18
    assert (allocator.reserved, allocator.peak_reserved) == (38 * MIB, 38 * MIB)


def test_nothing_is_lost_in_random_traffic() -> None:
    draw = random.Random(0)
    allocator = CachingAllocator()
    held: dict[int, int] = {}
    for _ in range(3000):
        if held and draw.random() < 0.5:
            handle = draw.choice(list(held))
            del held[handle]
            allocator.free(handle)
        else:
            size = int(2 ** draw.uniform(5, 25))
            held[allocator.allocate(size)] = size
        assert sum(map(rounded, held.values())) <= allocator.allocated <= allocator.reserved
    for handle in list(held):
        allocator.free(handle)
    assert allocator.allocated == 0
    # Everything is joined again: the free blocks are the segments.
    assert sum(size for free in allocator._free.values() for size, _ in free) == allocator.reserved
    assert all(block.before is None and block.after is None for block in allocator._at.values())
