"""A redis-server of the test's own, on a unix socket in a folder of its own."""

import os
import pathlib
import subprocess

import redis

from mt5.clock import Clock
from mt5.ports import port_free
from mt5.process import Process, ProcessOwner
from mt5.wait import wait_until

HARNESS = ("harness", "harness-secret")

# The configuration and the users that come with the daemon.
SHIPPED = pathlib.Path(__file__).parents[3] / "config" / "redis"
SHIPPED_PASSWORD = "shipped-secret"


class RedisServer(ProcessOwner):
    """Options: aof (an append-only file, written at once, so that a restart finds all that was answered),
    tcp and tls (a port on 127.0.0.1 besides the socket), tls_clients (clients need a certificate of the CA too;
    the server's own will do), users (ACL lines such as
    "user mt5 on >secret ~* &* +@all"), clock (its wall clock is a mt5.clock.Clock: server.clock), shipped (with
    config/redis/mt5stated.conf and users.acl: the daemon is then given its user of these, all of which have
    SHIPPED_PASSWORD), fsync (of the append-only file), data (where its files are, by default its folder). With MT5_TEST_SHIPPED_REDIS=1 in the environment every server is a shipped one that is not asked
    for users of its own or for shipped=False, which is for what these users are not made for.

    The harness has an ACL user of its own, so a test may shut the default user out."""

    def __init__(self, folder, aof=False, tcp=False, tls=False, tls_clients=False, users=(), clock=False,
                 shipped=None, fsync="always", data=None):
        self.folder = folder
        self.data = data or folder
        self._fsync = fsync
        self.socket = folder / "redis.sock"
        self.log_path = folder / "redis.log"
        self.aof = aof
        self.tcp_port = port_free() if tcp else 0
        self.tls_port = port_free() if tls else 0
        if tls:
            self.ca_file, self.cert_file, self.key_file = make_certificates(folder)
        self._tls_clients = tls_clients
        self.clock = Clock(folder) if clock else None
        self._users_file = folder / "users.acl"
        self.shipped = bool(os.environ.get("MT5_TEST_SHIPPED_REDIS") and not users) if shipped is None else shipped
        if self.shipped:
            users = [line.replace(" on ", f" on >{SHIPPED_PASSWORD} ", 1)
                     for line in (SHIPPED / "users.acl").read_text().splitlines()]
        name, password = HARNESS
        self._users_file.write_text("\n".join(
            [f"user {name} on >{password} ~* &* +@all", *users, ""]))
        self.start()

    @property
    def url(self):
        return f"unix://{self.socket}?db=0"

    @property
    def tcp_url(self):
        return f"redis://127.0.0.1:{self.tcp_port}/0"

    @property
    def tls_url(self):
        return f"rediss://localhost:{self.tls_port}/0"

    def client(self, **options):
        """A client of its own connection; text is str, bytes that are no UTF-8 survive as surrogates."""
        name, password = HARNESS
        options = {"decode_responses": True, "encoding_errors": "surrogateescape", "socket_timeout": 30, **options}
        return redis.Redis(unix_socket_path=str(self.socket), username=name, password=password, **options)

    def harness_login(self, folder):
        """The user of the harness as options of mt5sim, for a server whose default user is off."""
        name, password = HARNESS
        (folder / "redis-password").write_text(password)
        return {"redis_username": name, "redis_password_file": folder / "redis-password"}

    def client_as(self, user, password=SHIPPED_PASSWORD):
        """A client that may do what this user may."""
        return redis.Redis(unix_socket_path=str(self.socket), username=user, password=password,
                           decode_responses=True, socket_timeout=30)

    def start(self, ready=True, options=()):
        """Starts it over the data that is there; with ready it waits until it answers."""
        self.socket.unlink(missing_ok=True)
        self._process = Process([*self._argv(), *options], self.log_path, env=self.clock.env if self.clock else None)
        if ready:
            wait_until(self._is_ready, "redis-server to answer PING")

    def stop(self):
        """An orderly end: what is on disk stays there."""
        self._process.resume()
        super().stop()

    def restart(self, kill=False):
        """With kill the server has no chance to write anything more first."""
        self.kill9() if kill else self.stop()
        self.start()

    def wipe(self):
        """The data is gone as with a lost disk: no FLUSHALL is seen by anybody. Only while it is stopped."""
        assert not self._process.is_running()
        for path in [self.folder / "dump.rdb", *self.folder.glob("appendonlydir/*")]:
            path.unlink(missing_ok=True)

    def set_user(self, name, *rules):
        """ACL SETUSER that a restart keeps."""
        with self.client() as client:
            client.execute_command("ACL", "SETUSER", name, *rules)
            client.execute_command("ACL", "SAVE")

    def config_set(self, **settings):
        """CONFIG SET, underscores written as dashes: config_set(maxmemory=1)."""
        with self.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace("_", "-"), value)

    def save(self):
        """Writes an RDB file, which a later start loads where there is no AOF."""
        with self.client() as client:
            client.save()

    def _argv(self):
        argv = ["redis-server", *([SHIPPED / "mt5stated.conf"] if self.shipped else []),
                "--port", self.tcp_port, "--bind", "127.0.0.1", "127.0.0.2", "--dir", self.data,
                "--unixsocket", self.socket, "--unixsocketperm", "700", "--save", "",
                "--maxmemory-policy", "noeviction", "--aclfile", self._users_file,
                "--appendonly", "yes" if self.aof else "no", "--appendfsync", self._fsync]
        if self.tls_port:
            argv += ["--tls-port", self.tls_port, "--tls-ca-cert-file", self.ca_file,
                     "--tls-cert-file", self.cert_file, "--tls-key-file", self.key_file,
                     "--tls-auth-clients", "yes" if self._tls_clients else "no"]
        return argv

    def _is_ready(self):
        assert self._process.is_running(), f"redis-server ended:\n{self._process.log()}"
        try:
            with self.client() as client:
                return client.ping()
        except redis.exceptions.RedisError:
            return False


def make_certificates(folder):
    """A CA and a server certificate for localhost and 127.0.0.1. Returns the paths of CA, certificate, key."""
    ca_key, ca, key, request, cert = (folder / name for name in (
        "ca.key", "ca.pem", "server.key", "server.csr", "server.pem"))
    names = folder / "server.ext"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
            ["req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=test CA"],
            ["req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=localhost"],
            ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-out", cert,
             "-days", "2", "-extfile", names]):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    return ca, cert, key
