#!/usr/bin/env python3
"""Compile kernels/cuda/src for every architecture: what `make kernels` and `make check-kernels` run.

    build.py compile OUT [ARCH...]   the images into the folder OUT (sm_90a.cubin.gz, compute_80.ptx.gz, ...)
    build.py assemble COMPILED       fail where ptxas does not take the PTX at its .version, or takes it at an older one
    build.py compare OUT COMMITTED   fail where the images of two folders differ
    build.py table COMPILED DOC      hold the cubins to the claims, and write the table

Each architecture is one module of all sources. A source that does not compile is named with the compiler's words.
The same sources give the same bytes: no path, time or machine enters them.
"""

import gzip
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

import nvrtc

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(HERE), "src")

CUBINS = ("sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a")

# PTX, and the oldest .version that its instructions need: a driver takes PTX up to the version of its own
# CUDA, and NVRTC writes the newest. `assemble` holds the labels to ptxas.
PTX = {"compute_50": "6.0", "compute_70": "6.4", "compute_75": "6.5", "compute_80": "7.0"}
VERSIONS = ("6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "7.7", "7.8", "8.0")
NEWEST = "sm_120"  # the newest architecture that PTX is assembled for


def tool(name):
    """A binary of CUDA from the triton wheel, which brings ptxas, nvdisasm and cuobjdump."""
    path = os.path.join(sysconfig.get_paths()["purelib"], "triton/backends/nvidia/bin", name)
    if not os.path.exists(path):
        raise SystemExit(f"build: no {name} at {path}; `make kernels` installs it")
    return path


def read_sources():
    """(headers by name, names of the sources to compile in order)."""
    texts = {}
    for name in sorted(os.listdir(SOURCES)):
        if name.endswith((".cu", ".cuh")):
            with open(os.path.join(SOURCES, name), encoding="utf-8") as f:
                texts[name] = f.read()
    return texts, [n for n in texts if n.endswith(".cu")]


def compile_module(compiler, sources, architecture):
    """One image; where it fails, the sources that fail alone are named."""
    unit = "".join(f'#include "{s}"\n' for s in sources)
    try:
        return compiler.compile("kernels.cu", unit, architecture)
    except nvrtc.CompileError as whole:
        alone = []
        for s in sources:
            try:
                compiler.compile("kernels.cu", f'#include "{s}"\n', architecture)
            except nvrtc.CompileError as e:
                alone.append(f"{s}: {e}")
        raise SystemExit("build: " + ("\n".join(alone) or f"each source compiles alone, together they do not: {whole}")) from None


def assembles(text, architecture):
    """None if ptxas takes the PTX for the architecture, else its first words."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernels.ptx")
        with open(path, "wb") as f:
            f.write(text)
        run = subprocess.run(
            [tool("ptxas"), f"-arch={architecture}", path, "-o", os.path.join(folder, "kernels.cubin")],
            capture_output=True,
            text=True,
            check=False,
        )
    return None if run.returncode == 0 else (run.stderr or run.stdout).replace(path, "kernels.ptx").strip()


def label(ptx, version):
    """The PTX without comments, as of a version."""
    text = re.sub(rb"(?m)^//.*\n", b"", ptx).lstrip()
    return re.sub(rb"(?m)^\.version .*$", b".version " + version.encode(), text, count=1)


def assemble(compiled):
    bad = []
    for architecture, version in PTX.items():
        with gzip.open(os.path.join(compiled, f"{architecture}.ptx.gz")) as f:
            text = f.read().rstrip(b"\0")
        own = architecture.replace("compute", "sm")
        for target in (own, NEWEST):
            if why := assembles(text, target):
                bad.append(f"{architecture} at version {version} for {target}: {why[:2000]}")
        older = VERSIONS[max(VERSIONS.index(version) - 1, 0)]
        if older != version and assembles(label(text, older), own) is None:
            bad.append(f"{architecture} assembles at version {older} too; it is labelled {version}")
    if bad:
        raise SystemExit("\n".join("build: " + b for b in bad))


def write(out, name, data):
    # mtime 0 and no name inside: the archive depends on its content alone.
    with open(os.path.join(out, name), "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(data)


def compile_all(out, only):
    texts, sources = read_sources()
    compiler = nvrtc.Compiler(texts)
    os.makedirs(out, exist_ok=True)
    for architecture in (*CUBINS, *PTX):
        if only and architecture not in only:
            continue
        image = compile_module(compiler, sources, architecture)
        if architecture in CUBINS:
            write(out, f"{architecture}.cubin.gz", image)
            print(f"{architecture}: {len(image)} bytes", flush=True)
        else:
            image = label(image, PTX[architecture])
            write(out, f"{architecture}.ptx.gz", image + b"\0")  # the driver wants the NUL
            print(f"{architecture}: {len(image)} bytes of PTX {PTX[architecture]}", flush=True)


def content(folder):
    images = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".gz"):
            with gzip.open(os.path.join(folder, name)) as f:
                images[name] = f.read()
    return images


def first_difference(new, old, name):
    if name.endswith(".ptx.gz"):
        lines = zip(new.split(b"\n"), old.split(b"\n"))
        for number, (a, b) in enumerate(lines, 1):
            if a != b:
                return f"line {number}: built {a.decode().strip()!r}, committed {b.decode().strip()!r}"
    for at, (a, b) in enumerate(zip(new, old)):
        if a != b:
            return f"at byte {at} of {len(old)}"
    return f"{len(new)} bytes built, {len(old)} committed"


def compare(built, committed):
    """Images are compared as the GPU sees them, unpacked: zlib's versions pack differently."""
    new, old = content(built), content(committed)
    bad = [f"{name} is committed, but not built" for name in old if name not in new]
    bad += [f"{name} is built, but not committed" for name in new if name not in old]
    bad += [f"{n} differs: {first_difference(new[n], old[n], n)}" for n in new if n in old and new[n] != old[n]]
    if bad:
        raise SystemExit("\n".join("build: " + b for b in bad) + "\nbuild: run `make kernels` and commit what it changes")


def main(arguments):
    match arguments:
        case ["compile", out, *only]:
            compile_all(out, only)
        case ["assemble", compiled]:
            assemble(compiled)
        case ["compare", built, committed]:
            compare(built, committed)
        case ["table", compiled, document]:
            import table

            table.write(compiled, document)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
