"""Kamailio, as Debian packages it, in a host of the virtual house: the SIP server of somebody else.

It challenges who registers or calls from elsewhere than `trusted`, keeps what is registered in memory, stays in the
way of calls by Record-Route, and rings all of `ways` for a name at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.host import Host
from tests.lab.nodes import wait_until
from tests.lab.process import Process

PATH = "/usr/sbin:/sbin"
PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path=PATH) or ""
TLS_MODULE = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules/tls.so")
MISSING = "" if PROGRAM and TLS_MODULE.exists() else "kamailio or kamailio-tls-modules is not installed"

CONFIG = """
#!KAMAILIO
debug=2
log_stderror=yes
log_prefix="kamailio: "
children=2
tcp_children=2
enable_tls=yes
tcp_connection_lifetime=600
dns=no
rev_dns=no
auto_aliases=no
alias="pbx.example"
listen=udp:{address}:5060
listen=tcp:{address}:5060
listen=tls:{address}:5061
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xlog.so"
loadmodule "nathelper.so"
modparam("tls", "private_key", "{folder}/key.pem")
modparam("tls", "certificate", "{folder}/certificate.pem")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("usrloc", "db_mode", 0)
modparam("auth", "algorithm", "{algorithm}")
modparam("registrar", "max_expires", {max_expires})
modparam("rr", "enable_full_lr", 1)

request_route {{
	if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
	force_rport();
	if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
	if (has_totag()) {{
		if (loose_route()) {{ xlog("L_WARN", "loose $rm $fU\\n"); t_relay(); exit; }}
		if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
		sl_send_reply("404", "Not here"); exit;
	}}
	loose_route();
	if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
	if ($si != "{trusted}") {{
		if (is_method("REGISTER")) {{
			if (!pv_www_authenticate("pbx.example", "{secret}", "0")) {{ www_challenge("pbx.example", "1"); exit; }}
		}} else if (!pv_proxy_authenticate("pbx.example", "{secret}", "0")) {{
			proxy_challenge("pbx.example", "1"); exit;
		}}
		consume_credentials();
	}}
	if (is_method("REGISTER")) {{
		xlog("L_WARN", "registered $tU at $ct over $proto\\n");
		save("location");
		exit;
	}}
	record_route();
	xlog("L_WARN", "routing $rm from $fU to $rU\\n");
{ways}
	if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
	t_relay();
}}
"""


class Kamailio:
    """`with Kamailio(host, "secret", trusted=address, ways={"bob": ["10.77.0.4:5060"]}):`"""

    def __init__(
        self,
        host: Host,
        secret: str,
        *,
        trusted: str = "",
        ways: Mapping[str, Sequence[str]] | None = None,
        algorithm: str = "SHA-256",
        max_expires: int = 3600,
    ) -> None:
        self.host = host
        self._folder = host.directory / "kamailio"
        self._text = CONFIG.format(
            address=host.ipv4,
            folder=self._folder,
            secret=secret,
            trusted=trusted or "none",
            algorithm=algorithm,
            max_expires=max_expires,
            ways="\n".join(_way(name, targets) for name, targets in (ways or {}).items()),
        )
        self.process: Process

    @property
    def authority(self) -> Path:
        """The certificate, which is its own authority."""
        return self._folder / "certificate.pem"

    def __enter__(self) -> Kamailio:
        self._folder.mkdir(exist_ok=True)
        _certify(self._folder, self.host.ipv4)
        config = self._folder / "kamailio.cfg"
        config.write_text(self._text)
        run = str(self._folder / "run")
        Path(run).mkdir(exist_ok=True)
        argv = [PROGRAM, "-DD", "-E", "-f", str(config), "-w", str(self._folder), "-Y", run, "-m", "32", "-M", "8"]
        self.process = self.host.start(argv)
        wait_until(lambda: bool(self.host.run(["ss", "-Hlnu", "sport = :5060"]).stdout.strip()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()

    def said(self, text: str) -> int:
        """How many lines of its log have it."""
        return self.process.log.read_text(errors="replace").count(text)


def _way(name: str, targets: Sequence[str]) -> str:
    first, *others = (f"sip:{name}@{target}" for target in targets)
    more = "".join(f'append_branch("{uri}"); ' for uri in others)
    return f'\tif ($rU == "{name}") {{ $ru = "{first}"; {more}t_relay(); exit; }}'


def _certify(folder: Path, address: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pbx.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
