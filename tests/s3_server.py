"""An S3 server for tests: moto's, as a process on 127.0.0.1. It knows no access keys; it takes any."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks

BUCKET = "lectern-test"
REGION = "us-east-1"


@contextmanager
def s3_server() -> Iterator[str]:
    """Its endpoint's URL, with the empty bucket `BUCKET`. Nothing of it remains."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not any(_made(f"{endpoint}/{BUCKET}") or process.poll() is not None for _ in looks(30)):
            raise AssertionError("moto's server does not answer")
        assert process.poll() is None, "moto's server ended"
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _made(bucket: str) -> bool:
    request = urllib.request.Request(bucket, method="PUT")  # noqa: S310  our own http URL
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310  our own http URL
            return True
    except OSError:  # also of one that has no time yet
        return False


@contextmanager
def over_tls(endpoint: str, folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """The server at `endpoint` behind https: that address, a file with the authority that signed for `localhost`, and the
    names that clients said they want (SNI), in their order.
    """
    authorities, certificate = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    port = int(endpoint.rpartition(":")[2])

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_store, to_store = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, to_store), _copy(from_store, writer))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    front = asyncio.run_coroutine_threadsafe(asyncio.start_server(forward, "127.0.0.1", 0, ssl=context), loop).result(5)
    try:
        yield f"https://localhost:{front.sockets[0].getsockname()[1]}", authorities, names
    finally:
        asyncio.run_coroutine_threadsafe(_end(front), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    target.close()


async def _end(front: asyncio.Server) -> None:
    front.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and one with its key that it signed for `localhost` (not for 127.0.0.1)."""
    now, paths = datetime.now(UTC), (folder / "authority.pem", folder / "server.pem")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in paths]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lectern's tests")])
    for path, key, names in zip(paths, keys, ([], ["localhost"]), strict=True):
        built = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]) if names else issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if names:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        else:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
            )
            usage |= dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
            built = built.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        text = built.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM)
        if names:
            text += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(text)
    return paths
