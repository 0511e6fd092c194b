"""NVRTC, NVIDIA's run-time compiler, from its Python wheel: CUDA C++ to cubins and PTX
without a GPU, a driver or a toolkit."""

import ctypes
import glob
import os
import sysconfig


class CompileError(Exception):
    """The compiler's own words."""


def _library():
    site = sysconfig.get_paths()["purelib"]
    found = glob.glob(os.path.join(site, "nvidia/cuda_nvrtc/lib/libnvrtc.so.*"))
    if not found:
        raise SystemExit(f"nvrtc: no wheel nvidia-cuda-nvrtc-cu12 under {site}; `make kernels` installs it")
    return ctypes.CDLL(sorted(found)[0])


class Compiler:
    """Compiles one translation unit; headers are (name -> text), all that an include can name."""

    # Floating-point contraction is the sources' business (__fmaf_rn), not the compiler's.
    OPTIONS = (
        "--std=c++17",
        "--device-as-default-execution-space",
        "--fmad=false",
        "--diag-suppress=177",  # unused static functions: each source uses some of common.cuh
    )

    def __init__(self, headers):
        self.nvrtc = _library()
        self.headers = headers

    def compile(self, name, text, architecture):
        """The cubin for an architecture sm_XX, or the PTX for compute_XX, as bytes."""
        program = ctypes.c_void_p()
        names = sorted(self.headers)
        array = ctypes.c_char_p * len(names)
        self._check(
            "create",
            self.nvrtc.nvrtcCreateProgram(
                ctypes.byref(program),
                text.encode(),
                name.encode(),
                len(names),
                array(*(self.headers[n].encode() for n in names)),
                array(*(n.encode() for n in names)),
            ),
        )
        try:
            options = [f"--gpu-architecture={architecture}".encode(), *(o.encode() for o in self.OPTIONS)]
            rc = self.nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
            log = self._get("ProgramLog", program).rstrip(b"\0").decode().strip()
            if rc:
                raise CompileError(f"{name} for {architecture}:\n{log}")
            if architecture.startswith("sm_"):
                return self._get("CUBIN", program)
            return self._get("PTX", program).rstrip(b"\0")
        finally:
            self.nvrtc.nvrtcDestroyProgram(ctypes.byref(program))

    def _get(self, what, program):
        size = ctypes.c_size_t()
        self._check(what, getattr(self.nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(what, getattr(self.nvrtc, f"nvrtcGet{what}")(program, buffer))
        return buffer.raw[: size.value]

    @staticmethod
    def _check(what, rc):
        if rc:
            raise CompileError(f"nvrtc: {what}: error {rc}")
