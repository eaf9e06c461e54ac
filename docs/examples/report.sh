#!/bin/sh
# report.sh URL TOKEN-FILE INSTANCE NAME=VALUE...: one report over HTTP.
#   report.sh http://10.0.0.5:10555 /etc/mt5/token mt5-1 broker_id=icm-1 state=running cpu_usage=45.5
set -eu
url=$1 token_file=$2 instance=$3
shift 3
json=
for field; do
    value=$(printf %s "${field#*=}" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g') # numbers may be texts
    json="$json${json:+,}\"${field%%=*}\":\"$value\""
done
# By standard input, so that the token is in no list of processes.
printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token_file")" |
    curl --silent --show-error --fail-with-body --max-time 10 --config - \
        --data "{$json}" "$url/api/v1/instances/$instance/reports"
