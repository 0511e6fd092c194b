"""Stands in for PyTorch in tests: it computes nothing, and its clock advances by what a call's work takes at the rate that
REALFLOPS_FAKE_RATES gives for the burst: numbers with commas, in FLOP/s or B/s, the last one for all that follow.
An empty list is a PyTorch that sees no GPU."""

import os
from contextlib import nullcontext
from types import SimpleNamespace

__version__ = "0.0"
version = SimpleNamespace(cuda="0.0")
float64, float32, float16, bfloat16, int8, int32 = (SimpleNamespace(itemsize=i) for i in (8, 4, 2, 2, 1, 4))
backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=None)))

_rates = [float(r) for r in os.environ.get("REALFLOPS_FAKE_RATES", "1e12").split(",") if r]
_state = SimpleNamespace(now=0.0, bursts=0, graph=None)


def _work(amount):
    if _state.graph is not None:
        _state.graph.amount += amount
    else:
        _state.now += amount / _rates[min(_state.bursts, len(_rates) - 1)]


class Tensor:
    def __init__(self, *shape, dtype=float32, by_columns=False):
        self.shape, self.dtype, self.by_columns = shape, dtype, by_columns

    def t(self):
        return Tensor(*reversed(self.shape), dtype=self.dtype, by_columns=not self.by_columns)

    def to(self, dtype):
        return Tensor(*self.shape, dtype=dtype)

    def mul_(self, _):
        return self

    round_ = lambda self: self
    clamp_ = lambda self, low, high: self

    def copy_(self, x):
        _work(2 * x.shape[0] * x.dtype.itemsize)


def randn(*shape, dtype=float32, device):
    return Tensor(*shape, dtype=dtype)


def empty(*shape, dtype=float32, device):
    return Tensor(*shape, dtype=dtype)


def empty_like(x):
    return Tensor(*x.shape, dtype=x.dtype)


def mm(a, b, out):
    if a.shape[1] != b.shape[0] or out.shape != (a.shape[0], b.shape[1]) or out.dtype is not a.dtype:
        raise RuntimeError(f"{a.shape} times {b.shape} is not {out.shape}")
    if a.dtype is float32 and backends.cuda.matmul.allow_tf32 is None:
        raise RuntimeError("whether tf32 is allowed was not said")
    _work(2 * a.shape[0] * a.shape[1] * b.shape[1])


def _int_mm(a, b, out):
    if a.dtype is not int8 or b.dtype is not int8 or out.dtype is not int32:
        raise RuntimeError("expected int8 operands and an int32 product")
    if a.by_columns or not b.by_columns:
        raise RuntimeError("expected A by rows and B by columns")
    _work(2 * a.shape[0] * a.shape[1] * b.shape[1])


class _Graph:
    def __init__(self):
        self.amount = 0

    def replay(self):
        _work(self.amount)


class _Capture:
    def __init__(self, graph):
        if "REALFLOPS_FAKE_NO_GRAPH" in os.environ:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.graph = graph

    def __enter__(self):
        _state.graph = self.graph

    def __exit__(self, *_):
        _state.graph = None


class _Event:
    def __init__(self, enable_timing):
        self.at = None

    def record(self):
        self.at = _state.now

    def synchronize(self):
        _state.bursts += 1

    def elapsed_time(self, end):
        return (end.at - self.at) * 1e3


_stream = SimpleNamespace(wait_stream=lambda other: None)
cuda = SimpleNamespace(
    is_available=lambda: bool(_rates), Stream=lambda: _stream, current_stream=lambda: _stream, stream=lambda s: nullcontext(),
    synchronize=lambda: None, empty_cache=lambda: None, CUDAGraph=_Graph, graph=_Capture, Event=_Event,
)  # fmt: skip
