import threading
from contextlib import closing

import pytest

from metabin.data.batches.prefetching import prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("depth", [0, 1, 2, 20])
def test_the_items_come_in_order_and_no_thread_is_left(depth):
    assert list(prefetch(iter(range(10)), depth)) == list(range(10))
    assert list(prefetch(iter([]), depth)) == []
    assert threads() == []


@pytest.mark.parametrize("depth", [0, 3])
def test_items_are_computed_that_far_ahead_and_no_farther(depth):
    computed = [threading.Event() for _ in range(10)]

    def items():
        for number, event in enumerate(computed):
            event.set()
            yield number

    with closing(prefetch(items(), depth)) as numbers:
        assert next(numbers) == 0
        assert all(event.wait(10) for event in computed[: 1 + depth])
        assert len(threads()) == (1 if depth else 0)
        assert not any(event.is_set() for event in computed[1 + depth :])
    assert threads() == []


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_error_is_raised_in_place_of_its_item(depth):
    def items():
        yield 0
        yield 1
        raise OSError("images are gone")

    numbers = prefetch(items(), depth)
    assert [next(numbers), next(numbers)] == [0, 1]
    with pytest.raises(OSError, match="images are gone"):
        next(numbers)
    assert threads() == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_thread_ends_when_its_user_fails(error):
    with pytest.raises(error), closing(prefetch(iter(range(10)), 2)) as numbers:
        for _ in numbers:
            raise error
    assert threads() == []
