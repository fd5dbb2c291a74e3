#!/bin/bash
# The flow that older versions documented for a Unix socket and memfds: a C and a Python program, which know the
# standard library only, and socat's way of asking. Needs OLDER_C and OLDER_PYTHON, the programs.
source "$(dirname "$0")/older_flows.sh"

export PACKICE_SOCKET=$directory/node.sock
PACKICE_ADAPTER=uds-memfd start_node uds
expect "the ready line" "packice serving mem on unix:$PACKICE_SOCKET" "$ready"

seq 100000 >"$directory/file"
clients=("$OLDER_C" "python3 $OLDER_PYTHON")
for i in 0 1; do
  ${clients[i]} "$PACKICE_SOCKET" put "o$i" <"$directory/file"
  for reader in "${clients[@]}"; do
    $reader "$PACKICE_SOCKET" get "o$i" >"$directory/read"
    cmp "$directory/file" "$directory/read" || fail "other bytes came back to $reader"
  done
  if ${clients[i]} "$PACKICE_SOCKET" put "o$i" </dev/null 2>"$directory/error"; then
    fail "a sealed object was created again"
  fi
  grep -q already_exists "$directory/error" || fail "no word of what exists: $(cat "$directory/error")"
  if ${clients[i]} "$PACKICE_SOCKET" get missing 2>"$directory/error"; then
    fail "what is not there was read"
  fi
  grep -q not_found "$directory/error" || fail "no word of what is missing: $(cat "$directory/error")"
done

# A lease with a TTL outlives the connection it was asked for on, as these programs need it.
stop_node "$node"
