"""What the GPU really executes: reads nvdisasm's listing of a cubin, finds the measured part of
each kernel, and counts its instructions."""

import gzip
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field

FUNCTION = re.compile(r"^\.text\.(\w+):")
LABEL = re.compile(r"^(\.L\w+):")
INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)\s*(.*?)\s*(?:&\w+=.*|\?\w+.*)?;?\s*$")
TARGET = re.compile(r"`\((\.L\w+)\)")
USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")

# Instructions that do the arithmetic which is counted. Integer arithmetic is addresses, and
# HADD2.F32 a conversion.
MATH = re.compile(r"^(FFMA2?|FMUL2?|FADD2?|DFMA|DMUL|DADD|HFMA2|HMUL2|HADD2|[HIDBQO]MMA|[HIQ]GMMA|UTC\w*MMA|IDP)\b")
# Moves in disguise: HFMA2(.MMA) Rd, -RZ, RZ, x, y puts a constant in a register, FADD Rd, -RZ, Ra copies.
MOVE = re.compile(r"^R\d+, -?RZ, (-?RZ|R\d+)(,|$)")
SPILLS = ("LDL", "STL")


@dataclass
class Instruction:
    address: int
    name: str  # with its modifiers: HMMA.16816.F32
    operands: str
    target: int = -1  # of a branch

    def is_(self, pattern):
        """Whether it is the pattern's operation with at least its modifiers, in their order: LDS.U.128 is LDS.128."""
        have = iter(self.name.split("."))
        want = pattern.split(".")
        return next(have) == want[0] and all(w in have for w in want[1:])

    @property
    def math(self):
        return bool(MATH.match(self.name)) and not self.name.startswith("HADD2.F32") and not MOVE.match(self.operands)


@dataclass
class Function:
    name: str
    registers: int = 0
    shared: int = 0  # static, bytes
    stack: int = 0
    code: list = field(default_factory=list)
    labels: list = field(default_factory=list)  # addresses

    @property
    def spills(self):
        """Accesses to local memory, and bytes of stack: both must be 0."""
        return self.stack + sum(any(i.is_(s) for s in SPILLS) for i in self.code)

    def loops(self):
        """The innermost loops: the code between a backward branch and its target that holds no other loop."""
        spans = {(i.target, i.address) for i in self.code if i.is_("BRA") and 0 <= i.target < i.address}
        inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
        return [[i for i in self.code if s[0] <= i.address <= s[1]] for s in sorted(inner)]

    def measured_loop(self):
        """The innermost loop with the most arithmetic; empty if there is none."""
        return max(self.loops(), key=lambda code: sum(i.math for i in code), default=[])

    def measured_block(self):
        """Of kernels without a loop: the straight run of code with the most 16-byte loads."""
        blocks, now = [], []
        for i in self.code:
            if i.address in self.labels and now:
                blocks.append(now)
                now = []
            now.append(i)
            if i.is_("BRA") or i.is_("EXIT"):
                blocks.append(now)
                now = []
        blocks.append(now)
        return max(blocks, key=lambda code: (sum(i.is_("LDG.E.128") for i in code), sum(i.math for i in code)))


def parse(listing, usage):
    functions, now, pending, labels = {}, None, {}, {}
    for line in listing.splitlines():
        if line.startswith("\t.section"):
            now = None
        elif m := FUNCTION.match(line):
            now = functions.setdefault(m[1], Function(m[1]))
        elif now is None:
            continue
        elif m := LABEL.match(line):
            pending.setdefault(now.name, []).append(m[1])
        elif m := INSTRUCTION.match(line):
            address = int(m[1], 16)
            for label in pending.pop(now.name, []):
                labels[label] = address
                now.labels.append(address)
            now.code.append(Instruction(address, m[2], m[3]))
    for f in functions.values():
        for i in f.code:
            if m := TARGET.search(i.operands):
                i.target = labels.get(m[1], -1)
    name = None
    for line in usage.splitlines():
        if line.strip().startswith("Function "):
            name = line.split()[1].rstrip(":")
        elif (m := USAGE.search(line)) and name in functions:
            f = functions[name]
            f.registers, f.stack, f.shared = int(m[1]), int(m[2]) + int(m[4]), int(m[3])
    return functions


def read(path, tool):
    """The functions of a packed cubin, by name; tool finds a binary of CUDA."""
    with tempfile.TemporaryDirectory() as folder, gzip.open(path) as z:
        cubin = os.path.join(folder, "kernels.cubin")
        with open(cubin, "wb") as f:
            f.write(z.read())
        listing = subprocess.run([tool("nvdisasm"), "-c", cubin], capture_output=True, text=True, check=True).stdout
        usage = subprocess.run([tool("cuobjdump"), "-res-usage", cubin], capture_output=True, text=True, check=True)
    return parse(listing, usage.stdout + usage.stderr)
