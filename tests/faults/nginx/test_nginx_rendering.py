"""The same templates for Compose (envsubst) and for `make demo` (Python)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.embedded import nginx

TEMPLATES = sorted((nginx.SOURCE / "templates").rglob("*.template"))
VARIABLES = {
    "LECTERN_CORE_UPSTREAM": "core-api:8000",
    "LECTERN_STREAM_UPSTREAM": "stream-gateway:8000",
    "LECTERN_CHAT_UPSTREAM": "chat-gateway:8000",
    "LECTERN_MEDIA_ROOT": "/srv/media",
    "LECTERN_ATTACHMENTS_ROOT": "/srv/attachments",
    "LECTERN_STATIC_ROOT": "/srv/static",
    "LECTERN_LISTEN": "8000",
    "LECTERN_RESOLVER": "127.0.0.11",
    "LECTERN_PUBLIC_URL": "https://courses.example.org",
}


def test_the_templates_ask_for_what_the_contract_lists_and_no_more() -> None:
    asked = {name for template in TEMPLATES for name in re.findall(r"\$\{?([A-Z]\w*)", template.read_text())}
    assert asked == set(VARIABLES) - {"LECTERN_STREAM_UPSTREAM"}  # a script reads that one


def test_nginx_refuses_in_the_words_of_the_contract() -> None:
    contract = (nginx.SOURCE.parent / "deploy" / "contracts.md").read_text()
    rows = re.findall(r"^\| (\d{3}) `(\w+)` \| (.+?) \| (.+?) \|$", contract, re.M)
    words = {(int(status), code): (title, detail) for status, code, title, detail in rows}
    problems = (nginx.SOURCE / "templates" / "snippets" / "problems.conf.template").read_text().replace("\\'", "'")
    said = [json.loads(body) for body in re.findall(r"return \d+ '(\{.*\})';", problems)]
    shared = [problem for problem in said if (problem["status"], problem["code"]) in words]
    assert {problem["status"] for problem in shared} == {404, 405, 413, 429, 500, 503}
    assert all((problem["title"], problem["detail"]) == words[problem["status"], problem["code"]] for problem in shared)


def test_no_nginx_variable_could_be_taken_for_one_of_the_environment() -> None:
    """envsubst replaces every name that is set in the container: one that a shell or a proxy sets must not be used."""
    used = {name for template in TEMPLATES for name in re.findall(r"\$\{?([a-z]\w*)", template.read_text())}
    assert used.isdisjoint(
        {"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy"} | {n for n in os.environ if n.islower()}
    )


def test_both_ways_render_the_same(tmp_path: Path) -> None:
    program = shutil.which("envsubst")
    if not program:
        pytest.skip("there is no envsubst (package gettext-base) to compare with")
    nginx.render(tmp_path, VARIABLES)
    names = " ".join(f"${{{name}}}" for name in [*VARIABLES, "PATH", "HOME", "HOSTNAME"])
    for template in TEMPLATES:
        with template.open() as source:
            expected = subprocess.run(
                [program, names],
                stdin=source,
                env=VARIABLES | {"PATH": "/bin", "HOME": "/"},
                capture_output=True,
                check=True,
            ).stdout
        rendered = tmp_path / "conf.d" / template.relative_to(nginx.SOURCE / "templates").with_suffix("")
        assert rendered.read_bytes() == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LECTERN_TRUSTED_PROXIES", "10.0.0.0/8,nginx"),
        ("LECTERN_TRUSTED_PROXIES", "10.0.0.0/8;"),
        ("LECTERN_TRUSTED_PROXIES", "*"),
        ("LECTERN_TRUSTED_PROXIES", "cafe"),
        ("LECTERN_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("LECTERN_TRUSTED_PROXIES", "10.0.0.300"),
        ("LECTERN_TRUSTED_PROXIES", "2001:db8::/129"),
        ("LECTERN_ALLOWED_ORIGINS", "*"),
        ("LECTERN_ALLOWED_ORIGINS", "app.example.org"),
        ("LECTERN_ALLOWED_ORIGINS", 'https://app.example.org"'),
        ("LECTERN_ALLOWED_ORIGINS", "https://app.example.org/path"),
    ],
)
def test_a_malformed_list_stops_the_start_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    """As the image's entry point runs it; nginx.render says the same."""
    script = nginx.SOURCE / "entrypoint" / "25-lectern-lists.sh"
    done = subprocess.run(
        [script, tmp_path], env={"PATH": os.environ["PATH"], name: value}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert done.stderr.startswith(f"lectern: {name} holds '")


def test_the_lists_are_written_as_nginx_reads_them(tmp_path: Path) -> None:
    lists = {
        "LECTERN_TRUSTED_PROXIES": " 10.0.0.0/8,,\t2001:db8::/32,::ffff:10.9.8.7 ",
        "LECTERN_ALLOWED_ORIGINS": "https://app.example.org:443/, http://[::1]:5173",
    }
    nginx.render(tmp_path, VARIABLES | lists)
    written = (tmp_path / "conf.d" / "lists.conf").read_text().splitlines()
    assert [line for line in written if "10." in line or "2001" in line or "://" in line] == [
        "set_real_ip_from 10.0.0.0/8;",
        "set_real_ip_from 2001:db8::/32;",
        "set_real_ip_from ::ffff:10.9.8.7;",
        "    10.0.0.0/8 1;",
        "    2001:db8::/32 1;",
        "    ::ffff:10.9.8.7 1;",
        '    "https://app.example.org" $http_origin;',
        '    "http://[::1]:5173" $http_origin;',
    ]


@pytest.mark.parametrize("name", ['a"b', "a$b", "a;b", "a{b", "a\nb", "a\\b"])
def test_a_path_that_nginx_would_misread_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SystemExit, match="LECTERN_MEDIA_ROOT"):
        nginx.render(tmp_path, VARIABLES | {"LECTERN_MEDIA_ROOT": f"/srv/{name}"})


def test_a_folder_with_brackets_and_spaces_works(tmp_path: Path, core) -> None:
    """nginx expands wildcards in an include, so a bracket in its own path would hide every rendered file."""
    from conftest import Front

    upstreams = {name: f"127.0.0.1:{core.port}" for name in VARIABLES if name.endswith("_UPSTREAM")}
    front = Front(tmp_path / "odd [x] *? folder", upstreams)
    assert front.client.get("/api/v1/courses/").status_code == 200
    front.stop()
