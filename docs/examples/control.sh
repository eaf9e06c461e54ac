#!/bin/sh
# control.sh COMMAND: what agent.py calls for a terminal that is the unit mt5@INSTANCE of systemd.
unit="mt5@${MT5_INSTANCE_ID:?}.service"
case $1 in
status)
    systemctl is-active --quiet "$unit" || exit 1
    echo "memory_usage=$(($(systemctl show -P MemoryCurrent "$unit") / 1048576))"
    ;;
recover | restart | reconnect) systemctl restart "$unit" ;;
start) systemctl start "$unit" ;;
stop) systemctl stop "$unit" ;;
throttle) touch "/run/mt5/$MT5_INSTANCE_ID.throttled" ;; # the expert looks for that file
unthrottle) rm -f "/run/mt5/$MT5_INSTANCE_ID.throttled" ;;
*)
    echo "$1 is not known here" >&2
    exit 1
    ;;
esac
