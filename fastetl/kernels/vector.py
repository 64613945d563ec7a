"""Kernels written in LLVM's vector operations, compiled in the process in some 30 ms: no numba, no cache on disk.

Vectors are 512 bits wide; LLVM splits them where the processor's are narrower. What knows the processor are the dot
products here and the table look-up in `contrast`; each has a form that every processor runs.
"""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

I8, I16, I32, I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()
POINTER = ir.PointerType()

FORMS: dict[str, frozenset[str]] = {
    "vnni": frozenset({"avx512bw", "avx512vnni", "fma"}),
    "avx2": frozenset({"avx2", "fma"}),
    "portable": frozenset(),
}
"""Forms of the dot products, best first, and the processor's features that each needs."""

TWIN = "twin"  # the reference in numpy: for what no other form can do, and for everything with NUMBA_DISABLE_JIT=1

Kernel = Callable[..., None]
Value = Any  # llvmlite's values carry no types that mypy sees

ENABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")  # whether kernels are compiled; numba reads it, too


@cache
def forms() -> tuple[str, ...]:
    """The forms that this processor runs, best first; only "twin" with NUMBA_DISABLE_JIT=1."""
    if not ENABLED:
        return (TWIN,)
    return (*(form for form, features in FORMS.items() if all(map(has_feature, features))), TWIN)


@cache
def has_feature(feature: str) -> bool:
    """Whether this processor has a feature, by LLVM's name."""
    return bool(llvm.get_host_cpu_features().get(feature, False))


def compile_kernel(name: str, arguments: Sequence[Value], body: Callable[..., None], form: str) -> Kernel:
    """Compile one function; `body(code, *arguments)` writes it.

    arguments: the type of each, POINTER for the address of an array, or I64. The kernel releases the interpreter's lock
    while it runs.
    """
    module = ir.Module(name)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    code = Code(ir.IRBuilder(function.append_basic_block()), form)
    body(code, *function.args)
    code.builder.ret_void()
    llvm_module = llvm.parse_assembly(str(module))
    llvm_module.verify()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3, jit=True)
    engine = llvm.create_mcjit_compiler(llvm_module, machine)  # which owns the machine
    engine.finalize_object()
    prototype = ctypes.CFUNCTYPE(None, *(ctypes.c_void_p if kind is POINTER else ctypes.c_int64 for kind in arguments))
    kernel = prototype(engine.get_function_address(name))
    kernel.engine = engine  # type: ignore[attr-defined]  # it owns the code that the kernel runs
    return kernel


@dataclass(frozen=True)
class Code:
    """A function that is being written: llvmlite's `builder`, and methods for what kernels need."""

    builder: Value
    form: str

    def splat(self, kind: Value, count: int, value: float) -> Value:
        """A constant vector of equal lanes."""
        return self.lanes(kind, [value] * count)

    def lanes(self, kind: Value, values: Sequence[float]) -> Value:
        """A constant vector."""
        return ir.Constant(ir.VectorType(kind, len(values)), list(values))

    def address(self, pointer: Value, offset: Value | int) -> Value:
        """The address `offset` bytes after `pointer`."""
        offset = I64(offset) if isinstance(offset, int) else offset
        return self.builder.gep(pointer, [offset], source_etype=I8)

    def element_address(self, pointer: Value, index: Value, size: int) -> Value:
        """The address of an element of an array whose elements have `size` bytes."""
        return self.address(pointer, self.builder.mul(index, I64(size)))

    def load(self, pointer: Value, kind: Value, count: int = 0, offset: Value | int = 0) -> Value:
        """Load a scalar (count 0) or a vector, from any address."""
        result = ir.VectorType(kind, count) if count else kind
        return self.builder.load(self.address(pointer, offset), typ=result, align=1)

    def store(self, value: Value, pointer: Value, offset: Value | int = 0) -> None:
        """Store to any address."""
        self.builder.store(value, self.address(pointer, offset), align=1)

    def constant(self, array: NDArray[np.generic]) -> Value:
        """The address of a constant array's bytes."""
        module, kind = self.builder.module, ir.ArrayType(I8, array.nbytes)
        table = ir.GlobalVariable(module, kind, module.get_unique_name("table"))
        table.global_constant, table.align, table.linkage = True, 64, "private"
        table.initializer = ir.Constant(kind, bytearray(array.tobytes()))
        table.type = POINTER
        return table

    def entry(self, array: NDArray[np.integer], index: Value) -> Value:
        """Entry `index` of a constant array (N,), as i64."""
        return self.load(self.element_address(self.constant(array.astype(np.int64)), index, 8), I64)

    def stack(self, count: int) -> Value:
        """The address of `count` bytes of stack, on a cache line. Call this before any loop."""
        memory = self.builder.alloca(ir.ArrayType(I8, count))
        memory.align = 64
        memory.type = POINTER
        return memory

    def broadcast(self, scalar: Value, count: int) -> Value:
        """A vector of equal lanes."""
        vector = ir.Constant(ir.VectorType(scalar.type, count), ir.Undefined)
        first = self.builder.insert_element(vector, scalar, ir.Constant(I32, 0))
        return self.shuffle(first, vector, [0] * count)

    def shuffle(self, x: Value, y: Value, order: Sequence[int]) -> Value:
        """Lanes of x and y (counted on after x's) in the given order."""
        return self.builder.shuffle_vector(x, y, self.lanes(I32, order))

    def interleaved(self, x: Value, y: Value) -> tuple[Value, Value]:
        """The lanes of x and y alternately, within each 128 bits: of their lower halves, and of their upper halves."""
        count, half = x.type.count, x.type.count // 8
        begins = [k for quarter in range(0, count, 2 * half) for k in range(quarter, quarter + half)]
        low_lanes, high_lanes = ([lane for k in begins for lane in (k + n, count + k + n)] for n in (0, half))
        return self.shuffle(x, y, low_lanes), self.shuffle(x, y, high_lanes)

    def cast(self, value: Value, kind: Value) -> Value:
        """A vector's 512 bits as lanes of another width."""
        return self.builder.bitcast(value, ir.VectorType(kind, 512 // kind.width))

    def shift(self, value: Value, bits: int) -> Value:
        """Shift lanes left, or right and logically where `bits` is negative."""
        amounts = self.splat(value.type.element, value.type.count, abs(bits))
        return self.builder.shl(value, amounts) if bits > 0 else self.builder.lshr(value, amounts)

    def mask(self, value: Value, bits: int) -> Value:
        """Each lane and `bits`."""
        return self.builder.and_(value, self.splat(value.type.element, value.type.count, bits))

    def call(self, name: str, result: Value, *arguments: Value) -> Value:
        """Call one of LLVM's own functions."""
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.builder.call(function, arguments)

    def _halves(self, name: str, result: Value, x: Value, y: Value) -> Value:
        lanes, half = list(range(x.type.count)), x.type.count // 2
        orders = (lanes[:half], lanes[half:])
        low, high = (self.call(name, result, self.shuffle(x, x, k), self.shuffle(y, y, k)) for k in orders)
        return self.shuffle(low, high, list(range(2 * result.count)))

    def products(self, x: Value, y: Value) -> Value:
        """32 × i16, below 32,768: the sums of each two neighbouring products. x: 64 bytes; y: 64 bytes, 0–127."""
        if self.form == "vnni":
            return self.call("llvm.x86.avx512.pmaddubs.w.512", ir.VectorType(I16, 32), x, y)
        if self.form == "avx2":
            return self._halves("llvm.x86.avx2.pmadd.ub.sw", ir.VectorType(I16, 16), x, y)
        x, y = self.cast(x, I16), self.cast(y, I16)
        low_products = self.builder.mul(self.mask(x, 255), self.mask(y, 255))
        return self.builder.add(low_products, self.builder.mul(self.shift(x, -8), self.shift(y, -8)))

    def dot4(self, total: Value, x: Value, y: Value) -> Value:
        """16 × i32: `total` plus the sums of each four neighbouring products. x: 64 bytes; y: 64 bytes, 0–127."""
        if self.form == "vnni":
            x, y = self.cast(x, I32), self.cast(y, I32)
            return self.call("llvm.x86.avx512.vpdpbusd.512", total.type, total, x, y)
        products = self.cast(self.products(x, y), I32)
        return self.builder.add(total, self.builder.add(self.mask(products, 0xFFFF), self.shift(products, -16)))

    def dot2(self, total: Value, x: Value, y: Value) -> Value:
        """16 × i32: `total` plus the sums of each two neighbouring products. x, y: 32 × i16, x 0–32,767, y signed."""
        if self.form == "vnni":
            x, y = self.cast(x, I32), self.cast(y, I32)
            return self.call("llvm.x86.avx512.vpdpwssd.512", total.type, total, x, y)
        if self.form == "avx2":
            return self.builder.add(total, self._halves("llvm.x86.avx2.pmadd.wd", ir.VectorType(I32, 8), x, y))
        x, y = self.cast(x, I32), self.cast(y, I32)
        by = self.splat(I32, 16, 16)
        low_products = self.builder.mul(self.mask(x, 0xFFFF), self.builder.ashr(self.builder.shl(y, by), by))
        high_products = self.builder.mul(self.builder.lshr(x, by), self.builder.ashr(y, by))
        return self.builder.add(total, self.builder.add(low_products, high_products))

    @contextmanager
    def loop(self, count: Value | int) -> Iterator[Value]:
        """Repeat the code written inside for index 0 … count − 1 (i64)."""
        count = I64(count) if isinstance(count, int) else count
        entry, block, end = self.builder.block, self.builder.append_basic_block(), self.builder.append_basic_block()
        self.builder.cbranch(self.builder.icmp_signed(">", count, I64(0)), block, end)
        self.builder.position_at_end(block)
        index = self.builder.phi(I64)
        index.add_incoming(I64(0), entry)
        yield index
        next_index = self.builder.add(index, I64(1))
        index.add_incoming(next_index, self.builder.block)
        self.builder.cbranch(self.builder.icmp_signed("<", next_index, count), block, end)
        self.builder.position_at_end(end)
