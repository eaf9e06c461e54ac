"""Links to Redis, and every way in which it refuses: the right word at /-/ready, nothing half written, healed by itself
(SPEC 2, 8.1)."""

import json
import pathlib
import threading
import time

import pytest
import redis as redis_py

from mt5.invariants import check_invariants
from mt5.redis_server import make_certificates
from mt5.wait import wait_until
from mt5.wire import Wire

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
SLOW = {"signals.ttl_ms": 3600000}

USER = "user mt5 on >right-password ~* &* +@all"
DEFAULT_OFF = "user default off"


def work(bus, name, settle=True):
    """Something that writes to every kind of key."""
    bus.report(f"mt5-{name}", broker_id="b", state="running")
    bus.signal(f"s-{name}")
    bus.result(f"r-{name}", f"s-{name}")
    bus.trade(f"t-{name}", state="closed")
    bus.add(TRADES, {"x": "y"})
    if settle:
        bus.settle()


def is_worked(bus, name):
    return (bus.state(f"mt5-{name}") == "running" and f"mt5-{name}" in bus.members("running") and
            bus.stored_trade(f"t-{name}").get("state") == "closed" and
            [event[0] for event in bus.transitions(f"mt5-{name}")] == ["instance_registered", "instance_started"])


def wait_word(daemon, word):
    wait_until(lambda: daemon.ready_word() == word, f"/-/ready to say {word}")
    assert daemon.get("/-/ready").status == (200 if word == "ready" else 503)


def redis_error(one):
    return json.loads(one.get("/api/v1/status").text)["redis"]["error"]


# ---- addresses and credentials ----

@pytest.mark.redis(tcp=True)
def test_over_tcp(daemon, redis_server, bus):
    daemon({"redis.url": redis_server.tcp_url})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(tcp=True)
def test_over_tcp_by_name(daemon, redis_server, bus):
    daemon({"redis.url": redis_server.tcp_url.replace("127.0.0.1", "localhost")})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(shipped=False)
def test_another_database(daemon, redis_server, bus):
    daemon({"redis.url": redis_server.url.replace("db=0", "db=5")})
    with redis_server.client(db=5) as client:
        client.xadd(REPORTS, {"instance_id": "mt5-1", "broker_id": "b", "state": "running"})
        wait_until(lambda: client.sismember("instance:state:running", "mt5-1"), "it to be taken")
        # Notifications are those of its own database.
        client.hset("instance:mt5-1", "state", "stopped")
        wait_until(lambda: client.sismember("instance:state:stopped", "mt5-1"), "the write to be followed")
    assert bus.client.keys("*") == []


@pytest.mark.redis(tls=True)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_over_tls(daemon, redis_server, bus, host):
    daemon({"redis.url": redis_server.tls_url.replace("localhost", host), "redis.tls_ca_file": str(redis_server.ca_file)})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(tls=True, tls_clients=True)
def test_over_tls_with_a_certificate_of_its_own(daemon, redis_server, bus):
    tls = {"redis.url": redis_server.tls_url, "redis.tls_ca_file": str(redis_server.ca_file)}
    without = daemon(tls, ready=False)
    wait_until(lambda: without.log_lines(level="error"), "it to complain")
    daemon({**tls, "redis.tls_cert_file": str(redis_server.cert_file), "redis.tls_key_file": str(redis_server.key_file)})
    work(bus, "1")
    assert is_worked(bus, "1")
    wait_word(without, "connecting")


@pytest.mark.redis(tls=True)
def test_tls_with_a_ca_that_did_not_sign(daemon, redis_server, folder):
    other = folder / "other"
    other.mkdir()
    ca_file, _, _ = make_certificates(other)
    one = daemon({"redis.url": redis_server.tls_url, "redis.tls_ca_file": str(ca_file)}, ready=False)
    wait_until(lambda: one.log_lines(level="error"), "it to complain")
    assert "certificate" in one.log_lines(level="error")[0].lower() or "verif" in one.log_lines(level="error")[0].lower()
    wait_word(one, "connecting")
    # Without a CA file the system's are asked, which did not sign it either.
    two = daemon({"redis.url": redis_server.tls_url}, ready=False)
    wait_until(lambda: two.log_lines(level="error"), "it to complain")
    wait_word(two, "connecting")


@pytest.mark.redis(tls=True)
def test_tls_with_another_host_name(daemon, redis_server):
    # The certificate is for localhost and 127.0.0.1; this is the same machine by a third name.
    url = redis_server.tls_url.replace("localhost", "127.0.0.2")
    one = daemon({"redis.url": url, "redis.tls_ca_file": str(redis_server.ca_file)}, ready=False)
    wait_until(lambda: one.log_lines(level="error"), "it to complain")
    assert "mismatch" in one.log().lower() or "verif" in one.log().lower()
    wait_word(one, "connecting")


@pytest.mark.redis(tls=True, tcp=True)
def test_tls_where_nobody_speaks_it(daemon, redis_server):
    one = daemon({"redis.url": redis_server.tls_url.replace(str(redis_server.tls_port), str(redis_server.tcp_port)),
                  "redis.tls_ca_file": str(redis_server.ca_file)}, ready=False)
    wait_until(lambda: one.log_lines(level="error"), "it to complain")
    wait_word(one, "connecting")


@pytest.mark.redis(users=[USER, DEFAULT_OFF])
def test_an_acl_user_with_a_password_file(daemon, folder, bus):
    secret = folder / "password"
    secret.write_text("right-password\n")
    daemon({"redis.username": "mt5", "redis.password_file": str(secret)})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(users=[USER, DEFAULT_OFF], tcp=True)
def test_an_acl_user_in_the_url(daemon, redis_server, bus):
    daemon({"redis.url": f"redis://mt5:right-password@127.0.0.1:{redis_server.tcp_port}/0"})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(users=[USER, DEFAULT_OFF])
def test_a_password_from_the_credentials_directory(daemon, folder, bus):
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "redis-password").write_text("right-password")
    daemon({"redis.username": "mt5"}, env={"CREDENTIALS_DIRECTORY": str(credentials)})
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(users=[USER, DEFAULT_OFF])
@pytest.mark.parametrize("wrong", ["wrong-password\n", "right-password\n\n"])
def test_a_password_that_is_mended_heals(daemon, folder, bus, wrong):
    secret = folder / "password"
    secret.write_text(wrong)
    one = daemon({"redis.username": "mt5", "redis.password_file": str(secret)}, ready=False)
    wait_until(lambda: one.log_lines(level="error"), "it to complain")
    wait_word(one, "connecting")
    wait_until(lambda: any("WRONGPASS" in line for line in one.log_lines(msg="not ready", why="connecting")),
               "the log to say why")
    assert "WRONGPASS" in redis_error(one)
    secret.write_text("right-password\n")
    one.wait_ready()
    assert redis_error(one) is None
    work(bus, "1")
    assert is_worked(bus, "1")
    assert len(one.log_lines(level="error")) <= 3


@pytest.mark.redis(users=[USER, DEFAULT_OFF])
def test_a_password_file_that_vanishes_is_waited_for(daemon, folder, bus):
    secret = folder / "password"
    secret.write_text("right-password\n")
    one = daemon({"redis.username": "mt5", "redis.password_file": str(secret)})
    secret.unlink()
    bus.client.client_kill_filter(user="mt5")
    wait_word(one, "connecting")
    wait_until(lambda: str(secret) in one.log(), "the file to be named")
    secret.write_text("right-password\n")
    one.wait_ready()
    work(bus, "1")
    assert is_worked(bus, "1")


@pytest.mark.redis(users=[USER, DEFAULT_OFF])
def test_a_password_that_is_changed_at_run_time(daemon, redis_server, folder, bus):
    secret = folder / "password"
    secret.write_text("right-password")
    one = daemon({"redis.username": "mt5", "redis.password_file": str(secret)})
    redis_server.set_user("mt5", "resetpass", ">new-password")
    bus.client.client_kill_filter(user="mt5")
    wait_word(one, "connecting")
    secret.write_text("new-password")
    one.wait_ready()
    work(bus, "1")
    assert is_worked(bus, "1")


# ---- the link is lost ----

def test_links_that_are_cut_again_and_again_lose_nothing(daemon, bus):
    one = daemon(SLOW)
    assert len(bus.links()) == 3
    for round_ in range(20):
        bus.many(SIGNALS, [{"signal_id": f"s{round_}-{i}", "action": "buy"} for i in range(200)])
        bus.many(RESULTS, [{"result_id": f"r{round_}-{i}", "signal_id": f"s{round_}-{i}", "status": "executed"}
                           for i in range(200)])
        bus.many(REPORTS, [{"instance_id": "mt5-1", "broker_id": "b", "state": state}
                           for state in ("running", "crashed", "restarting")])
        # One of the three, or all.
        bus.cut(bus.links()[round_ % 4 - 1:] or bus.links())
        wait_until(lambda: len(bus.links()) == 3, "the links to be back")
    bus.settle()
    assert bus.totals() == {"received:buy": 4000, "processed:buy": 4000, "result:executed": 4000}
    assert len(bus.events(event="instance_restarting")) == 20
    wait_word(one, "ready")
    assert one.metrics().total("mt5stated_redis_reconnects_total") > 0


def test_a_server_that_hangs_is_given_up_and_found_again(daemon, redis_server, bus):
    one = daemon({**SLOW, "redis.command_timeout_ms": 300, "redis.connect_timeout_ms": 300})
    bus.register("mt5-1")
    redis_server.pause()
    wait_word(one, "connecting")
    assert one.metrics().value("mt5stated_redis_up") == 0
    redis_server.resume()
    one.wait_ready()
    work(bus, "2")
    assert is_worked(bus, "2")
    assert one.metrics().value("mt5stated_redis_up") == 1


def test_silence_while_redis_was_away_is_no_crash(daemon, redis_server, bus):
    """Nobody could report: everybody has a whole heartbeat timeout again from when they can."""
    one = daemon({**SLOW, "redis.command_timeout_ms": 200, "instances.heartbeat_timeout_ms": 1000})
    bus.register("mt5-1")
    registered_ms = bus.now_ms()
    redis_server.pause()
    wait_until(lambda: time.time() * 1000 > registered_ms + 1500, "the timeout to be over")
    wait_word(one, "connecting")
    resumed_ms = time.time() * 1000
    redis_server.resume()
    bus.wait_state("mt5-1", "crashed")
    [(entry, _)] = [event for event in bus.client.xrange("instance_events") if event[1]["event"] == "instance_failed"]
    assert int(entry.partition("-")[0]) >= resumed_ms + 1000


@pytest.mark.redis(aof=True)
def test_a_server_that_restarts_is_found_again(daemon, redis_server, bus):
    one = daemon(SLOW)
    work(bus, "1")
    redis_server.stop()
    wait_word(one, "connecting")
    redis_server.start()
    one.wait_ready()
    work(bus, "2")
    assert is_worked(bus, "1") and is_worked(bus, "2")
    assert bus.total("processed:buy") == 2
    # EVALSHA knows no script after a restart, and notifications are off again.
    bus.client.hset("instance:mt5-1", "state", "stopped")
    wait_until(lambda: "mt5-1" in bus.members("stopped"), "the write to be followed")


def test_while_the_server_reads_its_data_ready_says_loading(daemon, redis_server, bus):
    one = daemon({**SLOW, "redis.command_timeout_ms": 60000})
    work(bus, "1")
    # A big file, read slowly: 200 us pause for each key.
    with bus.client.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"filler:{i}", "x")
        pipe.execute()
    redis_server.save()
    redis_server.kill9()
    redis_server.start(ready=False, options=["--key-load-delay", "200", "--loading-process-events-interval-bytes",
                                             "1024"])
    wait_word(one, "loading")
    with pytest.raises(redis_py.exceptions.BusyLoadingError):
        bus.client.get("x")
    one.wait_ready()
    work(bus, "2")
    assert is_worked(bus, "2")
    assert len(one.log_lines(level="error")) <= 4


def test_kept_reports_that_no_answer_can_hold_are_not_asked_for_for_ever(daemon, redis_server, folder, bus):
    """Regression: the link was lost over them again and again. It is over one whole load, then they are left to later trims."""
    wire = Wire(folder, redis_server.socket, rb"\r\nXREVRANGE\r\n\$16\r\ninstance_reports\r\n")
    cuts = []

    def cut():
        cuts.append(1)
        wire.plan(1, act=cut)

    one = daemon({"redis.url": wire.url, "redis.reconnect_min_ms": 1, "redis.reconnect_max_ms": 2})
    bus.register("mt5-1")
    wire.plan(1, act=cut)
    one.restart(ready=False)
    wait_until(lambda: len(cuts) == 10, "a page of one to be asked for")   # 1000, 500 … 1
    for _ in range(2):
        one.wait_ready()
        bus.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        bus.report("mt5-1", cpu_usage="1")
        bus.settle()
    assert len(cuts) == 10
    wire.stop()


# ---- Redis refuses ----

class Refusal:
    """Takes something away from the server, and gives it back."""

    def __init__(self, take, give):
        self.take, self.give = take, give


def misconf(server):
    server.config_set(save="3600 1", stop_writes_on_bgsave_error="yes")
    # The file cannot be written where a folder has its name.
    blocked = pathlib.Path(server.folder) / "dump.rdb"
    blocked.mkdir()
    (blocked / "x").write_text("")
    with server.client() as client:
        try:
            client.bgsave()
        except redis_py.exceptions.RedisError:
            pass
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the save to fail")


def mend_misconf(server):
    blocked = pathlib.Path(server.folder) / "dump.rdb"
    (blocked / "x").unlink()
    blocked.rmdir()
    server.config_set(save="")
    with server.client() as client:
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok", "the save to be well")


def replicate(server, *to):
    with server.client() as client:
        client.execute_command("REPLICAOF", *to)


REFUSALS = {
    "oom": (lambda server: server.config_set(maxmemory=1), lambda server: server.config_set(maxmemory=0)),
    "misconf": (misconf, mend_misconf),
    "noperm": (lambda server: server.set_user("mt5", "-evalsha", "-eval"), lambda server: server.set_user("mt5", "+@all")),
    "noperm of one command": (lambda server: server.set_user("mt5", "-hset"), lambda server: server.set_user("mt5", "+@all")),
    "noperm of one key": (lambda server: server.set_user("mt5", "resetkeys", "~instance*", "~trade*", "~mt5stated:[lmjs]*"),
                          lambda server: server.set_user("mt5", "~*")),
    "noperm of reading": (lambda server: server.set_user("mt5", "-xread"), lambda server: server.set_user("mt5", "+@all")),
}


@pytest.mark.redis(users=[USER])
@pytest.mark.parametrize("take, give", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_waited_out(daemon, redis_server, folder, bus, take, give):
    secret = folder / "password"
    secret.write_text("right-password")
    one = daemon({**SLOW, "redis.username": "mt5", "redis.password_file": str(secret)})
    work(bus, "1")
    before = bus.totals()
    # Added while they still may be: under OOM nobody can add.
    one.pause()
    work(bus, "2", settle=False)
    take(redis_server)
    one.resume()
    wait_until(lambda: one.ready_word() not in ("ready", None), "it to be not ready")
    word = one.ready_word()
    wait_until(lambda: len(one.log_lines(level="error")) > 0, "it to say so")
    # Nothing half: what is not stored whole is not stored at all. (A batch of reports alone may have been stored.)
    assert bus.totals() == before
    check_invariants(bus.client)
    assert len(one.log_lines(level="error")) <= 3
    give(redis_server)
    one.wait_ready()
    bus.settle()
    assert is_worked(bus, "1") and is_worked(bus, "2")
    assert bus.totals() == {"received:buy": 2, "processed:buy": 2, "result:executed": 2}
    assert word in ("read_only", "connecting"), word


@pytest.mark.redis(tcp=True)
def test_a_server_that_became_a_replica_takes_no_writes(daemon, redis_server, folder, bus):
    one = daemon(SLOW)
    work(bus, "1")
    # Its master does not exist: it keeps its data and answers READONLY.
    redis_server.config_set(replica_serve_stale_data="yes")
    replicate(redis_server, "127.0.0.1", "1")
    wait_until(lambda: one.ready_word() not in ("ready", None), "it to be not ready")
    wait_until(lambda: one.log_lines(level="error"), "it to say so")
    assert len(one.log_lines(level="error")) <= 4
    replicate(redis_server, "NO", "ONE")
    one.wait_ready()
    work(bus, "2")
    assert is_worked(bus, "1") and is_worked(bus, "2")


def test_a_server_busy_with_a_script_is_waited_for(daemon, redis_server, bus):
    one = daemon({**SLOW, "redis.command_timeout_ms": 60000})
    work(bus, "1")
    redis_server.config_set(busy_reply_threshold=1)

    def run_for_ever():
        with redis_server.client(socket_timeout=120) as client:
            with pytest.raises(redis_py.exceptions.RedisError):
                client.eval("while true do end", 0)

    script = threading.Thread(target=run_for_ever)
    script.start()
    with redis_server.client() as killer:
        def is_busy():
            try:
                killer.ping()
            except redis_py.exceptions.ResponseError as error:
                return "BUSY" in str(error)
            return False

        wait_until(is_busy, "the server to be busy")
        wait_until(lambda: one.ready_word() not in ("ready", None), "it to be not ready")
        killer.script_kill()
    script.join()
    one.wait_ready()
    work(bus, "2")
    assert is_worked(bus, "2")
    assert len(one.log_lines(level="error")) <= 4


def test_scripts_that_are_flushed_at_any_time_are_sent_again(daemon, bus):
    one = daemon({**SLOW, "instances.reconcile_interval_ms": 10, "redis.info_interval_ms": 10, "signals.ttl_ms": 50})
    stop = threading.Event()

    def flush():
        while not stop.is_set():
            bus.client.script_flush()

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        for i in range(200):
            bus.signal(f"s{i}")
            bus.report("mt5-1", broker_id="b", state=("running", "crashed")[i % 2])
        bus.settle()
        bus.wait_total("dropped:buy", 200)
    finally:
        stop.set()
        thread.join()
    assert one.is_ready()
    # Its alerts apart, which say what was reported.
    assert [line for line in one.log_lines(level="error") if " msg=" in line] == []


@pytest.mark.parametrize("stream", [REPORTS, SIGNALS, RESULTS, TRADES])
def test_a_group_that_is_destroyed_is_made_again_where_it_was(daemon, bus, stream):
    daemon(SLOW)
    work(bus, "1")
    bus.client.xgroup_destroy(stream, "mt5stated")
    work(bus, "2")
    assert is_worked(bus, "2")
    [group] = bus.client.xinfo_groups(stream)
    assert group["last-delivered-id"] == bus.last_id(stream)
    assert bus.totals() == {"received:buy": 2, "processed:buy": 2, "result:executed": 2}


@pytest.mark.parametrize("stream", [REPORTS, RESULTS, TRADES])
def test_a_stream_that_is_deleted_is_made_and_read_again(daemon, bus, expected, stream):
    if stream == RESULTS:
        expected.skip = {"check_results_counted"}   # the stream that counted what was added is gone
    daemon({**SLOW, "redis.info_interval_ms": 20})
    work(bus, "1")
    bus.client.delete(stream)
    work(bus, "2")
    assert is_worked(bus, "2")
    assert bus.totals() == {"received:buy": 2, "processed:buy": 2, "result:executed": 2}
