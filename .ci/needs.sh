#!/bin/sh
# Says all that is missing on this machine to build ticker, before anything is downloaded.
# PYTHON and CC are those that make has chosen; PYTHON is empty where there is no Python >= 3.11, CC
# where the compiler is to be the one that Python itself was built with.
missing=""

note() {
    missing="$missing
  - $1"
}

debian=""
if [ -z "$PYTHON" ]; then
    note "Python 3.11 or newer (set PYTHON=... if it has another name)"
    debian="python3 python3-venv python3-dev"
else
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        note "the venv module of $PYTHON"
        debian="python3-venv"
    fi
    headers=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    if [ ! -f "$headers/Python.h" ]; then
        note "the headers of $PYTHON ($headers/Python.h)"
        debian="$debian python3-dev"
    fi
fi
# CC may have words before the compiler: ccache gcc
if [ -z "$CC" ] && [ -n "$PYTHON" ]; then
    CC=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_config_var("CC").split()[0])')
fi
compiler=$(printf '%s\n' "${CC:-cc}" | awk '{ print $NF }')
if ! command -v "$compiler" >/dev/null 2>&1; then
    note "a C compiler ($compiler; set CC=... if it has another name)"
    debian="$debian gcc libc6-dev"
elif ! printf '#include <stdatomic.h>\n#include <sys/socket.h>\nint main(void) { return 0; }\n' |
    $compiler -x c -fsyntax-only - 2>/dev/null; then
    note "the headers of the C library for $compiler"
    debian="$debian libc6-dev"
fi

if [ -n "$missing" ]; then
    {
        echo "ticker cannot be built here; this machine lacks:$missing"
        echo "on Debian or Ubuntu: apt-get install $debian"
        echo "on Fedora: dnf install python3-devel gcc"
    } >&2
    exit 1
fi
