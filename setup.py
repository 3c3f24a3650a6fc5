"""What pyproject.toml has no settled words for: the compiled trainer, built where there is a C compiler.

No part of Python is compiled into it, so neither Python's headers nor its version matter. Where it cannot be built,
everything else is installed all the same, and PyTorch trains.
"""

import hashlib
from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("clients/compiled/kernel")
SOURCES = hashlib.blake2b(digest_size=8)
for source in sorted(KERNEL.glob("*.[ch]")):
    SOURCES.update(source.name.encode() + source.read_bytes())

setup(
    ext_modules=[
        Extension(
            "clients.compiled._kernel",
            sources=sorted(map(str, KERNEL.glob("*.c"))),
            depends=sorted(map(str, KERNEL.glob("*.h"))),
            define_macros=[("SOURCES", f'"{SOURCES.hexdigest()}"')],
            # Every multiply-add that is to be fused says so: the bits must not be the compiler's choice.
            extra_compile_args=[
                "-std=gnu11",
                "-O3",
                "-g0",
                "-ffp-contract=off",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-fvisibility=hidden",
            ],
            py_limited_api=True,
            optional=True,
        )
    ]
)
