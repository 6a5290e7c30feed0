"""TLS as an openGauss server has it: OpenSSL, TLS 1.2 and 1.3, client certificates asked for,
session tickets, records of at most 8 KiB of data.

Arguments: certificate, key, authority, port that takes the plain session. Prints its own port.
The plain session begins with the common name of the client's certificate and a newline. Ends
when standard input does.
"""

import os
import select
import socket
import ssl
import sys
import threading


def common_name(tls):
    certificate = tls.getpeercert() or {}
    for group in certificate.get("subject", ()):
        for key, value in group:
            if key == "commonName":
                return value
    return ""


def relay(tls, plain):
    while True:
        ready = [tls] if tls.pending() else select.select([tls, plain], [], [])[0]
        if tls in ready:
            data = tls.recv(16384)
            if not data:
                return
            plain.sendall(data)
        if plain in ready:
            data = plain.recv(8192)
            if not data:
                return
            tls.sendall(data)


def serve(context, raw, port):
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(raw, server_side=True) as tls:
            with socket.create_connection(("127.0.0.1", port)) as plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.sendall(common_name(tls).encode() + b"\n")
                relay(tls, plain)
    except OSError as error:
        if os.environ.get("BAREPG_TLS_TRACE"):
            print("tls:", error, file=sys.stderr, flush=True)


def accept(context, listener, port):
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(context, raw, port), daemon=True).start()


def main():
    certificate, key, authority, port = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(context, listener, int(port)), daemon=True).start()
    sys.stdin.buffer.read()


main()
