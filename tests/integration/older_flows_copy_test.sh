#!/bin/bash
# Copy by composition, in both directions, between a node of files over HTTP and a node of memory over a Unix
# socket. Needs PACKICE, the program.
source "$(dirname "$0")/older_flows.sh"

start_node http --adapter=http --port=0 --data "$directory/data"
files=${ready##* } files_node=$node
start_node uds --adapter=uds-memfd --socket "$directory/node.sock"
memory=${ready##* } memory_node=$node

seq 300000 >"$directory/file"
"$PACKICE" put "$directory/file" --id a --meta '{"prev_objid":"z"}' --target "$files" >/dev/null
expect "the copy's id" a "$("$PACKICE" cp --from "$files" --to "$memory" a)"
expect "the copy's id" b "$("$PACKICE" cp --from "$memory" --to "$files" a --as b)"
for target in "$memory a" "$files b"; do
  "$PACKICE" get "${target#* }" --target "${target% *}" -o "$directory/read"
  cmp "$directory/file" "$directory/read" || fail "other bytes in $target"
  "$PACKICE" stat "${target#* }" --target "${target% *}" --json | grep -q '"meta":{"prev_objid":"z"}' ||
    fail "other metadata in $target"
done

if "$PACKICE" cp --from "$memory" --to "$files" a 2>"$directory/error"; then
  fail "a copy took the place of an object"
else
  expect "its exit code" 4 $?
fi
if "$PACKICE" cp --from "$memory" --to "$files" missing 2>"$directory/error"; then
  fail "what is not there was copied"
else
  expect "its exit code" 3 $?
fi
expect "what is left" "a b" "$("$PACKICE" ls --ids --target "$files" | tr '\n' ' ' | sed 's/ $//')"
stop_node "$files_node"
stop_node "$memory_node"
