"""Work through a pool, in a fixed order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
    pool: type[Executor] = ThreadPoolExecutor,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the items' order, computed by threads or processes.

    At most `ahead` results wait to be consumed, so memory does not grow with the number of items. The first
    error ends the work and is raised.
    """
    executor = pool(workers)
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, executor.submit(function, item)))
            if len(waiting) > ahead:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        executor.shutdown(cancel_futures=True)
