#!/usr/bin/env python3
"""Bounds of the inner loops of the kernels' highest tiles on CPUs that need not be here, by llvm-mca 19.

    loop_bounds.py [SET/PRECISION …]

Compiles a kernel set's source to assembly with clang, takes the innermost loop with most multiply-adds of a function,
and prints, a CPU: instructions and multiply-adds of an iteration, its cycles, and the multiply-adds a cycle. What is
not in the model (caches, memory) makes it slower.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
# The function, its multiply-add, the target and the CPUs.
LOOPS = {
    "avx2/float32": ("tile6", "vfmadd", "x86_64-linux-gnu", ["haswell", "skylake", "znver2", "znver3"]),
    "avx2/int8": ("tileIntegers6", "vpmaddubsw", "x86_64-linux-gnu", ["haswell", "skylake", "znver2", "znver3"]),
    "avx512/float32": ("tile14", "vfmadd", "x86_64-linux-gnu", ["skylake-avx512", "sapphirerapids", "znver4"]),
    "avx512bf16/bfloat16": ("tilePairs14", "vdpbf16ps", "x86_64-linux-gnu", ["sapphirerapids", "znver4"]),
    "avx512vnni/int8": ("tileIntegers14", "vpdpbusd", "x86_64-linux-gnu", ["icelake-server", "znver4"]),
    "avxvnni/int8": ("tileIntegers6", "vpdpbusd", "x86_64-linux-gnu", ["alderlake"]),
    "neon/float32": ("tile12", "fmla", "aarch64-linux-gnu", ["neoverse-n1", "neoverse-v1", "neoverse-n2"]),
    "neon/bfloat16": ("tilePairs12", "fmla", "aarch64-linux-gnu", ["neoverse-n1"]),
    "neondotprod/int8": ("tileIntegers12", "sdot", "aarch64-linux-gnu", ["neoverse-n1", "neoverse-v1"]),
    "neonbf16/bfloat16": ("tilePairs12", "bfmmla", "aarch64-linux-gnu", ["neoverse-n2", "neoverse-v2"]),
    "neonbf16/int8": ("tileIntegers12", "smmla", "aarch64-linux-gnu", ["neoverse-n2", "neoverse-v2"]),
}  # fmt: skip


def assembly(name, target):
    includes = [f"-I{path}" for path in (ROOT / "Sources").glob("C*/include")]
    system = ["-isystem", "/usr/aarch64-linux-gnu/include"] if target.startswith("aarch64") else []
    source = ROOT / "Sources" / "CKernels" / f"{name}.c"
    command = ["clang", "-target", target, "-std=c17", "-O3", *includes, *system, "-S", "-o", "-", source]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def loop(lines, function, multiply):
    """The innermost loop of a function with most multiply-adds."""
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{function}:"))
    end = next(i for i in range(start, len(lines)) if lines[i].startswith(".Lfunc_end"))
    body = lines[start:end]
    labels = {line.partition(":")[0]: i for i, line in enumerate(body) if line.startswith(".LBB")}
    found = []
    for i, line in enumerate(body):
        jump = re.match(r"\s+[a-z.]+\s+(?:\w+, )?(\.LBB\w+)", line)
        if jump and labels.get(jump[1], i) < i:
            found.append(range(labels[jump[1]], i + 1))
    loops = [each for each in found if count(body[each.start : each.stop], multiply)]
    innermost = [
        one for one in loops if not any(one != other and one.start <= other.start and other.stop <= one.stop for other in loops)
    ]
    best = max(innermost, key=lambda one: count(body[one.start : one.stop], multiply))
    return body[best.start : best.stop]


def count(lines, multiply):
    return sum(multiply in line for line in lines)


def main():
    for name in sys.argv[1:] or LOOPS:
        function, multiply, target, cpus = LOOPS[name]
        lines = [line for line in loop(assembly(name, target), function, multiply) if re.match(r"\s+[a-z{]", line)]
        for cpu in cpus:
            command = ["llvm-mca-19", f"-mtriple={target}", f"-mcpu={cpu}", "-iterations=200"]
            done = subprocess.run(command, input="\n".join(lines), check=True, capture_output=True, text=True).stdout
            cycles = int(re.search(r"Total Cycles:\s+(\d+)", done)[1]) / 200
            multiplies = count(lines, multiply)
            print(f"{name}, {function}, {cpu}: {len(lines)} instructions, {multiplies} {multiply}, {cycles:.1f} cycles, {multiplies / cycles:.2f} a cycle")


if __name__ == "__main__":
    main()
