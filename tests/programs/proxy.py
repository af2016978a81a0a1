"""What stands between a program and its server in tests, and counts."""

import socket
import threading


class Proxy:
    """Passes connections on to a server. Counts what the server says, and what it is told; calls
    at(count) of the former meanwhile, and cuts the connection where that returns true."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.to = (host, int(port))
        self.begin()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def begin(self, at=lambda count: False):
        self.count, self.told, self.at = 0, 0, at

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.to)
            for one, other, counted in ((client, server, False), (server, client, True)):
                threading.Thread(target=self.carry, args=(one, other, counted), daemon=True).start()

    def carry(self, one, other, counted):
        try:
            while octets := one.recv(16384):
                if counted:
                    self.count += len(octets)
                    if self.at(self.count):
                        break
                else:
                    self.told += len(octets)
                other.sendall(octets)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
