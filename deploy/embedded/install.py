"""`make setup`: the virtual environment in .lectern/venv with what the lock files say, and nothing else.

    python3 deploy/embedded/install.py [--tests]

Run by whatever Python the machine has, so this file uses the standard library only and no syntax newer than 3.6.
Nothing is installed again while the lock files stay the same.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".lectern", "venv")
PYTHON = os.path.join(VENV, "bin", "python")
JAVASCRIPT = os.path.join(ROOT, ".lectern", "javascript")
STAMP = os.path.join(VENV, "lectern-installed.json")
BOOTSTRAP = "deploy/embedded/bootstrap.txt"
LOCKS = {
    "runtime": [
        "services/core-api/requirements.txt",
        "services/stream-gateway/requirements.txt",
        "services/chat-gateway/requirements.txt",
        "deploy/embedded/requirements.txt",
    ],
    "tests": ["tests/requirements.txt"],
}


def main(arguments: "list[str]") -> int:
    wanted = ["runtime", "tests"] if "--tests" in arguments else ["runtime"]
    if sys.version_info < (3, 11):  # noqa: UP036  this very line is for those who have an older one
        return refuse(
            "python3 is {}.{}, and Lectern needs 3.11 or newer. If there is another one: make setup PYTHON=python3.11".format(
                *sys.version_info[:2]
            )
        )
    installed = read_stamp()
    missing = [name for name in wanted if installed.get(name) != fingerprint(LOCKS[name])]
    if not missing:
        return bring_javascript()
    began = time.monotonic()
    if not has_working_venv() and not make_venv():
        return 1
    print("lectern: installing the locked packages for " + " and ".join(missing), flush=True)
    if not install([lock for name in wanted for lock in LOCKS[name]]):
        return refuse("the packages could not be installed: is there a network, and a package index that pip knows?")
    installed.update({name: fingerprint(LOCKS[name]) for name in wanted})
    with open(STAMP + ".new", "w") as stamp:
        json.dump(installed, stamp)
    os.replace(STAMP + ".new", STAMP)
    print(f"lectern: installed in {time.monotonic() - began:.0f} s")
    return bring_javascript()


def bring_javascript() -> int:
    """Without it everything works but the admin site's page for uploads, which then says so."""
    if not succeeds([PYTHON, "services/core-api/javascript/install.py", JAVASCRIPT]):
        print("lectern: npm could not bring the admin site's library for uploads: is its registry within reach?")
    return 0


def refuse(sentence: str) -> int:
    print("lectern: " + sentence, file=sys.stderr)
    return 1


def fingerprint(locks: "list[str]") -> str:
    """Of the lock files and of the Python that they were installed for."""
    digest = hashlib.sha256(sys.version.encode())
    for lock in locks:
        with open(os.path.join(ROOT, lock), "rb") as content:
            digest.update(content.read())
    return digest.hexdigest()


def read_stamp() -> "dict[str, str]":
    if not has_working_venv():
        return {}
    try:
        with open(STAMP) as stamp:
            found = json.load(stamp)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def has_working_venv() -> bool:
    """False for one whose Python is gone, or that was made by another one."""
    if not os.path.exists(PYTHON) or not os.path.exists(os.path.join(VENV, "bin", "pip")):
        return False
    return os.path.realpath(PYTHON) == os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def make_venv() -> bool:
    try:
        import ensurepip  # noqa: F401  Debian's python3 has venv without what fills it
        import venv
    except ImportError:
        refuse("this Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
        return False
    print("lectern: making .lectern/venv with Python " + sys.version.split()[0], flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    venv.create(VENV, symlinks=os.name != "nt", with_pip=True)
    return True


def install(locks: "list[str]") -> bool:
    """Fast with uv; where uv does not get through (a package index that only pip is configured for), with pip."""
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if not succeeds([*pip, "-r", BOOTSTRAP]):
        return False
    files = [part for lock in locks for part in ("-r", lock)]
    uv = [os.path.join(VENV, "bin", "uv"), "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes"]
    if succeeds([*uv, *files]):
        return True
    print("lectern: uv did not succeed; trying with pip, which takes longer", flush=True)
    return succeeds([*pip, *files])


def succeeds(command: "list[str]") -> bool:
    environment = dict(
        os.environ, UV_NO_PROGRESS="1", UV_SYSTEM_CERTS="1"
    )  # uv trusts whom this machine trusts, as pip does
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.call(command, cwd=ROOT, env=environment) == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
