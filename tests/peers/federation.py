# SPDX-License-Identifier: Apache-2.0
"""What servers need to talk to each other by verified TLS on the loopback, without a name server.

    authority = Authority(folder)
    certificate = authority.certificate("a.test", "bus.a.test")      # (certificate file, key file)
    Prosody(domain="a.test", component="bus.a.test", certificate=certificate, federation=Federation(
        address="127.0.0.2", port=20001, authority=authority.file, there={"bus.b.test": ("127.0.0.3", 20002)}))
"""
import dataclasses
import os
import pathlib
import subprocess


@dataclasses.dataclass
class Federation:
    address: str    # where the server listens for others
    port: int
    authority: str  # file of the certificates that are trusted
    there: dict     # where others are: their domain to (address, port)


class Authority:
    """A certificate authority for the length of a test."""

    def __init__(self, folder, name="tests"):
        self.folder, self.name = pathlib.Path(folder), name
        self.file, self._key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                      "-keyout", self._key, "-out", self.file)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def certificate(self, *domains, days=2):
        """The files of a certificate for the domains, and of its key."""
        base = self.folder / f"{self.name}-{domains[0]}"
        request, extensions, certificate, key = (f"{base}.{end}" for end in ("req", "ext", "crt", "key"))
        pathlib.Path(extensions).write_text(
            "subjectAltName=" + ",".join(f"DNS:{domain}" for domain in domains)
            + "\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={domains[0]}", "-keyout", key,
                      "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial",
                      "-days", str(days), "-extfile", extensions, "-out", certificate)
        os.chmod(key, 0o644)  # servers run as accounts of their own
        return certificate, key
