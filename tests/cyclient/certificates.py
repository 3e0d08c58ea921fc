"""Certificates that tests make for themselves: good ones, and some of each kind that is to be refused."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme

LONG_AGO = datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and of its key, in PEM."""

    certificate: Path
    key: Path


class Authority:
    """Who signs. `ca` is the file that makes it trusted."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._name = name
        self._ca = trustme.CA(organization_name=name)
        self.ca = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str, expired: bool = False) -> Pair:
        """A certificate for these names and addresses."""
        issued = self._ca.issue_cert(*names, not_after=LONG_AGO if expired else None)
        stem = f"{self._name}-{'-'.join(names).replace(':', '_')}{'-expired' * expired}"
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pair.key))
        return pair
