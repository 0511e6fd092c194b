"""What a multiprocessor can do in a clock, by architecture: tensor and fp32 rates from datasheets, the peak
divided by multiprocessors and boost clock; fp64 and fp16x2 from the CUDA C++ Programming Guide's table of
arithmetic throughput. Of architectures with several classes of card it is the fastest (A10, L40S, RTX PRO 6000:
GeForce cards of 8.6, 8.9 and 12.0 do half as much where the tensor cores accumulate in fp32)."""

ARCHITECTURES = (70, 75, 80, 86, 89, 90, 100, 120)


def _by_architecture(*values):
    return dict(zip(ARCHITECTURES, values))


# FLOP a clock and multiprocessor, dense; None where the architecture lacks the instruction.
# Tensor rates of 9.0 and 10.0 are those of wgmma and tcgen05.
FLOP = {
    "fp32": _by_architecture(128, 128, 128, 256, 256, 256, 256, 256),
    "fp64": _by_architecture(64, 4, 64, 4, 4, 128, 128, 4),
    "fp16x2": _by_architecture(256, 256, 512, 256, 256, 512, 512, 256),
    "fp16": _by_architecture(1024, 1024, 2048, 1024, 1024, 4096, 8192, 1024),
    "bf16": _by_architecture(None, None, 2048, 1024, 1024, 4096, 8192, 1024),
    "tf32": _by_architecture(None, None, 1024, 512, 512, 2048, 4096, 512),
    "int8": _by_architecture(None, 2048, 4096, 2048, 2048, 8192, 16384, 2048),
}

# What mma.sync reaches of them where it is not the instruction that they are for: 0.63 to 0.65 was
# published for 9.0 (arXiv 2501.12084), nothing that we know of for 10.0.
MMA_SYNC = {90: 0.64, 100: None}

# The card whose memory the streaming kernels are held against: GB/s, multiprocessors, boost GHz.
CARDS = {
    70: ("V100 SXM2", 900, 80, 1.53),
    75: ("T4", 320, 40, 1.59),
    80: ("A100 80GB SXM", 2039, 108, 1.41),
    86: ("RTX 3090", 936, 82, 1.695),
    89: ("RTX 4090", 1008, 128, 2.52),
    90: ("H100 SXM", 3352, 132, 1.83),
    100: ("B200", 8000, 148, 1.965),
    120: ("RTX PRO 6000", 1792, 188, 2.6),
}

SCHEDULERS = 4  # a multiprocessor; each issues one instruction of a warp a clock
SPECIAL = 8  # clocks that a special function (MUFU) of a warp takes on its scheduler: 4 lanes
BANKS = 128  # bytes a clock and multiprocessor from or to shared memory

# FLOP of one instruction of a warp, by the start of its name, and the rate that it is held against.
INSTRUCTIONS = (
    ("FFMA", 64, "fp32"),
    ("DFMA", 64, "fp64"),
    ("HFMA2", 128, "fp16x2"),
    # Of m8n8k4 a warp does four; Volta takes four steps with fp32 accumulators, two with fp16.
    ("HMMA.884.F32", 4 * 2 * 8 * 8 * 4 // 4, "fp16"),
    ("HMMA.884.F16", 4 * 2 * 8 * 8 * 4 // 2, "fp16"),
    ("HMMA.1688.F32.TF32", 2 * 16 * 8 * 8, "tf32"),
    ("HMMA.1684.F32.TF32", 2 * 16 * 8 * 4, "tf32"),
    ("HMMA.1688", 2 * 16 * 8 * 8, "fp16"),
    ("HMMA.16816.F32.BF16", 2 * 16 * 8 * 16, "bf16"),
    ("HMMA.16816", 2 * 16 * 8 * 16, "fp16"),
    ("IMMA.8816", 2 * 8 * 8 * 16, "int8"),
    ("IMMA.16816", 2 * 16 * 8 * 16, "int8"),
    ("IMMA.16832", 2 * 16 * 8 * 32, "int8"),
)


def flop(name):
    """FLOP of one instruction of a warp and the name of its rate; (0, None) if it is no product."""
    for start, count, rate in INSTRUCTIONS:
        if name == start or name.startswith(start + "."):
            return count, rate
    return 0, None


def sustained(rate, architecture):
    """The peak as far as these kernels' instructions reach it; None if that is unknown."""
    peak = FLOP[rate][architecture]
    if rate in ("fp16", "bf16", "tf32", "int8"):
        part = MMA_SYNC.get(architecture, 1)
        return part and peak * part
    return peak


def shared_bytes(instruction):
    """What an instruction of a warp moves between shared memory and registers, at most."""
    operation, *modifiers = instruction.name.split(".")
    if operation == "LDSM":  # matrices of 8x8 halves
        return 128 * next((n for n in (4, 2) if str(n) in modifiers), 1)
    if operation in ("LDGSTS", "LDS", "STS"):
        return 32 * next((n // 8 for n in (128, 64, 16, 8) if str(n) in modifiers), 4)
    return 0
