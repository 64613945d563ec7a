"""The validation part, read a block at a time however large it is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastetl.data.batches import Batches
from fastetl.data.ordering import Source
from model.calibration import log_softmax
from model.config import TrainConfig
from model.history import Epoch
from model.predict import predict
from model.step import Eval, Tree

__all__ = ["Data", "some_logits", "validated"]

MOST_CALIBRATING = 1 << 16
"""Validation characters on which confidence is fitted, at most: their logits are held in memory."""
MOST_LOGITS = 1 << 24
"""The same of their logits: with thousands of classes, fewer characters tell as much."""
BLOCK = 1 << 13
"""Validation pictures in memory at a time."""
Read = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures uint8 (N, S, S) → logits float32 (N, classes)."""


@dataclass(frozen=True, eq=False)
class Data:
    """What the loop reads: batches to train on, samples to validate on."""

    batches: Batches
    valid: tuple[Source, ...]

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Pictures uint8 (N, S, S) and classes (N,) to validate on, not many at a time."""
        for source in self.valid:
            for pictures, labels in source.blocks(BLOCK):
                yield pictures, labels.astype(np.int64)


def some_logits(read: Read, data: Data, classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of every so-many-th validation picture, as many as the two bounds allow, with their classes."""
    every = -(-sum(map(len, data.valid)) // max(1, min(MOST_CALIBRATING, MOST_LOGITS // classes)))
    blocks, passed = [], 0
    for pictures, labels in data.blocks():
        some = slice(-passed % every, None, every)
        blocks.append((read(pictures[some]), labels[some]))
        passed += len(labels)
    return np.concatenate([logits for logits, _ in blocks]), np.concatenate([labels for _, labels in blocks])


def validated(entry: Epoch, evaluate: Eval, weights: Tree, data: Data, config: TrainConfig) -> Epoch:
    """An epoch's entry, with loss and accuracy on the validation part, and the seconds that this took."""
    begin = time.perf_counter()
    loss, right, count = 0.0, 0, 0
    for pictures, labels in data.blocks():
        logits = predict(lambda some: evaluate(weights, some), pictures)
        log = log_softmax(logits)
        own = log[np.arange(len(log)), labels]
        loss -= float(((1 - config.label_smoothing) * own + config.label_smoothing * log.mean(1)).sum())
        right += int((logits.argmax(1) == labels).sum())
        count += len(labels)
    seconds = entry.seconds + time.perf_counter() - begin
    return dataclasses.replace(entry, valid_loss=loss / count, valid_accuracy=right / count, seconds=seconds)
