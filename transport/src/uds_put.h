// What a node does for put, stage and write: the ops of the Unix socket whose bytes are the
// client's. Called by the Dispatcher; thread-safe, but for `caller`, which is touched in the order
// of its requests.
#pragma once

#include "dispatcher.h"
#include "packice/core/identity.h"
#include "packice/core/peer.h"
#include "packice/transport/protocol.h"

namespace packice {

// The payload, or what is staged, becomes an object. Errors are those of Peer::Put and Staging;
// `unsupported` over transports that have neither.
void ServePut(Dispatcher& dispatcher, PutMessage message, const Caller& caller,
              OperationId operation, Done<absl::StatusOr<Sealed>> done);

// The connection's staging area, made at the first call. Nothing else of the caller's is under way
// until it is answered, but for what waits.
void ServeStage(Dispatcher& dispatcher, const StageRequest& request, Caller& caller,
                Dispatcher::Completion done);

// What is staged goes into a blob that is being created. `permission_denied` unless it is a CREATE
// lease that the caller may use; `busy` while another request writes or seals under it; errors of
// Peer::Lookup and Blob::Write.
void ServeWrite(Dispatcher& dispatcher, const WriteRequest& request, const Caller& caller,
                OperationId operation, Done<absl::Status> done);

}  // namespace packice
