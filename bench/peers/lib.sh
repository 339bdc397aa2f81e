# SPDX-License-Identifier: Apache-2.0
# What peer scripts share; read by them with ". lib.sh".  docs/benchmark.md says what a peer script does.
#
# After arguments "$@" are set: verb, root, and those of dir, port, next_hop, cores, size_max that were given.

fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

arguments() {
	verb=${1:-} root=${2:-} dir='' port='' next_hop=down cores=1 size_max=67108864
	[ -n "$verb" ] && [ -n "$root" ] || { echo "usage: ${0##*/} VERB ROOT [key=value ...]" >&2; exit 2; }
	shift 2
	for word in "$@"; do
		case $word in
		dir=*) dir=${word#dir=} ;;
		port=*) port=${word#port=} ;;
		next_hop=*) next_hop=${word#next_hop=} ;;
		cores=*) cores=${word#cores=} ;;
		size_max=*) size_max=${word#size_max=} ;;
		*) echo "${0##*/}: unknown word $word" >&2; exit 2 ;;
		esac
	done
}

# Who does not know a verb says so by status 2; the caller then does without.
unknown_verb() {
	echo "${0##*/}: no verb $verb" >&2
	exit 2
}

# A file as a JSON string.
json_file() {
	printf '"'
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' "$1" | awk '{ printf "%s\\n", $0 }'
	printf '"'
}

# Waits until 127.0.0.1:$1 greets with 220, or process $2 is gone.
await_220() {
	python3 - "$1" "$2" <<'PYTHON' || fail "it does not answer on port $1"
import os, socket, sys, time
port, pid = int(sys.argv[1]), int(sys.argv[2])
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            if s.recv(3) == b"220":
                sys.exit(0)
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        break
    time.sleep(0.01)
sys.exit(1)
PYTHON
}

# Asks process $1 to end and waits until it is gone.
end_process() {
	kill -TERM "$1" 2>/dev/null || return 0
	tries=0
	while kill -0 "$1" 2>/dev/null && [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" != Z ]; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || { kill -KILL "$1" 2>/dev/null; return 0; }
		sleep 0.05
	done
}
