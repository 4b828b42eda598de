"""A proxy before a server that can be told to fail."""

import socket
import threading
import time
from contextlib import contextmanager, suppress


class Proxy:
    """Pass connections on to a port, according to `mode`: pass, slow, hang (accept, never answer) or cut."""

    def __init__(self, target):
        self.mode = "pass"
        self._target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._socket.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as server:
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
            self._copy(client, server)

    def _copy(self, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                while self.mode == "hang":
                    time.sleep(0.02)
                if self.mode == "cut":
                    break
                if self.mode == "slow":
                    time.sleep(0.3)
                sink.sendall(data)
            for end in (source, sink):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_of(port):
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
