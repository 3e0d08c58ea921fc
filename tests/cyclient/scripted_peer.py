"""A server that says what a script says, in the pieces it says: the peer that no engine is."""

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.cyclient.wire_format import read_request

DEADLINE = 20.0
HELLO_REPLY = b"%2\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$5\r\nproto\r\n:3\r\n"


class Conversation:
    """One accepted connection, as the script sees it."""

    def __init__(self, stream: socket.socket, number: int) -> None:
        self.number = number  #: how many connections came before
        self.ended = False  #: the test is over: nobody will take what is still to be said
        self._stream = stream
        self._file = stream.makefile("rb")

    def request(self) -> list[bytes]:
        """The next command of the client. Raises EOFError when it has closed."""
        return read_request(self._file.readline, self._file.read)

    def read(self, size: int) -> bytes:
        """That many bytes."""
        return self._file.read(size)

    def say(self, data: bytes, *, piece: int = 0) -> None:
        """`piece`: so many bytes at a time, each taken by the client before the next leaves."""
        if not piece:
            self._stream.sendall(data)
            return
        for start in range(0, len(data), piece):
            self._stream.sendall(data[start : start + piece])
            while struct.unpack("i", fcntl.ioctl(self._stream, termios.TIOCOUTQ, b"\0\0\0\0"))[0] and not self.ended:
                time.sleep(0)  # another thread's turn

    def handshake(self) -> None:
        """What a shard answers to a client that connects."""
        assert self.request()[0] == b"HELLO"
        self.say(HELLO_REPLY)
        assert self.request()[:2] == [b"CLIENT", b"TRACKING"]
        self.say(b"+OK\r\n")

    def stall(self) -> None:
        """Say nothing more until the client has gone."""
        while self._stream.recv(1 << 20):
            pass

    def poll(self) -> bool:
        """Whether the client has sent more, or closed."""
        return bool(select.select([self._stream], [], [], 0)[0])

    def closed_by_client(self) -> None:
        """Return when the client has closed, without reading what it sent."""
        poll = select.poll()
        poll.register(self._stream, select.POLLRDHUP)
        assert poll.poll(DEADLINE * 1000)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._stream.close()


Script = Callable[[Conversation], None]


class ScriptedPeer:
    """Listens on a unix socket. A connection is closed when its script is over; scripts run in threads of their own.

    path None: on a port of loopback, where it speaks TLS if there is a context for it.
    """

    def __init__(self, path: Path | None, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._script = script
        self._context = context
        self._server = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
        self._server.bind(("127.0.0.1", 0) if path is None else str(path))
        self._server.listen(100)
        self.address = f"unix://{path}" if path else "{}:{}".format(*self._server.getsockname())
        self._open: list[Conversation] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The script's own failure is the failure of the test."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(DEADLINE)
        self._server.close()
        with self._lock:
            for conversation in self._open:
                conversation.ended = True
                with contextlib.suppress(OSError):
                    conversation._stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
        if kind is None and self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._server.accept()
            except OSError:
                return
            if self._context:
                # The handshake is made by the thread of the script, at its first read or write.
                stream = self._context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False)
            conversation = Conversation(stream, self.connections)
            with self._lock:
                self.connections += 1
                self._open.append(conversation)
            thread = threading.Thread(target=self._run, args=(conversation,))
            self._threads.append(thread)
            thread.start()

    def _run(self, conversation: Conversation) -> None:
        try:
            self._script(conversation)
        except (OSError, EOFError):
            pass  # the client has gone
        except BaseException as error:  # noqa: BLE001 - raised when the peer is closed
            self._failures.append(error)
        finally:
            with self._lock:
                self._open.remove(conversation)
            conversation.close()
