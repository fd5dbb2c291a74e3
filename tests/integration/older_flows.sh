# What the scripts of the older flows share: nodes under the older name, in a directory that goes with the
# script. To be sourced by bash; needs PACKICE_NODE, the program.
set -euo pipefail

: "${PACKICE_NODE:?names the program packice-node}"

directory=$(mktemp -d /tmp/packice-older-XXXXXX)
nodes=()

finish() {
  local code=$?
  if ((${#nodes[@]})); then kill -KILL "${nodes[@]}" 2>/dev/null || true; fi
  if ((code)); then tail -n 20 "$directory"/*.log >&2 || true; fi
  rm -rf "$directory"
  exit "$code"
}
trap finish EXIT

fail() {
  echo "failed: $*" >&2
  exit 1
}

# expect WHAT WANTED GOT
expect() {
  [[ $3 == "$2" ]] || fail "$1: wanted '$2', got '$3'"
}

# start_node NAME FLAGS...: runs packice-node and waits until it is ready; ready is its line, node its process.
start_node() {
  local name=$1
  shift
  mkfifo "$directory/$name.ready"
  "$PACKICE_NODE" "$@" >"$directory/$name.ready" 2>"$directory/$name.log" &
  node=$!
  nodes+=("$node")
  read -r -t 60 ready <"$directory/$name.ready" || fail "packice-node $* was not ready"
}

# stop_node PID: as an operator does; it must end well.
stop_node() {
  kill -TERM "$1"
  wait "$1" || fail "the node ended with $?"
}

# field NAME JSON: the value of a string field.
field() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$2"
}
