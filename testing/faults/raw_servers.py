"""Servers that send exactly the bytes that a test wants, also over TLS; requests are not checked."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Respond = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"


@contextmanager
def listening(
    respond: Respond, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Yields the port of a server that reads a request's head and calls `respond`, one connection after the other."""

    def answer(connection: socket.socket) -> None:
        connection.recv(2**16)
        respond(connection)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return  # closed
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as secured:
                    answer(secured)
            except OSError:
                connection.close()  # the client hung up, or rejects the certificate

    with socket.create_server((host, port)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def sending(what: bytes) -> Respond:
    """Sends the same to every client."""
    return lambda connection: connection.sendall(what)


def repeating(head: bytes, part: bytes, every_s: float = 0.0) -> Respond:
    """Sends `head`, then `part` until the client hangs up."""

    def respond(connection: socket.socket) -> None:
        silence = threading.Event()
        connection.sendall(head)
        while not silence.wait(every_s):
            connection.sendall(part)

    return respond


def redirect(place: str) -> bytes:
    """Returns a redirect to `place`."""
    return f"HTTP/1.1 307 Away\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def self_signed(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """Creates a self-signed certificate for `host`; returns it with the server's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, both = folder / f"{host}.pem", folder / f"{host}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    both.write_bytes(
        pem.read_bytes() + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return pem, server
