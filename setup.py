"""Builds the Cython kernels; everything else about the package is in pyproject.toml.

Environment:
    TICKER_DEBUG=1   bounds checks and C assertions on, optimisation low
    TICKER_ASAN=1    with AddressSanitizer: who runs it preloads libasan (make fuzz ASAN=1)
    TICKER_ONLY=a,b  only the modules whose path starts with one of these (for development;
                     none: an editable install of a tree that is compiled already)
"""

import os
import subprocess
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

DEBUG = os.environ.get("TICKER_DEBUG") == "1"
ASAN = os.environ.get("TICKER_ASAN") == "1"
ONLY = tuple(filter(None, os.environ.get("TICKER_ONLY", "").split(",")))

Options.warning_errors = True

C_FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
# what Cython itself generates would trip these
C_FLAGS += ["-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-unused-function"]
C_FLAGS += ["-Wno-missing-field-initializers", "-Wno-cast-function-type"]
MACROS: list[tuple[str, str | None]] = [("_GNU_SOURCE", None)]
LINK_FLAGS: list[str] = []
if ASAN:
    LINK_FLAGS += ["-fsanitize=address"]
    C_FLAGS += ["-O1", "-g", "-fno-omit-frame-pointer", *LINK_FLAGS]
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))
elif DEBUG:
    C_FLAGS += ["-O1", "-g", "-UNDEBUG"]
else:
    C_FLAGS += ["-O3", "-g1", "-fno-plt"]
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": True,
    "wraparound": False,
    "cdivision": not DEBUG,
    "initializedcheck": DEBUG,
    "embedsignature": True,
    "always_allow_keywords": True,
}


def extensions() -> list[Extension]:
    """One extension module per .pyx file below ticker/."""
    found = []
    headers = [str(header) for header in Path("ticker").rglob("*.h")]
    for path in sorted(Path("ticker").rglob("*.pyx")):
        if ONLY and not str(path).startswith(ONLY):
            continue
        name = ".".join(path.with_suffix("").parts)
        found.append(
            Extension(
                name,
                [str(path)],
                include_dirs=["."],
                depends=[*headers, *map(str, path.parent.glob("c/*.c"))],
                extra_compile_args=C_FLAGS,
                extra_link_args=LINK_FLAGS,
                define_macros=MACROS,
            )
        )
    return found


class BuildWithCommit(build_py):
    """Puts the commit that is built into the package, for `ticker --version`."""

    def run(self) -> None:
        super().run()
        command = ["git", "rev-parse", "HEAD"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return  # built from a source distribution, or without git
        if not self.editable_mode:
            (Path(self.build_lib) / "ticker" / "commit.txt").write_text(found)


setup(
    cmdclass={"build_py": BuildWithCommit},
    ext_modules=cythonize(
        extensions(),
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        compiler_directives=DIRECTIVES,
        quiet=True,
    ),
)
