"""Builds the Cython kernels; everything else about the package is in pyproject.toml.

Environment:
    TICKER_DEBUG=1   bounds checks and C assertions on, optimisation low
    TICKER_ASAN=1    with AddressSanitizer: who runs it preloads libasan (make fuzz ASAN=1)
    TICKER_ONLY=a,b  only the modules whose path starts with one of these (for development;
                     none: an editable install of a tree that is compiled already)
"""

import os
import shutil
import subprocess
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

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


def write_commit(package: Path) -> None:
    """Puts the commit that is built into the package, for `ticker --version`. Without git, as in
    an unpacked source distribution, the one that is there stays."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return
    (package / "commit.txt").write_text(found)


class BuildWithCommit(build_py):
    """The package knows its commit."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            write_commit(Path(self.build_lib) / "ticker")


class SourcesWithCommit(sdist):
    """So does the source distribution, and what is built of it elsewhere."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        write_commit(Path(base_dir) / "ticker")


class BuildStripped(build_ext):
    """Compiles on all cores, and leaves line numbers out of a wheel, where they are half of it."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or len(os.sched_getaffinity(0))

    def run(self) -> None:
        super().run()
        if DEBUG or ASAN or self.inplace or not shutil.which("strip"):
            return
        for built in self.get_outputs():
            subprocess.run(["strip", built], check=True)


setup(
    cmdclass={
        "build_ext": BuildStripped,
        "build_py": BuildWithCommit,
        "sdist": SourcesWithCommit,
    },
    ext_modules=cythonize(
        extensions(),
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        compiler_directives=DIRECTIVES,
        quiet=True,
    ),
)
