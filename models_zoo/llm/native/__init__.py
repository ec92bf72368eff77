"""The decoder's own kernels for processors with AVX-512 VNNI: compiled on first use, called through ctypes.

Without a compiler, or on another processor, the same decoder runs on torch's operations.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from models_zoo.llm.cache_folder import own_folder, shared_folder, used

logger = logging.getLogger(__name__)

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-std=c++17", "-pthread", "-fPIC", "-shared")
SOURCES = sorted([*Path(__file__).parent.glob("*.cpp"), *Path(__file__).parent.glob("*.h")])
COMPILE_SECONDS = 120
DIGEST_BYTES = 32


class MatrixStruct(ctypes.Structure):
    """`Matrix` of product.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("rows", ctypes.c_int32),
        ("columns", ctypes.c_int32),
        ("bits", ctypes.c_int32),
        ("more", ctypes.c_void_p),
        ("place", ctypes.c_void_p),
    )


_loaded: dict[str, ctypes.CDLL | None] = {}
_loading = threading.Lock()


def library(folder: Path) -> ctypes.CDLL | None:
    """The compiled kernels, kept in `folder` and loaded once a process; None where they cannot be had."""
    if "avx512_vnni" not in processor_features().split():
        return None
    key = _key()
    with _loading:
        if key not in _loaded:
            _loaded[key] = _load(f"{key}.so", (lambda: shared_folder(folder), own_folder))
        return _loaded[key]


def _load(name: str, folders: Sequence[Callable[[], Path]]) -> ctypes.CDLL | None:
    """From the first folder that has them, can be written and run from; made there if need be."""
    reasons = []
    for folder in folders:
        try:
            path = folder() / name
            if not _whole(path):
                _compile(path)
            kernels = ctypes.CDLL(str(path))
            used(path)
            return kernels
        except OSError as error:
            reasons.append(str(error))
        except subprocess.SubprocessError as error:
            reasons.append(str(getattr(error, "stderr", None) or error))
            break  # the compiler would say the same anywhere
    logger.warning("no kernels of our own, torch's serve instead: %s", "; ".join(dict.fromkeys(reasons)))
    return None


def processor_features() -> str:
    """What /proc/cpuinfo says that this processor can do; empty where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def _key() -> str:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    digest = hashlib.sha256("\0".join((*FLAGS, processor_features(), libc)).encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _whole(path: Path) -> bool:
    """Whether a file is as `_compile` wrote it: a damaged one would crash us when it is loaded or run."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]


def _compile(path: Path) -> None:
    """Compile into `path`, which ends with the digest of all before it: the loader passes over that."""
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}.partial")
    partial.touch()  # where that fails, nothing needs compiling
    try:
        compiler = shutil.which("g++")
        if compiler is None:
            raise FileNotFoundError("g++ is not installed")
        main = next(str(source) for source in SOURCES if source.suffix == ".cpp")
        command = [compiler, *FLAGS, main, "-o", str(partial)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=COMPILE_SECONDS)
        data = partial.read_bytes()
        partial.write_bytes(data + hashlib.sha256(data).digest())
        partial.chmod(path.parent.stat().st_mode & 0o755)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def ran(status: int) -> None:
    """Raise what a kernel's status means."""
    if status == 1:
        raise MemoryError("no memory for the kernels' intermediate results")
    if status:
        raise RuntimeError("the kernels failed")


def multiply(kernels: ctypes.CDLL, matrix: MatrixStruct, x: torch.Tensor) -> torch.Tensor:
    """x [M, columns] -> x W^T float32 [M, rows]."""
    x = x.float().contiguous()
    out = torch.empty(len(x), matrix.rows)
    threads = torch.get_num_threads()
    ran(kernels.multiply(ctypes.byref(matrix), _pointer(x), len(x), _pointer(out), threads))
    return out


def dequantize(kernels: ctypes.CDLL, matrix: MatrixStruct, out: torch.Tensor) -> torch.Tensor:
    """W in `out`, contiguous float32 [rows, columns]."""
    ran(kernels.dequantize(ctypes.byref(matrix), _pointer(out), torch.get_num_threads()))
    return out


def _pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
