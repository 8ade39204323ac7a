#!/bin/sh
# Proves docker-compose.yml with a Docker engine: everything becomes healthy, decisions of the proxy arrive in
# Loki, survive its end, and a gap in the trail is in the trail.
#
#   make compose-test
#
# It uses the engine at hand. Without one, root on Linux with dockerd installed (Debian: docker.io and
# docker-compose) gets one that lives in namespaces of its own, with no network outside, and ends with this script.
# Where Loki's image can neither be pulled nor be built around the binary that LOKI_BIN names, VictoriaLogs takes its place:
# the profile of that name. An image that cannot be pulled is built on an empty one, around a binary built from source.
# What could not be proved is said at the end. Everything started is stopped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
project=audit-compose-test-$$
unproved=

say() { printf '%s\n' "compose-test: $*"; }
fail() { say "FAILED: $*"; exit 1; }
not_proved() { unproved="$unproved
  - $*"; }

# --- the engine ---

# own_engine runs this script again where it has its own processes, mounts and network.
own_engine() {
	why=
	[ "$(uname)" = Linux ] || why="this is not Linux"
	[ -n "$why" ] || [ "$(id -u)" = 0 ] || why="only root may start one"
	for tool in dockerd containerd ip iptables unshare; do
		[ -n "$why" ] || command -v $tool >/dev/null || why="$tool is not installed (Debian: apt-get install docker.io iproute2)"
	done
	[ -n "$why" ] || unshare --mount --net --pid --fork --mount-proc true 2>/dev/null || why="namespaces are not allowed here"
	if [ -n "$why" ]; then
		say "no Docker engine answers, and none can be started: $why"
		say "NOT PROVED: that docker-compose.yml starts, its health checks, its volumes' owners, the proxy's way to its store"
		say "proved elsewhere (make test): the file parses, what it mounts exists, every query of the dashboard returns data from a stand-in"
		exit 1
	fi
	say "no Docker engine answers; starting one for this test alone"
	scratch=$(mktemp -d)
	status=0
	AUDIT_COMPOSE_SCRATCH=$scratch unshare --mount --net --pid --fork --mount-proc --kill-child "$0" || status=$?
	find /sys/fs/cgroup -depth -type d -path "*/audit-compose-test-*" -exec rmdir {} + 2>/dev/null || true
	rm -rf "$scratch" || status=1
	exit "$status"
}

start_engine() {
	ip link set lo up
	mount -t tmpfs tmpfs /run
	DOCKER_HOST=unix://$scratch/sock
	export DOCKER_HOST
	dockerd --host "$DOCKER_HOST" --data-root "$scratch/data" --exec-root "$scratch/exec" --pidfile "$scratch/pid" \
		--cgroup-parent "/$project" >"$scratch/log" 2>&1 &
	engine=$!
	wait_for 60 "the engine" docker version || { tail -n 20 "$scratch/log"; fail "the engine did not start"; }
	say "engine $(docker version --format '{{.Server.Version}}'), storage $(docker info --format '{{.Driver}}')"
}

stop_engine() {
	kill "$engine" 2>/dev/null || true
	wait "$engine" 2>/dev/null || true
}

# wait_for SECONDS WHAT COMMAND... tries the command until it works.
wait_for() {
	limit=$(($(date +%s) + $1)); what=$2; shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$limit" ] || { say "waited in vain for $what"; return 1; }
		sleep 0.2
	done
}

# --- the images ---

at_hand() { docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1; }

# pack IMAGE ENTRYPOINT USER builds an image of what is in $context.
pack() {
	printf 'FROM scratch\nCOPY --chown=%s . /\nUSER %s\nENTRYPOINT ["%s"]\n' "$3" "$3" "$2" >"$context/../Dockerfile"
	DOCKER_BUILDKIT=0 docker build --quiet --tag "$1" --file "$context/../Dockerfile" "$context" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "$1 cannot be built"; }
	built="$built $1"
	say "built $1 on an empty image"
}

images() {
	if at_hand "$(image loki)"; then
		services="loki proxy" store=loki
	elif [ -n "${LOKI_BIN:-}" ]; then
		services="loki proxy" store=loki
		context=$work/loki/files; mkdir -p "$context/usr/bin" "$context/loki"
		cp "$LOKI_BIN" "$context/usr/bin/loki"
		touch "$context/loki/.keep"
		pack "$(image loki)" /usr/bin/loki 10001:10001
		not_proved "the published image $(image loki) (built here around LOKI_BIN)"
	else
		services="victorialogs proxy-victorialogs" store=victorialogs
		not_proved "the services loki and grafana: their images, health checks, volumes and provisioning ($(image loki) cannot be pulled, and LOKI_BIN names no binary)"
		if ! at_hand "$(image victorialogs)"; then
			context=$work/victorialogs/files; mkdir -p "$context/victoria-logs-data"
			cp "${VICTORIALOGS_BIN:-$root/bin/victoria-logs}" "$context/victoria-logs-prod"
			touch "$context/victoria-logs-data/.keep"
			pack "$(image victorialogs)" /victoria-logs-prod 10001:10001
			not_proved "the published image $(image victorialogs) (built here around the same version's binary)"
		fi
	fi
	proxy=$(image proxy)
	if at_hand golang:1.26 && (cd "$here" && compose build proxy >/dev/null 2>&1); then
		built="$built $proxy"
	else
		context=$work/proxy/files; mkdir -p "$context/keys"
		touch "$context/keys/.keep"
		CGO_ENABLED=0 go -C "$root" build -trimpath -ldflags='-s -w' -o "$context/egressproxy" ./examples/egressproxy
		pack "$proxy" /egressproxy 65532:65532
		not_proved "examples/compose/Dockerfile (its base image cannot be pulled)"
	fi
	[ $store = loki ] || return 0
	if at_hand "$(image grafana)"; then
		services="$services grafana"
	else
		not_proved "Grafana: its container, health check and provisioning ($(image grafana) cannot be pulled)"
	fi
}

# image SERVICE prints the image that docker-compose.yml names.
image() { sed -n "/^  $1:/,/^    image:/s/^    image: //p" "$here/docker-compose.yml"; }

# --- the test ---

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose --profile victorialogs --project-name "$project" --file "$here/docker-compose.yml" "$@"
	else
		docker-compose --profile victorialogs --project-name "$project" --file "$here/docker-compose.yml" "$@"
	fi
}

# healthy SERVICE asks the container, and VictoriaLogs, which has no health check, from outside.
healthy() {
	if [ "$1" = victorialogs ]; then
		curl --silent --fail http://127.0.0.1:9428/health
		return
	fi
	[ "$(docker inspect --format '{{.State.Health.Status}}' "$(compose ps -q "$1")")" = healthy ]
}

all_healthy() {
	for service in $services; do
		wait_for 120 "$service" healthy "$service" || { compose logs --tail 30 "$service"; fail "$service is not healthy"; }
		say "$service is healthy"
	done
}

# request URL STATUS sends a request through the proxy.
request() {
	case $store in loki) port=8080 ;; *) port=8081 ;; esac
	got=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 30 --proxy http://127.0.0.1:$port "$1" || true)
	[ "$got" = "$2" ] || fail "GET $1 through the proxy: $got, want $2"
	say "GET $1 through the proxy: $got"
}

# holds QUERY TEXT looks into the store.
holds() {
	case $store in
	loki) curl --silent --fail --get http://127.0.0.1:3100/loki/api/v1/query_range --data-urlencode "query=$1" ;;
	*) curl --silent --fail http://127.0.0.1:9428/select/logsql/query --data-urlencode "query=$1" ;;
	esac | grep -q -- "$2"
}

# recorded FIELD VALUE TEXT: an event with that field holds the text.
recorded() {
	case $store in
	loki) query="{service_name=\"audit\", component=\"proxy\", namespace=\"team-a\"} | $1=\"$2\"" ;;
	*) query="{service_name=\"audit\", component=\"proxy\", namespace=\"team-a\"} $1:=\"$2\"" ;;
	esac
	wait_for 10 "$3 in $store" holds "$query" "$3" || fail "$store does not answer $3 to $query"
	say "$store holds $3: $query"
}

# on_disk is true once VictoriaLogs has nothing in memory only: what it has answered is lost with it until then.
on_disk() {
	curl --silent --fail http://127.0.0.1:9428/metrics >"$work/metrics"
	grep -q '^vl_storage_rows{type="storage/inmemory"} 0$' "$work/metrics" && grep -q '^vl_pending_rows{type="storage"} 0$' "$work/metrics"
}

test_compose() {
	# shellcheck disable=SC2086 # several words on purpose
	compose up -d --no-build $services
	all_healthy
	request http://169.254.169.254/latest/meta-data 403
	recorded decision denied 169.254.169.254
	if [ $store = victorialogs ]; then
		wait_for 60 "VictoriaLogs to write to its disk" on_disk || fail "VictoriaLogs keeps rows in memory"
		say "VictoriaLogs has written to its disk"
	fi

	compose kill $store
	request http://paste.example.com/lost 502
	compose start $store
	all_healthy
	recorded decision denied 169.254.169.254
	request http://paste.example.com/again 403
	recorded kind audit-write-failed 'could not be recorded: 1'

	compose down
	# shellcheck disable=SC2086
	compose up -d --no-build $services
	all_healthy
	recorded decision denied paste.example.com
	case $services in *grafana*)
		wait_for 30 "the dashboard" curl --silent --fail http://127.0.0.1:3000/api/dashboards/uid/audit || fail "Grafana has no audit dashboard"
		say "Grafana has the audit dashboard" ;;
	esac
}

clean_up() {
	status=$?
	trap - EXIT INT TERM
	compose down --volumes >/dev/null 2>&1 || true
	# shellcheck disable=SC2086
	[ -z "$built" ] || docker rmi --force $built >/dev/null 2>&1 || true
	[ -z "$engine" ] || stop_engine
	rm -rf "$work"
	exit "$status"
}

for tool in curl docker; do command -v $tool >/dev/null || fail "$tool is not installed"; done
scratch=${AUDIT_COMPOSE_SCRATCH:-}
engine= built= services= store=
[ -n "$scratch" ] || docker info >/dev/null 2>&1 || own_engine
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || fail "docker compose is not installed"
work=$(mktemp -d "${scratch:-${TMPDIR:-/tmp}}/audit-compose-XXXXXX")
trap clean_up EXIT INT TERM
[ -z "$scratch" ] || start_engine
images
test_compose
say "PASSED"
[ -z "$unproved" ] || say "not proved here:$unproved"
