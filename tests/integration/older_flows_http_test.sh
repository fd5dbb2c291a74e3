#!/bin/bash
# The flow that older versions documented for curl and a shared file system, as it stands there.
source "$(dirname "$0")/older_flows.sh"

export PACKICE_DATA=$directory/data
start_node http --adapter=http --port=0
expect "the ready line" "packice serving fs on http://127.0.0.1:" "${ready%"${ready##*:}"}"
url=${ready##* }

post() {
  curl --silent --show-error --fail-with-body --data "$2" "$url/$1"
}

seq 100000 >"$directory/file"

# Create: acquire, cp, seal, release.
lease=$(post acquire '{"objid":"o1","intent":"create","meta":{"prev_objid":null},"ttl_seconds":60}')
expect "objid" o1 "$(field objid "$lease")"
lease_id=$(field lease_id "$lease")
attachment=$(field attachment_path "$lease")
expect "the place of the attachment" "$PACKICE_DATA/attachments" "${attachment%/*}"
if post acquire '{"objid":"o1","intent":"read"}' >"$directory/answer"; then
  fail "an object that is not sealed was read"
fi
expect "the kind of that failure" not_sealed "$(field kind "$(cat "$directory/answer")")"
cp "$directory/file" "$attachment"
expect "seal" sealed "$(field status "$(post seal "{\"lease_id\":\"$lease_id\"}")")"
expect "release" released "$(field status "$(post release "{\"lease_id\":\"$lease_id\"}")")"

# Read: acquire, cat the path.
lease=$(post acquire '{"objid":"o1","intent":"read"}')
lease_id=$(field lease_id "$lease")
cat "$(field attachment_path "$lease")" >"$directory/read"
cmp "$directory/file" "$directory/read" || fail "other bytes came back"
expect "the mode of a sealed file" 400 "$(stat -c %a "$(field attachment_path "$lease")")"
expect "release" released "$(field status "$(post release "{\"lease_id\":\"$lease_id\"}")")"

# Read miss.
if post acquire '{"objid":"missing","intent":"read"}' >"$directory/answer"; then
  fail "what is not there was read"
fi
expect "the kind of that failure" not_found "$(field kind "$(cat "$directory/answer")")"

# Durable: the same bytes after a restart. Flags win over the environment.
stop_node "$node"
PACKICE_ADAPTER=uds-memfd PACKICE_PORT=1 start_node again --adapter=http --port=0
url=${ready##* }
lease=$(post acquire '{"objid":"o1","intent":"read"}')
cmp "$directory/file" "$(field attachment_path "$lease")" || fail "other bytes after a restart"
stop_node "$node"
