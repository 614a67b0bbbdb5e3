#!/usr/bin/env bash
# What compose.yml runs, without containers: the demo, a small load with failures, Prometheus with the rules and, where it is installed,
# Grafana with the dashboards. Ctrl-C ends it all; nothing is left. make demo-stack
#
# NEURONWARD_LISTEN, NEURONWARD_ADMIN_LISTEN, PROMETHEUS_LISTEN and GRAFANA_LISTEN change the addresses, LOAD_PAUSE the seconds between
# two calls.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

app=${NEURONWARD_LISTEN:-127.0.0.1:3036}
admin=${NEURONWARD_ADMIN_LISTEN:-127.0.0.1:3037}
prometheus=${PROMETHEUS_LISTEN:-127.0.0.1:9090}
grafana=${GRAFANA_LISTEN:-127.0.0.1:3000}
ready_within=60 # seconds

work=$(mktemp -d)
pids=()

# Called by the trap.
# shellcheck disable=SC2317
cleanup() {
	trap '' INT TERM
	if ((${#pids[@]})); then
		kill "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'echo; echo "demo-stack: ended"; exit 0' INT TERM

fail() {
	printf 'demo-stack: %s\n' "$*" >&2
	exit 1
}

# begin NAME COMMAND … runs a command beside this script, its output in a file.
begin() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null &
	pids+=($!)
}

# await NAME URL waits until the last command that was begun answers.
await() {
	local end=$((SECONDS + ready_within))
	until curl -fsS -o /dev/null --max-time 2 "$2" 2>/dev/null; do
		if ! kill -0 "${pids[-1]}" 2>/dev/null || ((SECONDS > end)); then
			tail -n 20 "$work/$1.log" >&2
			fail "$1 does not answer on $2"
		fi
		sleep 0.1 # between two polls
	done
}

for command in go curl prometheus; do
	command -v "$command" >/dev/null || fail "$command is missing; compose.yml needs none of this"
done
go build -buildvcs=false -o "$work/neuronward" ./cmd/neuronward

begin demo env NEURONWARD_LISTEN="$app" NEURONWARD_ADMIN_LISTEN="$admin" NEURONWARD_CLIENTS_FILE=deploy/compose/clients.yaml \
	NEURONWARD_FIRST_BYTE_TIMEOUT=10s NEURONWARD_STREAM_IDLE_TIMEOUT=10s NEURONWARD_DRAIN=2s "$work/neuronward" demo
await demo "http://$admin/readyz"

mkdir "$work/prometheus"
cp deploy/prometheus/{recording,alerts}.yml "$work/prometheus/"
sed "s/demo:3037/$admin/" deploy/compose/prometheus.yml >"$work/prometheus/prometheus.yml"
begin prometheus prometheus --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" \
	--web.listen-address="$prometheus" --enable-feature=exemplar-storage
await prometheus "http://$prometheus/-/ready"

dashboards='import deploy/grafana/dashboards into a Grafana of yours: none is installed here'
if command -v grafana-server >/dev/null; then
	mkdir -p "$work/grafana/dashboards"
	cp -r deploy/grafana/provisioning "$work/grafana/"
	sed -i "s|http://prometheus:9090|http://$prometheus|" "$work/grafana/provisioning/datasources/prometheus.yml"
	sed -i "s|/var/lib/grafana/dashboards/neuronward|$PWD/deploy/grafana/dashboards|" "$work/grafana/provisioning/dashboards/neuronward.yml"
	begin grafana env GF_SERVER_HTTP_ADDR="${grafana%:*}" GF_SERVER_HTTP_PORT="${grafana##*:}" GF_PATHS_PROVISIONING="$work/grafana/provisioning" \
		GF_PATHS_DATA="$work/grafana" GF_PATHS_LOGS="$work/grafana" GF_PATHS_PLUGINS="$work/grafana/plugins" GF_LOG_MODE=console \
		GF_AUTH_ANONYMOUS_ENABLED=true GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION=true \
		GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH="$PWD/deploy/grafana/dashboards/errors.json" \
		GF_ANALYTICS_REPORTING_ENABLED=false GF_ANALYTICS_CHECK_FOR_UPDATES=false GF_PLUGINS_PREINSTALL_DISABLED=true \
		grafana-server --homepath "${GRAFANA_HOME:-/usr/share/grafana}"
	await grafana "http://$grafana/api/health"
	dashboards="http://$grafana"
fi

begin load sh deploy/compose/load.sh "http://$app" "${LOAD_PAUSE:-0.4}"
cat <<EOF
demo-stack: a simulated Workers AI, a small load with failures, and what on-call sees of it. Ctrl-C ends it.

  proxy        http://$app     curl -H 'Authorization: Bearer demo-console' …
  status       http://$admin/status
  prometheus   http://$prometheus    alerts: http://$prometheus/alerts
  dashboards   $dashboards
EOF

# Until the first of them ends, which none should.
wait -n "${pids[@]}" || true
for name in demo prometheus grafana load; do
	if [[ -s $work/$name.log ]]; then
		echo "$name:"
		tail -n 5 "$work/$name.log"
	fi
done
fail 'one of them has ended by itself'
