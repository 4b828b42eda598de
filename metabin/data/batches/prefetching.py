"""Batches prepared in a background thread while the device computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """Yield the items of an iterator, which a background thread computes ahead.

    An error of the iterator is raised here, in place of its item. Closing the generator ends the
    thread.

    Args:
        items: An iterator over anything but None, used by the thread alone.
        depth: Number of items ahead of the caller; with 0 there is no thread.
    """
    if not depth:
        yield from items
        return
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
    try:
        pending = deque(executor.submit(next, items, None) for _ in range(depth))
        while (item := pending.popleft().result()) is not None:
            pending.append(executor.submit(next, items, None))
            yield item
    finally:
        executor.shutdown(cancel_futures=True)
