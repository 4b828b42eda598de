"""Compile the Triton programs of the fused norm for an H100 (compute capability 9.0), which needs no GPU.

Prints one JSON object per program: its name, the types of maps and sums, and the widths of its loads from maps.
"""

import json
import re
import sys

import triton.language as tl
from triton import compile as compile_program
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from metabin.model.fused.cuda import channels, maps

H100 = GPUTarget("cuda", 90, 32)
MAPS = {"x", "residual", "grad", "y", "dx"}
SIZES = {"stride_n", "stride_p", "num_channels", "num_pixels", "chunk", "num_images", "num_chunks"}
# a channels-last map with a multiple of 16 channels, as torch's launches specialise it
MULTIPLES_OF_16 = {"stride_n", "stride_p", "num_channels", "num_pixels"}
TYPES = {"fp32": tl.float32, "fp64": tl.float64}


def main():
    for map_type, sum_type in (("fp32", "fp32"), ("bf16", "fp32"), ("fp64", "fp64")):
        clip = {"LOW": 0.0, "HIGH": float("inf")}
        tile = {"BLOCK_P": 32, "BLOCK_C": 64, "TYPE": TYPES[sum_type], "stride_c": 1}
        merged = {"BLOCK_N": 128, "BLOCK_C": 8, "TYPE": TYPES[sum_type]}
        programs = [
            (maps.moments, tile),
            (maps.forward, tile | clip | {"HAS_RESIDUAL": True}),
            (maps.forward, tile | clip | {"HAS_RESIDUAL": False}),
            (maps.backward_sums, tile | clip),
            (maps.backward, tile | clip),
            (channels.combine, merged | {"MOMENTUM": 0.1, "EPS": 1e-5, "TRAINING": True, "RECORDING": True}),
            (channels.combine, merged | {"MOMENTUM": 0.1, "EPS": 1e-5, "TRAINING": False, "RECORDING": False}),
            (channels.gradients, merged | {"TRAINING": True}),
            (channels.gradients, merged | {"TRAINING": False}),
        ]
        for program, constants in programs:
            sys.stdout.write(json.dumps(build(program, constants, map_type, sum_type)) + "\n")


def build(program, constants, map_type, sum_type):
    signature = {}
    aligned = {}
    for index, name in enumerate(program.arg_names):
        if name in constants:
            signature[name] = "constexpr"
        elif name in SIZES:
            signature[name] = "i32"
        else:
            signature[name] = f"*{map_type if name in MAPS else sum_type}"
        if signature[name].startswith("*") or name in MULTIPLES_OF_16 - constants.keys():
            aligned[(index,)] = [["tt.divisibility", 16]]
    values = {(program.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=program, signature=signature, constexprs=values, attrs=aligned)
    code = compile_program(source, target=H100).asm["ptx"]
    loads = sorted(set(re.findall(r"ld\.global[.\w]*", code)))
    return {"program": program.__name__, "maps": map_type, "sums": sum_type, "loads": loads}


if __name__ == "__main__":
    main()
