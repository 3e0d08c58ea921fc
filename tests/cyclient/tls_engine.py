"""A real engine that speaks TLS: the Redis of the system, since the valkey-server of the wheel has none."""

import shutil
from pathlib import Path
from typing import Self

from tests.cyclient.certificates import Authority
from tests.cyclient.engine_process import EngineProcess


def redis_with_tls() -> str:
    """redis-server. Debian's redis-tools has it under another name, without a service that starts by itself."""
    path = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    assert path, "the tests of TLS need a Redis that was built with TLS (Debian: apt-get install redis-tools)"
    return path


class TlsEngine(EngineProcess):
    """Its TCP port is one for TLS, with a certificate for localhost, 127.0.0.1 and ::1. Its unix socket is as ever."""

    def __init__(
        self, folder: Path, *, wants_certificate: bool = False, like: Self | None = None, **settings: object
    ) -> None:
        """like: the same password and the same authority as that one."""
        self.authority = like.authority if like else Authority(folder)
        self._pair = self.authority.issue("localhost", "127.0.0.1", "::1")
        self.settings = {"tls-auth-clients": "yes" if wants_certificate else "no", **settings}
        super().__init__(folder, password=like.password if like else "")

    @property
    def options(self) -> dict[str, object]:
        """What a client needs besides the address."""
        return {"password": self.password, "tls": True, "tls_ca": str(self.authority.ca)}

    @property
    def environment(self) -> dict[str, str]:
        """The same as environment."""
        return {"SSDB_PASSWORD": self.password, "SSA_TLS": "1", "SSA_TLS_CA": str(self.authority.ca)}

    def executable(self) -> str:
        return redis_with_tls()

    def port_settings(self, port: int) -> dict[str, object]:
        return {
            "port": 0,
            "tls-port": port,
            "tls-cert-file": self._pair.certificate,
            "tls-key-file": self._pair.key,
            "tls-ca-cert-file": self.authority.ca,
            **self.settings,
        }
