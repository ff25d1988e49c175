"""What `make` needs of this machine, checked before anything is installed or built: check.py [PORT]

Its syntax is that of any Python 3, because the first question is which one runs it.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = (3, 11, 5)
EMPTY_PROGRAM = "int main(void) { return 0; }"


def main(arguments):
    # With an old Python, the other checks mean nothing.
    problems = python() or venv() + rust() + c_compiler() + [
        problem for port in arguments for problem in taken(port)
    ]
    for problem in problems:
        sys.stderr.write("error: {}\n".format(problem))
    return 1 if problems else 0


def python():
    if sys.version_info[:3] >= PYTHON:
        return []
    found, wanted = (".".join(map(str, version)) for version in (sys.version_info[:3], PYTHON))
    return [
        "python3 is Python {} ({}); {} or later is needed. Put a newer one first on PATH.".format(
            found, sys.executable, wanted
        )
    ]


def venv():
    try:
        import ensurepip  # noqa: F401, Debian has it in a package of its own
        import venv  # noqa: F401
    except ImportError as error:
        install = "On Debian and Ubuntu: apt install python3-venv"
        return ["python3 cannot make virtual environments ({}). {}".format(error, install)]
    return []


def rust():
    if not shutil.which("cargo"):
        return [
            "there is no cargo on PATH. Install Rust by https://rustup.rs, or open a new shell after you did."
        ]
    # rustup first downloads the toolchain that rust-toolchain.toml names, and says so.
    done = subprocess.run(["cargo", "--version"], cwd=ROOT, stdout=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        return [
            "`cargo --version` failed: the likely cause is that rustup has no network, "
            "to download the toolchain that rust-toolchain.toml names."
        ]
    with open(os.path.join(ROOT, "Cargo.toml")) as manifest:
        wanted = re.search(r'rust-version = "(\d+)\.(\d+)', manifest.read()).groups()
    found = re.search(r"(\d+)\.(\d+)", done.stdout).groups()
    if tuple(map(int, found)) < tuple(map(int, wanted)):
        return [
            "{} is too old; {} or later is needed: `rustup update`".format(
                done.stdout.strip(), ".".join(wanted)
            )
        ]
    return []


def c_compiler():
    install = "On Debian and Ubuntu: apt install build-essential; on macOS: xcode-select --install"
    if not shutil.which("cc"):
        return ["there is no C compiler (cc) on PATH. {}".format(install)]
    compile_and_link = ["cc", "-x", "c", "-", "-o", os.devnull]
    done = subprocess.run(
        compile_and_link, input=EMPTY_PROGRAM, stderr=subprocess.PIPE, universal_newlines=True
    )
    return (
        ["cc cannot compile and link an empty program. {}\n{}".format(install, done.stderr.strip())]
        if done.returncode
        else []
    )


def taken(port):
    """Whether another process than this checkout's own local AWS has the port."""
    if not port.isdigit() or not 0 < int(port) < 65536:
        return ["{} is no port".format(port)]
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", int(port))):
            return []
    try:
        with open(os.path.join(ROOT, os.environ.get("LOCAL_DIR", ".local"), "stack.json")) as state:
            own = json.load(state)["port"] == int(port)
    except (OSError, ValueError, KeyError):
        own = False
    return (
        []
        if own
        else [
            "another process has port {}. Choose another one, for example PORT={}".format(
                port, int(port) + 100
            )
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
