"""What torch's caching allocator would hand out and take from a CUDA device for a sequence of requests.

A model of the documented rules (torch's "CUDA memory management" notes and CUDACachingAllocator.cpp), default settings,
one stream. **Not validated on CUDA**: `benchmarks/memory/cuda.py` is the validation to run where there is a GPU.

- A request is rounded up to a multiple of 512 bytes: that is what counts as *allocated*.
- Requests up to 1 MiB are served from the small pool, whose segments are 2 MiB; others from the large pool.
- A segment for a request below 10 MiB is 20 MiB; for a larger one the request rounded up to 2 MiB. Segments count as
  *reserved* until the process gives them back, which it does not do by itself unless memory runs out.
- The smallest free block that is large enough is taken, and split if what remains is at least 512 bytes (small pool)
  or more than 1 MiB (large pool).
- A block that is freed joins its free neighbours in the segment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass

MIN_BLOCK = 512
SMALL_REQUEST = 2**20
SMALL_SEGMENT = 2 * 2**20
LARGE_REQUEST = 10 * 2**20
LARGE_SEGMENT = 20 * 2**20
ROUND_LARGE = 2 * 2**20


def rounded(nbytes: int) -> int:
    """What a request counts as: a multiple of 512 bytes, at least 512."""
    return max(MIN_BLOCK, -(-nbytes // MIN_BLOCK) * MIN_BLOCK)


def segment_for(size: int) -> int:
    """Bytes that are taken from the device for a rounded request that no free block can serve."""
    if size <= SMALL_REQUEST:
        return SMALL_SEGMENT
    return LARGE_SEGMENT if size < LARGE_REQUEST else -(-size // ROUND_LARGE) * ROUND_LARGE


@dataclass(eq=False, slots=True)
class _Block:
    """A stretch of a segment; `before` and `after` are its neighbours there."""

    size: int
    address: int
    small: bool
    free: bool = False
    before: _Block | None = None
    after: _Block | None = None

    def key(self) -> tuple[int, int]:
        """Order in which free blocks are taken: the smallest, then the one that lies lowest."""
        return self.size, self.address


class CachingAllocator:
    """The allocator of one device.

    Attributes:
        allocated: bytes handed out now.
        reserved: bytes taken from the device.
        peak_allocated: the most that `allocated` ever was, as `torch.cuda.max_memory_allocated`.
        peak_reserved: the same for `reserved`, as `torch.cuda.max_memory_reserved`.
    """

    def __init__(self) -> None:
        self.allocated = self.reserved = self.peak_allocated = self.peak_reserved = 0
        self._free: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._at: dict[int, _Block] = {}
        self._next_address = 0

    def allocate(self, nbytes: int) -> int:
        """Serve a request for so many bytes; a handle to free it with."""
        size = rounded(nbytes)
        small = size <= SMALL_REQUEST
        block = self._best_fit(size, small=small) or self._new_segment(size, small=small)
        block.free = False
        self._split(block, size)
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block.address

    def free(self, handle: int) -> None:
        """Take a block back and join it with its free neighbours; what was reserved stays so."""
        block = self._at[handle]
        self.allocated -= block.size
        before, after = block.before, block.after
        if after is not None and after.free:
            self._withdraw(after)
            self._join(block, after)
        if before is not None and before.free:
            self._withdraw(before)
            self._join(before, block)
            block = before
        self._offer(block)

    def _best_fit(self, size: int, *, small: bool) -> _Block | None:
        free = self._free[small]
        index = bisect_left(free, (size, -1))
        if index == len(free):
            return None
        block = self._at[free[index][1]]
        self._withdraw(block)
        return block

    def _new_segment(self, size: int, *, small: bool) -> _Block:
        block = _Block(segment_for(size), self._next_address, small)
        # A gap, so that no two segments seem to touch.
        self._next_address += block.size + MIN_BLOCK
        self._at[block.address] = block
        self.reserved += block.size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return block

    def _split(self, block: _Block, size: int) -> None:
        rest = block.size - size
        if not (rest >= MIN_BLOCK if block.small else rest > SMALL_REQUEST):
            return
        remaining = _Block(rest, block.address + size, block.small, before=block, after=block.after)
        if block.after is not None:
            block.after.before = remaining
        block.size, block.after = size, remaining
        self._at[remaining.address] = remaining
        self._offer(remaining)

    def _join(self, left: _Block, right: _Block) -> None:
        left.size += right.size
        left.after = right.after
        if right.after is not None:
            right.after.before = left
        del self._at[right.address]

    def _offer(self, block: _Block) -> None:
        block.free = True
        insort(self._free[block.small], block.key())

    def _withdraw(self, block: _Block) -> None:
        block.free = False
        free = self._free[block.small]
        del free[bisect_left(free, block.key())]


def replayed(requests: Iterable[int], sizes: list[int]) -> CachingAllocator:
    """An allocator after a sequence of events.

    Args:
        requests: ``i + 1`` to allocate storage i, ``-(i + 1)`` to free it.
        sizes: bytes of each storage.
    """
    allocator = CachingAllocator()
    handles: dict[int, int] = {}
    for event in requests:
        if not sizes[abs(event) - 1]:
            continue  # nothing is asked for
        if event > 0:
            handles[event - 1] = allocator.allocate(sizes[event - 1])
        else:
            allocator.free(handles.pop(-event - 1))
    return allocator
