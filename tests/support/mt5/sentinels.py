"""A master, a replica and three Sentinels on ports of 127.0.0.1, all of them real: what fails over."""

import contextlib
import json
import re
import time

import redis

from mt5.ports import port_free
from mt5.process import Process, ProcessOwner
from mt5.redis_server import HARNESS, SHIPPED, SHIPPED_PASSWORD, make_certificates
from mt5.wait import wait_until

MASTER_NAME = "mt5"
DOWN = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError)


class Node(ProcessOwner):
    """One redis-server or Sentinel of the group."""

    def __init__(self, folder, port, argv):
        self.folder, self.port = folder, port
        self._argv = argv
        self.start()

    @property
    def where(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self._process = Process(self._argv, self.folder / f"{self.port}.log")

    def kill9(self):
        if self.is_running():
            self.resume()
        super().kill9()


class Sentinels:
    """Options: down_after_ms; login (user, password) that the Sentinels demand; tls (everything by TLS, with
    certificates for localhost and 127.0.0.1); sentinels, how many; as_shipped (everything with the files of
    config/redis, with addresses and passwords of this test put in).

    Has what the fixtures want of a RedisServer: `client` is one of the master, as a Sentinel names it."""

    shipped = False

    def __init__(self, folder, down_after_ms=500, login=None, tls=False, sentinels=3, as_shipped=False):
        self.folder = folder
        self.login = HARNESS if as_shipped else login
        self.as_shipped = as_shipped
        self.tls = make_certificates(folder) if tls else None
        self._down_after_ms = down_after_ms
        self.servers, self.sentinels = [], []
        self.servers = [self._server()]
        self.servers.append(self._server(self.servers[0].port))
        wait_until(lambda: self._role(self.servers[1]) == ("slave", "connected"), "the replica to be in step")
        self.sentinels = [self._sentinel(2 if sentinels > 1 else 1) for _ in range(sentinels)]
        for sentinel in self.sentinels:
            wait_until(lambda one=sentinel: self._is_complete(one), "the sentinels to have met")

    @property
    def url(self):
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:1/0"    # where nobody listens

    @property
    def config(self):
        """The keys of a daemon that finds its Redis here."""
        if self.as_shipped:
            return self._config_as_shipped()
        config = {"redis.url": self.url, "redis.sentinels": [one.where for one in self.sentinels],
                  "redis.master_name": MASTER_NAME}
        if self.login:
            password = self.folder / "sentinel-password"
            password.write_text(self.login[1] + "\n")
            config |= {"redis.sentinel_username": self.login[0], "redis.sentinel_password_file": str(password)}
        if self.tls:
            config["redis.tls_ca_file"] = str(self.tls[0])
        return config

    def _config_as_shipped(self):
        text = re.sub(r"//.*", "", (SHIPPED / "mt5stated-sentinel.json").read_text().replace("redis://any", "redis:any"))
        shown = json.loads(text.replace("redis:any", "redis://any"))["redis"]
        assert len(shown["sentinels"]) == len(self.sentinels)
        password = self.folder / "password"
        password.write_text(SHIPPED_PASSWORD)
        return {**{f"redis.{key}": value for key, value in shown.items()},
                "redis.sentinels": [one.where for one in self.sentinels],
                "redis.password_file": str(password), "redis.sentinel_password_file": str(password)}

    def client_of(self, node, **options):
        if self.tls:
            options |= {"ssl": True, "ssl_ca_certs": str(self.tls[0])}
        if self.login and (node in self.sentinels or self.as_shipped):
            options |= {"username": self.login[0], "password": self.login[1]}
        return redis.Redis("127.0.0.1", node.port, **{"decode_responses": True, "socket_timeout": 5, **options})

    def client(self, **options):
        return self.client_of(self.master(), **options)

    def master(self):
        """The server that the Sentinels name, with the highest epoch."""
        return self.server_at(max((view for view in map(self.view, self.sentinels) if view), default=(0, 0))[1])

    def server_at(self, port):
        return next(server for server in self.servers if server.port == port)

    def replica(self):
        master = self.master()
        return next(server for server in self.servers if server is not master)

    def view(self, sentinel):
        """(epoch, port) of the master as this Sentinel sees it; None where it does not answer."""
        if not sentinel.is_running():
            return None
        with contextlib.suppress(*DOWN), self.client_of(sentinel, socket_timeout=0.5) as client:
            pipe = client.pipeline(transaction=False)
            pipe.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
            pipe.execute_command("SENTINEL MASTER", MASTER_NAME)
            address, state = pipe.execute()
            return int(state["config-epoch"]), int(address[1])
        return None

    def wait_switched(self, old):
        """Until a Sentinel names another master than OLD. Returns the monotonic time at which it did."""
        wait_until(lambda: self.master() is not old, "a failover", poll_s=0.002)
        return time.monotonic()

    def fail_over(self):
        """As an operator asks for it, again where the Sentinel is not ready for it."""

        def is_taken():
            with contextlib.suppress(redis.exceptions.ResponseError):
                return client.execute_command("SENTINEL FAILOVER", MASTER_NAME)
            return False

        with self.client_of(self.sentinels[0]) as client:
            wait_until(is_taken, "the failover to begin")

    def cut_off_replica(self):
        """All that was written until now has come over, and nothing more does. It could become the master."""
        with self.client_of(self.replica()) as replica, self.client() as master:
            master.wait(1, 0)
            replica.config_set("masterauth", "of-no-use")
            master.client_kill_filter(_type="slave")
            wait_until(lambda: replica.info("replication")["master_link_status"] == "down", "the replica to be cut off")

    def heal(self):
        """Everything runs, the Sentinels agree, and the replica is in step."""
        for node in (*self.servers, *self.sentinels):
            if not node.is_running():
                node.start()
            node.resume()
        for server in self.servers:
            wait_until(lambda one=server: self._answers(one), "redis-server to answer PING")
            with self.client_of(server) as client:
                client.config_set("masterauth", "")
        wait_until(lambda: len(set(map(self.view, self.sentinels))) == 1, "the sentinels to agree")
        master, other = self.master(), self.replica()
        if self._role(other)[0] == "master":    # the Sentinels take 8 s for it
            with self.client_of(other) as client:
                client.replicaof("127.0.0.1", master.port)
        wait_until(lambda: self._role(self.master())[0] == "master"
                   and self._role(self.replica()) == ("slave", "connected"), "the replica to be in step")
        for sentinel in self.sentinels:
            wait_until(lambda one=sentinel: self._is_complete(one), "the sentinels to see all of it")
        with self.client() as client:
            assert client.wait(1, 0) == 1

    def is_running(self):
        return True

    def log(self):
        return "".join(f"--- {node.port}\n{node.log()}" for node in (*self.servers, *self.sentinels))

    def kill(self):
        for node in (*self.sentinels, *self.servers):
            node.kill9()

    def _tls_argv(self, port):
        if not self.tls:
            return ["--port", port]
        ca, cert, key = self.tls
        return ["--port", 0, "--tls-port", port, "--tls-ca-cert-file", ca, "--tls-cert-file", cert,
                "--tls-key-file", key, "--tls-auth-clients", "no", "--tls-replication", "yes"]

    def _server(self, master_port=None):
        port = port_free()
        own = self.folder / str(port)
        own.mkdir()
        argv = ["redis-server", *self._tls_argv(port), "--bind", "127.0.0.1", "--dir", own, "--save", "",
                "--repl-diskless-sync-delay", 0, "--maxmemory-policy", "noeviction"]
        if self.as_shipped:
            argv = ["redis-server", self._server_file(own), "--port", port, "--bind", "127.0.0.1", "--dir", own]
        node = Node(self.folder, port, argv + (["--replicaof", f"127.0.0.1 {master_port}"] if master_port else []))
        wait_until(lambda: self._answers(node), "redis-server to answer PING")
        return node

    def _server_file(self, own):
        users = [line.replace(" on ", f" on >{SHIPPED_PASSWORD} ", 1)
                 for line in (SHIPPED / "users.acl").read_text().splitlines()]
        users.append(f"user {HARNESS[0]} on >{HARNESS[1]} ~* &* +@all")
        (own / "users.acl").write_text("\n".join([*users, ""]))
        text = "\n".join((SHIPPED / name).read_text() for name in ("mt5stated.conf", "replicated.conf"))
        text = text.replace("REPLICA-PASSWORD", SHIPPED_PASSWORD).replace("/etc/redis/users.acl", str(own / "users.acl"))
        (own / "redis.conf").write_text(text)
        return own / "redis.conf"

    def _sentinel_text_as_shipped(self, own):
        text = (SHIPPED / "sentinel.conf").read_text()
        for shown, ours in (("PEER-PASSWORD", "peer-secret"), ("MT5STATED-PASSWORD", SHIPPED_PASSWORD),
                            ("SENTINEL-PASSWORD", SHIPPED_PASSWORD), ("bind 0.0.0.0", "bind 127.0.0.1"),
                            ("/var/lib/redis", str(own)), ("10.0.0.1 6379", f"127.0.0.1 {self.servers[0].port}"),
                            ("port 26379\n", ""), ("user default off\n", "user default off\nuser %s on >%s ~* &* +@all\n" % HARNESS)):
            assert shown in text, shown
            text = text.replace(shown, ours)
        return text

    def _sentinel(self, quorum):
        port = port_free()
        own = self.folder / str(port)
        own.mkdir()
        file = own / "sentinel.conf"
        lines = [self._sentinel_text_as_shipped(own)] if self.as_shipped else [f"dir {own}", "bind 127.0.0.1",
                 f"sentinel monitor {MASTER_NAME} 127.0.0.1 {self.servers[0].port} {quorum}",
                 f"sentinel down-after-milliseconds {MASTER_NAME} {self._down_after_ms}",
                 f"sentinel failover-timeout {MASTER_NAME} 3000"]
        if self.login and not self.as_shipped:
            user, password = self.login
            lines += ["user default off", f"user {user} on >{password} ~* &* +@all",
                      f"sentinel sentinel-user {user}", f"sentinel sentinel-pass {password}"]
        file.write_text("\n".join([*lines, ""]))
        argv = ["redis-server", file, "--sentinel", *self._tls_argv(port)]
        node = Node(self.folder, port, argv)
        return node

    def quicken(self):
        """Sentinels look at each other and at the servers more often than they do by themselves, so that a test
        need not wait 10 s for what it has changed. Not for measuring."""
        for sentinel in self.sentinels:
            with self.client_of(sentinel) as client:
                client.execute_command("SENTINEL DEBUG", "info-period", "100", "ping-period", "200",
                                       "ask-period", "100")

    def _answers(self, node):
        with contextlib.suppress(redis.exceptions.RedisError), self.client_of(node) as client:
            return client.ping()
        return False

    def _role(self, node):
        with contextlib.suppress(*DOWN), self.client_of(node) as client:
            role = client.execute_command("ROLE")
            return (role[0], role[3]) if role[0] == "slave" else (role[0], "")
        return ("", "")

    def _is_complete(self, sentinel):
        with contextlib.suppress(redis.exceptions.RedisError), self.client_of(sentinel) as client:
            state = client.execute_command("SENTINEL MASTER", MASTER_NAME)
            return (state["flags"] == "master" and int(state["num-slaves"]) == len(self.servers) - 1
                    and int(state["num-other-sentinels"]) == len(self.sentinels) - 1)
        return False
