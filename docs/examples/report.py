#!/usr/bin/python3
"""report.py INSTANCE BROKER: the least that an agent does, every 5 seconds. When it says nothing any more, the daemon notices."""

import os
import sys
import time

import redis

client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
while True:
    client.xadd("instance_reports", {"instance_id": sys.argv[1], "broker_id": sys.argv[2], "state": "running",
                                     "load_average": os.getloadavg()[0]})
    time.sleep(5)
