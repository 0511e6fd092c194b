"""Times this module's GPU engines against PyTorch, by turns in one run, so that whatever the card's clock, power and
temperature do meets both.

PyTorch runs in this process; each of our engines in a worker of its own (docs/worker.md), all on one GPU, one at a time.
Both sides time bursts by CUDA events, on randn data, out of as many sets of operands as keep the L2 cache cold. PyTorch's calls are
captured into CUDA graphs where that works, so that no time of the interpreter is in its figure.

Writes realflops-gpu-peers/1 as JSON to --out after every case. Exit codes: 0 written, whatever the ratios are; 1 failed;
5 nothing to compare with (no PyTorch, or one without this GPU), which the last line of stderr says.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time

import pairs

NO_PEER = 5
BURST_S = 0.05

SQUARES = [f"{n}x{n}x{n}" for n in (4096, 8192, 1024)]
SKINNY = ["16x4096x4096", "128x4096x4096", "4096x4096x64"]
OWN = {"fp32/fp32": "ptx-simt"}  # ptx-mma for all others

# Kernel, precision, shape; those that have a goal come first, since the time may be up.
CASES = (
    [("gemm", p, s) for p in ("fp16/fp32", "fp32/fp32") for s in SQUARES]
    + [("relu", "fp32", str(64 << 20)), ("relu", "fp16", str(128 << 20)), ("copy", "fp64", str(32 << 20))]
    + [("gemm", p, s) for p in ("bf16/fp32", "int8/int32", "tf32/fp32") for s in SQUARES]
    + [("gemm", p, s) for p in ("fp16/fp32", "fp32/fp32") for s in SKINNY]
)


class WorkerError(Exception):
    """What a worker answered in place of a figure."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class Worker:
    """One worker process on the device."""

    def __init__(self, path, device):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seq = 0
        self.hello = self.ask("hello")["hello"]
        self.opened = self.ask("open", device=device)["open"]

    def ask(self, verb, **parameters):
        self.seq += 1
        request = {"seq": self.seq, "do": verb} | ({verb: parameters} if parameters else {})
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as e:
            raise WorkerError("broken", f"the worker ended before {verb}") from e
        for line in self.process.stdout:
            reply = json.loads(line)
            if reply["seq"] != self.seq or reply["type"] == "heartbeat":
                continue
            if reply["type"] == "failed":
                raise WorkerError(reply["error"]["kind"], f"{verb}: {reply['error']['text']}")
            return reply
        raise WorkerError("broken", f"the worker ended during {verb}")

    def engines(self, kernel, precision):
        return [o["engine"] for o in self.opened["offers"] if (o["kernel"], o["precision"]) == (kernel, precision)]

    def close(self):
        try:
            self.ask("close")
        except WorkerError:
            pass  # it has failed before, and that was told
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def work(kernel, precision, shape):
    """What one pass counts as, and the unit: FLOP of a product, bytes in and out of the others."""
    if kernel == "gemm":
        return 2 * math.prod(map(int, shape.split("x"))), "FLOP/s"
    return 2 * int(shape) * {"fp64": 8, "fp32": 4, "fp16": 2}[precision], "B/s"


class Torch:
    """PyTorch on the device: prepares a case's calls, and times bursts of them."""

    def __init__(self, torch):
        self.torch = torch
        matmul = torch.backends.cuda.matmul
        matmul.allow_fp16_reduced_precision_reduction = False  # our sums are fp32 too
        matmul.allow_bf16_reduced_precision_reduction = False

    def version(self):
        return f"PyTorch {self.torch.__version__}, CUDA {self.torch.version.cuda}"

    def call(self, kernel, precision, shape):
        """One set of operands: the function that computes on it, and its name."""
        t, cuda = self.torch, {"device": "cuda"}
        if kernel != "gemm":  # the bandwidth of a copy is what all of these are held against
            x = t.randn(int(shape), dtype={"fp64": t.float64, "fp32": t.float32, "fp16": t.float16}[precision], **cuda)
            y = t.empty_like(x)
            return (lambda: y.copy_(x)), "copy_"
        m, n, k = map(int, shape.split("x"))
        if precision == "int8/int32":
            if not hasattr(t, "_int_mm"):
                raise NotImplementedError("this PyTorch has no _int_mm")
            ints = lambda rows: t.randn(rows, k, **cuda).mul_(127 / 4).round_().clamp_(-127, 127).to(t.int8)
            a, b, c = ints(m), ints(n).t(), t.empty(m, n, dtype=t.int32, **cuda)  # B is stored by columns, as ours
            return (lambda: t._int_mm(a, b, out=c)), "_int_mm"
        dtype = {"fp16/fp32": t.float16, "bf16/fp32": t.bfloat16}.get(precision, t.float32)
        t.backends.cuda.matmul.allow_tf32 = precision == "tf32/fp32"
        a, b, c = t.randn(m, k, dtype=dtype, **cuda), t.randn(k, n, dtype=dtype, **cuda), t.empty(m, n, dtype=dtype, **cuda)
        return (lambda: t.mm(a, b, out=c)), "mm"

    def prepare(self, kernel, precision, shape, sets):
        """A function that times passes and returns their seconds, the passes that one turn of it is, and a note."""
        t = self.torch
        calls = [self.call(kernel, precision, shape) for _ in range(sets)]
        note = calls[0][1]

        def turn():
            for run, _ in calls:
                run()

        side = t.cuda.Stream()
        side.wait_stream(t.cuda.current_stream())
        with t.cuda.stream(side):
            turn()
        t.cuda.current_stream().wait_stream(side)
        t.cuda.synchronize()
        step = turn
        try:
            graph = t.cuda.CUDAGraph()
            with t.cuda.graph(graph):
                turn()
            step, note = graph.replay, note + ", CUDA graph"
        except RuntimeError as e:
            note += f", launched one by one ({str(e).splitlines()[0]})"

        def seconds(turns):
            start, end = t.cuda.Event(enable_timing=True), t.cuda.Event(enable_timing=True)
            start.record()
            for _ in range(turns):
                step()
            end.record()
            end.synchronize()
            return start.elapsed_time(end) / 1e3

        return seconds, note


class Contest:
    """All cases on one device."""

    def __init__(self, arguments, torch):
        self.arguments, self.peer = arguments, Torch(torch)
        self.workers = {}  # by the place in a case's list of engines
        self.rows, self.skipped = [], []
        self.started = time.monotonic()

    def worker(self, place):
        if place not in self.workers:
            self.workers[place] = Worker(self.arguments.worker, self.arguments.device)
        return self.workers[place]

    def run(self):
        first = self.worker(0)
        device = next(d for d in first.hello["devices"] if d["id"] == self.arguments.device)
        self.document = {
            "schema": "realflops-gpu-peers/1", "device": device["id"], "model": device["model"], "architecture": device["architecture"],
            "emulated": first.hello["emulated"], "peer": self.peer.version(), "rows": self.rows, "skipped": self.skipped,
        }  # fmt: skip
        for case in CASES:
            name = " ".join(case)
            if not re.search(self.arguments.cases, name):
                continue
            if time.monotonic() - self.started > self.arguments.seconds:
                self.skip(name, f"the {self.arguments.seconds:g} s for all cases were up")
                continue
            print(name, file=sys.stderr, flush=True)
            self.case(name, *case)
            self.peer.torch.cuda.empty_cache()  # our workers need the memory
            self.write()
        self.write()

    def skip(self, name, why, failed=False):
        self.skipped.append({"case": name, "why": why, "failed": failed})

    def case(self, name, kernel, precision, shape):
        wanted = [OWN.get(precision, "ptx-mma"), "cublaslt"] if kernel == "gemm" else ["ptx-simt"]
        count, unit = work(kernel, precision, shape)
        prepared, bursts = {}, {}
        for place, engine in enumerate(wanted):
            if self.guarded(f"{name} by {engine}", place, lambda w: self.prepare(w, kernel, precision, shape, engine, prepared)):
                bursts[engine] = self.ours(place, prepared[engine], count)
        if not prepared:
            return
        sets = max(p["sets"] for p in prepared.values())
        try:
            seconds, note = self.peer.prepare(kernel, precision, shape, sets)
        except (RuntimeError, NotImplementedError) as e:  # PyTorch's error for a case that it does not do
            self.skip(name, f"PyTorch: {str(e).splitlines()[0]}")
            return
        turns = max(1, round(BURST_S / sets / min(p["pass_s"] for p in prepared.values())))
        bursts["torch"] = lambda: count * sets * turns / seconds(turns)
        try:
            rates = pairs.take_turns(bursts, self.arguments.rounds)
        except WorkerError as e:
            self.failed(name, e)
            return
        for place, engine in enumerate(wanted):
            if engine not in prepared or not self.guarded(f"{name} by {engine}", place, lambda w: self.check(w, prepared[engine])):
                continue
            row = {"kernel": kernel, "precision": precision, "shape": shape, "engine": engine, "unit": unit}
            row |= pairs.compare(rates[engine], rates["torch"]) | {"note": prepared[engine]["note"], "peer_note": note, "sets": sets}
            row["goal"] = pairs.goal(row, self.document["architecture"])
            row["verdict"] = pairs.verdict(row["ratio"], row["goal"])
            self.rows.append(row)

    def guarded(self, name, place, what):
        """Whether what could be done with the worker of the place. Why not is noted."""
        try:
            return what(self.worker(place))
        except WorkerError as e:
            self.failed(name, e)
            return False

    def failed(self, name, error):
        self.skip(name, str(error), failed=error.kind not in ("unsupported", "memory"))
        if error.kind == "broken":  # new processes for the next case
            self.close()

    def prepare(self, worker, kernel, precision, shape, engine, prepared):
        if engine not in worker.engines(kernel, precision):
            why = f"this device and worker have no {engine} for it"
            raise WorkerError("unsupported", worker.opened["no_library"] if engine == "cublaslt" and worker.opened.get("no_library") else why)
        case = {"kernel": kernel, "precision": precision, "shape": shape, "engine": engine}
        prepared[engine] = worker.ask("prepare", data="randn", seed=7, cold=True, **case)["prepare"]
        return True

    def check(self, worker, prepared):
        if (checksum := worker.ask("check")["checksum"]) != prepared["checksum"]:
            raise WorkerError("wrong", f"the checksum after the rounds is {checksum}, before them it was {prepared['checksum']}")
        return True

    def ours(self, place, prepared, count):
        passes = max(1, round(BURST_S / prepared["pass_s"]))
        worker = self.workers[place]

        def burst():
            sample = worker.ask("sample", passes=passes, samples=1)["sample"]["samples"][0]
            return count * sample["passes"] / sample["seconds"]

        return burst

    def close(self):
        for w in self.workers.values():
            w.close()
        self.workers = {}

    def write(self):
        part = self.arguments.out + ".part"
        with open(part, "w", encoding="utf-8") as f:
            json.dump(self.document, f, indent=2)
        os.replace(part, self.arguments.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", required=True, help="path of realflops-worker")
    parser.add_argument("--device", required=True, help="UUID of the GPU")
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument("--seconds", type=float, default=150, help="begin no case after so long")
    parser.add_argument("--rounds", type=int, default=11, help="rounds of a burst each")
    parser.add_argument("--cases", default="", help="regular expression of the cases to run (gemm fp16/fp32 4096x4096x4096)")
    arguments = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = arguments.device  # for PyTorch, before it looks
    try:
        import torch
    except ImportError as e:
        print(f"PyTorch cannot be imported: {e}", file=sys.stderr)
        return NO_PEER
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} sees no GPU", file=sys.stderr)
        return NO_PEER
    contest = Contest(arguments, torch)
    try:
        contest.run()
    except WorkerError as e:
        print(f"pytorch.py: {e}", file=sys.stderr)
        return 1
    finally:
        contest.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
