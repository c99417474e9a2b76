"""Builds the Cython kernels; everything else about the package is in pyproject.toml.

Environment:
    JOBS=4           compilers at once; without it, as many as there are cores
    TICKER_DEBUG=1   bounds checks and C assertions on, optimisation low
    TICKER_ASAN=1    with AddressSanitizer: who runs it preloads libasan (make fuzz ASAN=1)
    TICKER_ONLY=a,b  only the modules whose path starts with one of these (for development;
                     none: an editable install of a tree that is compiled already)
    TICKER_WITHOUT=a,b   all but those
"""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import Cython
from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

DEBUG = os.environ.get("TICKER_DEBUG") == "1"
ASAN = os.environ.get("TICKER_ASAN") == "1"
JOBS = int(os.environ.get("JOBS") or len(os.sched_getaffinity(0)))
ONLY = tuple(filter(None, os.environ.get("TICKER_ONLY", "").split(",")))
WITHOUT = tuple(filter(None, os.environ.get("TICKER_WITHOUT", "").split(",")))

Options.warning_errors = True
# Processes that translate have this option too, and do not run this file again.
multiprocessing.set_start_method("fork", force=True)
# A translation makes many objects that live until its end: looking through them for garbage again
# and again is a tenth of its time.
gc.set_threshold(100_000, 20, 20)

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
    C_FLAGS += ["-g0", "-fno-plt"]
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))

COLD = (
    "ticker/compiled.",
    "ticker/feeds/calls.",
    "ticker/feeds/images/",
    "ticker/feeds/lineage/",
    "ticker/feeds/python_protocol.",
    "ticker/feeds/tracing/",
    "ticker/gateway/scheduler.",
    "ticker/mirror/",
    "ticker/record/",
    "ticker/simulate/",
    "ticker/store/",
)
"""Kernels off the way of a price from its packet to its client: of the processes beside it, of what
is looked at one price at a time, or once a second. They are compiled with -O1, which takes half the
time of -O3, and read ints of Python through its API, which is a tenth less to compile. No kernel
that is on the way cimports one of them (tests/test_levels.py)."""
WITH_GIL = (
    "ticker/feeds/json/rules.",
    "ticker/shm/counters.",
    "ticker/shm/header.",
    "ticker/shm/layout.",
    "ticker/shm/lineage/trail.",
    "ticker/shm/shards/sharding.",
)
"""Kernels that those on the way cimport for their types and inline functions, which are compiled
there. They have no function that runs without the GIL. They are compiled as COLD is."""
COLD_FLAGS = ["-O1", "-DCYTHON_USE_PYLONG_INTERNALS=0"]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": True,
    "wraparound": False,
    "cdivision": not DEBUG,
    "initializedcheck": DEBUG,
    "embedsignature": True,
    "always_allow_keywords": True,
    # Nobody pickles a kernel, and the pickling of each class is much C; nor is this C read, unless
    # it is looked into.
    "auto_pickle": False,
    "emit_code_comments": DEBUG,
}
GENERATED = Path("build/cython-debug" if DEBUG else "build/cython")
SHARED = "ticker._cython"
"""The module with Cython's own code: of calls, imports, errors and memoryviews. Without it each
kernel has a copy, which is a third of all that is compiled."""


def extensions() -> list[Extension]:
    """One extension module per .pyx file below ticker/; the largest first, so that none of them is
    compiled alone at the end."""
    found = []
    headers = [str(header) for header in Path("ticker").rglob("*.h")]
    sources = sorted(Path("ticker").rglob("*.pyx"))
    for path in sorted(sources, key=lambda path: -path.stat().st_size):
        if (ONLY and not str(path).startswith(ONLY)) or str(path).startswith(WITHOUT):
            continue
        name = ".".join(path.with_suffix("").parts)
        depends = [*headers, *map(str, path.parent.glob("c/*.c"))]
        level = COLD_FLAGS if str(path).startswith(COLD + WITH_GIL) else ["-O3"]
        found.append(extension(name, path, depends, level))
    return found


def extension(name: str, source: Path, depends: list[str], level: list[str]) -> Extension:
    """`level`: the flags of optimisation in a release build."""
    return Extension(
        name,
        [str(source)],
        include_dirs=["."],
        depends=depends,
        extra_compile_args=C_FLAGS if DEBUG or ASAN else [*level, *C_FLAGS],
        extra_link_args=LINK_FLAGS,
        define_macros=MACROS,
    )


def shared() -> tuple[Path, bool]:
    """The C file of SHARED, and whether it is of this Cython now and was of another one."""
    path = GENERATED / "ticker" / "_cython.c"
    of = path.read_text().partition("\n")[0] if path.exists() else ""
    if of == f"/* Generated by Cython {Cython.__version__} */":
        return path, False
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cython", f"--generate-shared={path}"]
    subprocess.run([*command, "--module-name", SHARED], check=True)
    return path, bool(of)


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
        self.parallel = self.parallel or JOBS

    def run(self) -> None:
        super().run()
        if DEBUG or ASAN or self.inplace or not shutil.which("strip"):
            return
        for built in self.get_outputs():
            subprocess.run(["strip", built], check=True)


KERNELS = extensions()
SHARED_C, ANOTHER_CYTHON = shared() if KERNELS else (Path(), False)

setup(
    cmdclass={
        "build_ext": BuildStripped,
        "build_py": BuildWithCommit,
        "sdist": SourcesWithCommit,
    },
    # Cython copies what it does not translate, so the shared module goes past it.
    ext_modules=([extension(SHARED, SHARED_C, [], ["-O3"])] if KERNELS else [])
    + cythonize(
        KERNELS,
        force=ANOTHER_CYTHON,
        build_dir=str(GENERATED),
        compiler_directives=DIRECTIVES,
        shared_utility_qualified_name=SHARED,
        nthreads=JOBS,
        quiet=True,
    ),
)
