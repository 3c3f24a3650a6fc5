"""What this machine could do at best: the floor under any round."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Thread

import numpy as np
import torch

from hothouse.bench.workloads import Workload

_SIZE = 1024
_NUMBERS = 1 << 24


@dataclass(frozen=True)
class Floor:
    """A machine's speed with large matrices and with memory, on all processors that are used."""

    operations: float
    """Floating-point operations per second in the product of large matrices of float32."""
    bytes: float
    """Bytes per second that a sum over a large array reads."""

    @classmethod
    def of(cls, processors: int, turns: int = 7) -> Floor:
        """The best of several turns."""
        torch.set_num_threads(processors)
        a, b = torch.ones(2, _SIZE, _SIZE)
        products = min(_seconds(lambda: torch.mm(a, b)) for _ in range(turns))
        arrays = [np.ones(_NUMBERS, np.float32) for _ in range(processors)]

        def read() -> None:
            threads = [Thread(target=array.sum) for array in arrays]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        reading = min(_seconds(read) for _ in range(turns))
        return cls(2 * _SIZE**3 / products, 4 * _NUMBERS * processors / reading)

    def seconds(self, workload: Workload) -> float:
        """The least that a round of the workload takes: its products, or reading its rows."""
        return max(workload.operations / self.operations, workload.bytes / self.bytes)


def _seconds(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
