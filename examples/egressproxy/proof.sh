#!/bin/sh
# Leaves a sealed trail of the example proxy, which has to be intact. Then one event is edited, one deleted and one
# inserted, in a copy each, and auditctl verify has to find each of them. In a last copy the tail is cut, which only
# somebody who has kept the trail can tell, with auditctl diff.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/auditctl" ./cmd/auditctl
go run ./examples/egressproxy -demo -proof "$dir" > "$dir/demo.txt"

# verified NAME CODE LINE verifies NAME.log, and wants this exit code, and a line that begins so.
verified() {
	code=0
	"$dir/auditctl" verify --trust "$dir/trust.yaml" "$dir/$1.log" > "$dir/$1.txt" || code=$?
	printf '\n== %s: exit %s\n' "$1" "$code"
	cat "$dir/$1.txt"
	if [ "$code" != "$2" ] || ! grep -q "^$3" "$dir/$1.txt"; then
		echo "proof.sh: $1: want exit $2 and $3" >&2
		exit 1
	fi
}

# one is the line of one event in the log.
one=$(grep -m 1 'paste\.example\.com' "$dir/audit.log")

sed 's/paste\.example\.com/pasta.example.com/g' "$dir/audit.log" > "$dir/edit.log"
grep -v 'paste\.example\.com' "$dir/audit.log" > "$dir/delete.log"
{ cat "$dir/audit.log"; printf '%s\n' "$one" | sed -e 's/"name":"ae-/"name":"ae-x/' -e 's/"paddock\.dev\/seal":"[^"]*",\{0,1\}//'; } > "$dir/insert.log"
head -n 4 "$dir/audit.log" > "$dir/cut.log"

verified audit 0 'verdict: intact'
verified edit 1 'tampered: edited'
verified delete 1 'tampered: deleted'
verified insert 1 'tampered: unsealed'
verified cut 0 'verdict: intact, but for 3 events that no signature protects yet'

printf '\n== diff\n'
code=0
(cd "$dir" && ./auditctl diff audit.log cut.log) || code=$?
if [ "$code" != 1 ]; then
	echo "proof.sh: diff: want exit 1" >&2
	exit 1
fi
