"""Answers off the event loop: what is asked at the same time is computed as one batch, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from export.recognizer import Recognizer

__all__ = ["BusyError", "Reader"]

BATCH = 64
"""Most pictures of one computation."""
WAITING = 1024
"""Most pictures that wait."""

_Request = tuple[NDArray[np.uint8], "asyncio.Future[NDArray[np.float32]]"]


class BusyError(Exception):
    """Too much waits already."""


class Reader:
    """Asks a recognizer, one batch after another. To be used within one event loop."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._waiting: deque[_Request] = deque()
        self._pictures = 0
        self._thread = ThreadPoolExecutor(1, "reader")
        self._task: asyncio.Task[None] | None = None

    async def ask(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, side, side) → float32 (N, labels). Raises BusyError if too much waits."""
        if self._pictures + len(pictures) > WAITING:
            raise BusyError
        answer: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        self._waiting.append((pictures, answer))
        self._pictures += len(pictures)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [self._waiting.popleft()]
            size = len(batch[0][0])
            while self._waiting and size + len(self._waiting[0][0]) <= BATCH:
                batch.append(self._waiting.popleft())
                size += len(batch[-1][0])
            self._pictures -= size
            requests = [entry for entry in batch if not entry[1].done()]  # the others hung up
            if not requests:
                continue
            try:
                joined = np.concatenate([pictures for pictures, _ in requests])
                probabilities = await loop.run_in_executor(self._thread, self._recognizer.probabilities, joined)
            except Exception as error:  # belongs to those who asked, and must not end this loop
                for _, answer in requests:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            at = 0
            for pictures, answer in requests:
                if not answer.done():
                    answer.set_result(probabilities[at : at + len(pictures)])
                at += len(pictures)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
