"""The redis-server that the tests start: what is promised of it is what the other tests lean on."""

import pytest
import redis as redis_py


def test_redis_server_is_private(redis_server, redis):
    assert redis.ping()
    assert redis.config_get("port")["port"] == "0"
    assert redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


@pytest.mark.redis(aof=True)
def test_redis_server_with_aof_keeps_data_over_kill9(redis_server, redis):
    redis.set("a", 1)
    redis_server.restart(kill=True)
    assert redis.get("a") == "1"


@pytest.mark.redis(aof=True)
def test_redis_server_wiped_is_empty(redis_server, redis):
    redis.set("a", 1)
    redis_server.stop()
    redis_server.wipe()
    redis_server.start()
    assert redis.get("a") is None


@pytest.mark.redis(users=["user mt5 on >secret ~* &* +@all -flushall"])
def test_redis_server_users_survive_a_restart(redis_server):
    redis_server.set_user("default", "off")
    redis_server.restart()
    client = redis_py.Redis(unix_socket_path=str(redis_server.socket), username="mt5", password="secret")
    assert client.ping()
    with pytest.raises(redis_py.exceptions.NoPermissionError):
        client.flushall()
    with pytest.raises(redis_py.exceptions.AuthenticationError):
        redis_py.Redis(unix_socket_path=str(redis_server.socket)).ping()


@pytest.mark.redis(tls=True, tcp=True, shipped=False)
def test_redis_server_speaks_tls_with_a_name_that_verifies(redis_server):
    client = redis_py.Redis.from_url(redis_server.tls_url, ssl_ca_certs=str(redis_server.ca_file),
                                     ssl_check_hostname=True)
    assert client.ping()
    assert redis_py.Redis.from_url(redis_server.tcp_url).ping()
