// Packice's client: the one header an application includes.
//
//   absl::StatusOr<std::unique_ptr<packice::Client>> client =
//   packice::Connect("/tmp/packice.sock");
//   (*client)->Put("models/a", bytes);
//   absl::StatusOr<packice::Reader> model = (*client)->Get("models/a");
//   absl::StatusOr<absl::string_view> weights = model->View();  // no copy, whatever the size
//
// A Client, and what it hands out, end their leases when they go. Errors carry an ErrorKind
// (KindOf). All calls may block for the node's answer; waits are bounded by what the options say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/error.h"
#include "packice/core/event_ring.h"
#include "packice/core/peer.h"

namespace packice {

namespace sdk {
class Connection;
class ReaderState;
class WriterState;
}  // namespace sdk

// An object being created: this client is its only writer. Destroyed unsealed, the object is gone.
// Move-only; one thread at a time. It keeps its client's connection open, even when it outlives the
// Client.
class Writer {
 public:
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  const ObjectId& id() const;
  size_t blob_count() const;

  // Appends to blob 0. `invalid_argument` beyond a declared size. Copies straight into the node's
  // memory.
  absl::Status Write(absl::string_view bytes);
  // Writes at an offset of any blob. Does not move where Write appends.
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes, size_t blob = 0);

  // The blob's memory itself, for filling in place; only with a declared size, and where the node's
  // memory or files are this machine's (`unsupported` otherwise). Valid until Seal, Discard or the
  // end of this Writer. For bytes that lie in a buffer already, Write is faster.
  absl::StatusOr<absl::Span<char>> Span(size_t blob = 0);

  // Appends to blob 0 through a standard stream, in order with Write. Lives as long as this Writer,
  // moves included. When a write fails the stream turns bad, and Seal answers why.
  std::ostream& stream();

  // Freezes the object. Spans of it become invalid. Metadata (a JSON object) is merged into what
  // Create was given. On success the Writer only pins the object, until it goes. `busy` while
  // another mapping of it is writable; it may then be tried again.
  absl::Status Seal(absl::string_view metadata_json = "");
  bool sealed() const;

  // Takes the object away.
  absl::Status Discard();

  // Gives the lease a TTL from now on, instead of the one it had.
  absl::Status Renew(absl::Duration ttl);

 private:
  friend class Client;
  explicit Writer(std::unique_ptr<sdk::WriterState> state);
  std::unique_ptr<sdk::WriterState> state_;
};

// A sealed object, pinned: it is not evicted while this lives. Move-only; thread-safe for reading.
// Views and streams of it stay valid until it is destroyed (moving it is no harm), even if the node
// goes away meanwhile. Of an object that is streamed from another machine only what was viewed by
// then can be read when the lease is over. It keeps its client's connection open, even when it
// outlives the Client.
class Reader {
 public:
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  const ObjectId& id() const;
  size_t blob_count() const;
  uint64_t size() const;                  // bytes, over all blobs
  uint64_t blob_size(size_t blob) const;  // bytes; 0 of a blob that there is not
  std::string metadata_json() const;      // a JSON object
  const Metadata& metadata() const;

  // All bytes of a blob, without a copy: mapped at the first call. `capacity` when this client
  // holds as many mappings as it may.
  absl::StatusOr<absl::string_view> View(size_t blob = 0) const;
  // Copies from `offset` into `out`; answers how many bytes, fewer only at the end.
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out, size_t blob = 0) const;
  // Reads blob 0 from its start, and can seek. One stream, for one thread at a time, lives as long
  // as this Reader. It is bad from the start where View fails.
  std::istream& stream();

  // Gives the lease a TTL from now on, instead of the one it had. Where several Readers share one,
  // it ends when the last of them wants it to.
  absl::Status Renew(absl::Duration ttl);
  // Ends the lease early; so does the destructor. Idempotent. Views stay valid.
  void Release();

 private:
  friend class Client;
  explicit Reader(std::unique_ptr<sdk::ReaderState> state);
  std::unique_ptr<sdk::ReaderState> state_;
};

struct CreateOptions {
  // Bytes of each blob. Empty: one blob, as long as it is written.
  std::vector<uint64_t> sizes = {};
  // A JSON object.
  std::string metadata_json = {};
  // How long the object lives after Seal.
  absl::optional<absl::Duration> object_ttl = {};
  // Of the lease. Without one it lasts as long as this client is connected. Put leaves none.
  absl::optional<absl::Duration> lease_ttl = {};
  // How long to wait for another creator to finish or give up. Nothing: Create and Put do not wait,
  // GetOrCreate waits as long as it takes.
  absl::optional<absl::Duration> wait = {};
};

// An object of PutMany. Neither the id nor the bytes are copied: they outlive the call.
struct PutItem {
  absl::string_view id;  // empty: the node makes one
  absl::string_view bytes;
  CreateOptions options = {};
};

struct GetOptions {
  // Of the lease. Without one it lasts as long as this client is connected.
  absl::optional<absl::Duration> lease_ttl = {};
  // How long to wait for an object that is still being created. One that nobody creates is
  // `not_found` at once; a node of a swarm waits until somebody has it, anywhere.
  absl::Duration wait = absl::ZeroDuration();
};

// An object and those before it: each names the one that it replaces in its metadata, as
// `prev_objid`.
struct ObjectHistory {
  enum class End {
    kFirst,       // the last one names none
    kMissing,     // the last one names an object that this node does not have
    kCycle,       // the last one names one that was there already
    kUnreadable,  // the last one's `prev_objid` is no id
    kLimit,       // there are more
  };

  std::vector<ObjectInfo> objects;  // the newest first, never empty
  End end = End::kFirst;
  ObjectId next;  // what the last one names: for kMissing, kCycle, kLimit
};

// Of a node in this process, which has no socket, only `peer` is told.
struct NodeStats {
  PeerStats peer = {};
  uint64_t connections = 0;
  uint64_t refused = 0;      // connections, for a limit or a foreign uid
  uint64_t descriptors = 0;  // open in the node's process
  absl::Duration uptime = absl::ZeroDuration();
  // What else it tells, as a JSON object; of a node of a swarm {"swarm": {...}}. May be empty.
  std::string more_json = {};
};

struct ConnectOptions {
  // How long a call may take beyond its own wait before it fails with `timeout`.
  absl::Duration call_timeout = absl::Seconds(60);
  // For a node's Unix socket: how long a thread that waits for an answer keeps its core busy
  // looking for it, before it sleeps.
  // Where client and node have cores of their own, a sleep costs more than a request:
  // 200 us here and in `serve --busy-poll` make an acquire of 88 us one of 11 us, either of them
  // alone one of 45 (docs/operations.md); where they share one core, both together make it far
  // slower. It costs a core while a thread waits. Of several threads that wait at a time one does
  // so, and the others sleep.
  absl::Duration spin = absl::ZeroDuration();
  // What this client may hold at once; beyond it `capacity`. A Reader holds a descriptor for each
  // blob until that is mapped, a Writer until it has sealed.
  size_t max_open_descriptors = 4096;
  size_t max_mappings = 32768;
  // For http and https: the node's token, where it wants one; for https, a PEM file of the
  // authorities to trust (empty: the system's).
  std::string token = {};
  std::string ca_file = {};
};

// A connection to a node. Thread-safe; one per process is enough. When the node was restarted the
// next call connects anew; leases of before are gone (`unavailable` on the call that notices,
// `lease_expired` on their Writers), while views stay readable. In a forked child it connects for
// itself; what the parent held belongs to the parent, and the child can only look at what is
// mapped. A node inside the parent's own process ("", "memory://NAME", ConnectDirect) is
// `unavailable` to the child.
class Client {
 public:
  ~Client();

  // An object to be written. An empty id: the node makes one. `already_exists`, `busy`, `capacity`.
  absl::StatusOr<Writer> Create(absl::string_view id, const CreateOptions& options = {});
  // A whole object from one buffer, in as few messages as there can be. Answers its id.
  // `options.sizes` may cut the bytes into several blobs.
  absl::StatusOr<ObjectId> Put(absl::string_view id, absl::string_view bytes,
                               const CreateOptions& options = {});
  // Several at once, many small ones in one message; the answers in the order of the items. What
  // becomes of one is nothing to the others.
  std::vector<absl::StatusOr<ObjectId>> PutMany(absl::Span<const PutItem> items);

  // Of a memory node behind a Unix socket, what this client holds already without a TTL is found
  // without a message, if the node still has it. `not_found`, `not_sealed`.
  absl::StatusOr<Reader> Get(absl::string_view id, const GetOptions& options = {});
  // Several at once, in as few messages as there can be; the answers in the order of the ids.
  std::vector<absl::StatusOr<Reader>> GetMany(absl::Span<const std::string> ids,
                                              const GetOptions& options = {});

  // Copies an object, all blobs one after another, to the front of `out`; answers its size. Of a
  // memory node behind a Unix socket a small object comes out of memory that both share, without a
  // message, once this client has read another one that lies near; everything else by a Get, and
  // nobody sees the difference. `invalid_argument`, which says the size, when `out` is too small;
  // `out` may hold anything after a failure. Otherwise as Get.
  absl::StatusOr<size_t> ReadInto(absl::string_view id, absl::Span<char> out);
  // The same into a string. Where the size is known, ReadInto is faster.
  absl::StatusOr<std::string> GetCopy(absl::string_view id);

  // The object, created by `fill` if it is not there; what `fill` leaves unsealed is sealed after
  // it. Of many callers, on any client of the node, one fills and the others wait, at most
  // `options.wait` (`timeout`). When a filler fails, its caller gets the error and another one
  // fills.
  absl::StatusOr<Reader> GetOrCreate(absl::string_view id,
                                     const std::function<absl::Status(Writer&)>& fill,
                                     const CreateOptions& options = {});

  // Takes an object away; those who read it keep its bytes. `not_found`, `busy`.
  absl::Status Delete(absl::string_view id);

  // Gives an object another id; its bytes do not move. `not_found`; `busy` while somebody holds a
  // lease on it or creates `to`; `already_exists` when `to` is taken.
  absl::Status Relocate(absl::string_view id, absl::string_view to);

  absl::StatusOr<ObjectInfo> Stat(absl::string_view id);
  // The versions that led to this one, at most `limit` objects in all, one round trip each.
  // `not_found` when there is no object `id` itself.
  absl::StatusOr<ObjectHistory> History(absl::string_view id, size_t limit = 1000);
  absl::StatusOr<ListPage> List(const ListRequest& request = {});
  absl::StatusOr<NodeStats> Stats();

  // What happened on the node, oldest first, a page of it; ask again with `after` set to the page's
  // `next`. With `wait` the call blocks while there is nothing new, and answers an empty page then.
  // `retention_gap` when the node has forgotten some of it, `invalid_argument` for an `after` of
  // another run of the node, `unsupported` of one that keeps no events or is in this process.
  absl::StatusOr<EventPage> Events(const EventsRequest& request = {});

  // An operation that some nodes have beyond these, by its name, as `prefetch` of one in a swarm
  // (docs/protocol.md): JSON objects in and out. `wait` is how long the answer may take, told as
  // `wait_seconds`; infinite: as long as it takes, and it is not told. `invalid_argument` or
  // `not_found` of a node that does not know the name, `unsupported` of one in this process, and
  // what the operation fails with.
  absl::StatusOr<std::string> Call(absl::string_view op, absl::string_view request_json = "{}",
                                   absl::Duration wait = absl::ZeroDuration());

 private:
  friend absl::StatusOr<std::unique_ptr<Client>> Connect(absl::string_view target,
                                                         const ConnectOptions& options);
  friend std::unique_ptr<Client> ConnectDirect(std::shared_ptr<Peer> peer,
                                               const ConnectOptions& options);
  explicit Client(std::shared_ptr<sdk::Connection> connection);
  std::shared_ptr<sdk::Connection> connection_;
};

// "" : a private node in this process's memory. "memory://NAME": one shared by all who name it in
// this process, kept while one of them is connected. "/path" or "unix:/path": a node's Unix socket.
// "http://HOST:PORT" or "https://HOST:PORT": a node anywhere; its files are opened where they are
// this machine's, else bytes are streamed and checked against the node's checksums.
// `unavailable` when nobody listens there, `permission_denied` for want of the right token,
// `unsupported` for another scheme.
absl::StatusOr<std::unique_ptr<Client>> Connect(absl::string_view target = "",
                                                const ConnectOptions& options = {});

// A peer in this process, without any message.
std::unique_ptr<Client> ConnectDirect(std::shared_ptr<Peer> peer,
                                      const ConnectOptions& options = {});

// Copies a sealed object from one node to another, or on one node to `new_id`; an empty `new_id` is
// `id`. Bytes, blobs, metadata and the end of its life are those of the original, which is pinned
// meanwhile. Streams, whatever the size. `to` shows it only when it is whole; of a copy that fails
// nothing stays. Errors are those of Get on `from` and of Create and Seal on `to`.
absl::StatusOr<Sealed> CopyObject(Client& from, Client& to, absl::string_view id,
                                  absl::string_view new_id = "");

}  // namespace packice
