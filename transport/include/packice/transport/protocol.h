// The control protocol's messages as values: what every transport speaks, whatever carries it.
// docs/protocol.md has the wire form. Plain values, no ownership beyond their own;
// thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/variant.h"
#include "packice/core/blob_descriptor.h"
#include "packice/core/event_ring.h"
#include "packice/core/peer.h"

namespace packice {

inline constexpr int kProtocolVersion = 2;
// A request line, or an HTTP body, is at most this long, in bytes. So is a response, but for
// `list`.
inline constexpr size_t kMaxRequestBytes = 1 << 20;

enum class Op {
  kHello,
  kAcquire,
  kSeal,
  kDiscard,
  kRelease,
  kRenew,
  kRelocate,
  kStat,
  kList,
  kStats,
  kEvents,
  kIndex,
  kBatch,
  kPut,
  kStage,
  kWrite,
  kExtension,  // an operation of the node's NodeExtension, which has a name of its own
};

absl::string_view OpName(Op op);  // "acquire"; "extension" for all of those

// A feature that a client announces in hello: it goes by `handles`, honours their offsets and reads
// descriptors by position, so that many clients may be given one open file description. Others get
// one of their own, at offset 0, and the names that older clients look for.
inline constexpr absl::string_view kFeaturePositioned = "positioned";

// A feature that a client announces in hello: it maps a node's shared memory once and is then told
// where in it an object lies. It looks there only while it holds the lease.
inline constexpr absl::string_view kFeatureSegments = "segments";

// A feature of a node: it keeps an index of its shared memory and answers `index`.
inline constexpr absl::string_view kFeatureIndex = "index";

// A feature that a node announces in hello: it knows put, stage and write.
inline constexpr absl::string_view kFeaturePut = "put";

struct HelloRequest {
  std::vector<std::string> features;  // what the client understands
};
struct StatRequest {
  ObjectId object_id;
};
struct StatsRequest {};
// Bytes in a connection's staging area.
struct StagedRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};
struct PutMessage {
  // Bytes that may follow one request line.
  static constexpr uint64_t kMaxPayload = 256 << 10;

  // Its bytes are the transport's to set: the payload, or what is staged.
  PutRequest put;
  uint64_t payload = 0;                // how many bytes follow the line
  absl::optional<StagedRange> staged;  // instead of those
};
struct StageRequest {
  static constexpr uint64_t kMinSize = 64 << 10;
  static constexpr uint64_t kDefaultSize = 4 << 20;
  static constexpr uint64_t kMaxSize = 16 << 20;

  uint64_t size = kDefaultSize;  // bytes; outside of these bounds the nearest of them
};
struct WriteRequest {
  LeaseId lease_id;  // a CREATE lease
  uint64_t blob = 0;
  uint64_t offset = 0;  // in the blob
  StagedRange staged;
};
struct ExtensionRequest {
  std::string op;           // its own name
  std::string json = "{}";  // the request, an object
  // How long the answer may take, where that is asked for; also `wait_seconds` of the request.
  absl::Duration wait = absl::ZeroDuration();
};
struct IndexRequest {};
struct BatchRequest;

struct Request {
  // What the client wants echoed, as JSON text; empty: nothing.
  std::string seq;
  Op op = Op::kStats;
  // Release, discard, relocate of a lease on bytes in shared memory: the lease ends, the bytes stay
  // what they are until this connection releases it once more.
  bool keep_bytes = false;
  // The alternative that belongs to `op`; LeaseRequest is for both discard and release.
  absl::variant<StatsRequest, HelloRequest, AcquireRequest, SealRequest, LeaseRequest, RenewRequest,
                RelocateRequest, StatRequest, ListRequest, EventsRequest, ExtensionRequest,
                IndexRequest, std::unique_ptr<BatchRequest>, PutMessage, StageRequest, WriteRequest>
      body;
};

struct BatchRequest {
  static constexpr size_t kMaxRequests = 10000;
  static constexpr uint64_t kMaxPayload = 4 << 20;  // bytes that follow the line, in all

  // In order; none is a batch. One that could not be decoded stands as its failure.
  std::vector<absl::StatusOr<Request>> requests;
  // The seq of each, of failed ones too. Empty when none has one, else as long as `requests`.
  std::vector<std::string> seqs;
  // How many of the bytes that follow the line are for each, of failed ones too. Empty when none
  // has any.
  std::vector<uint64_t> payloads;
};

// A blob as the answer to an acquire names it.
struct FdHandle {
  size_t index = 0;  // among the descriptors that ride with the response line
  uint64_t offset = 0;
  uint64_t size = 0;
};
struct PathHandle {
  std::string path;
  uint64_t offset = 0;  // in the file, as for FdHandle
  uint64_t size = 0;
  // Of a read-only descriptor of the same file that rides along, for clients that cannot open the
  // path. Only of sealed objects, and where the transport carries descriptors.
  absl::optional<size_t> index;
  // Which file it is, for clients that were told over a network and may be on the same host; opaque
  // (docs/protocol.md). Empty: it cannot be told.
  std::string identity = {};
};
// Bytes in shared memory, for clients that have announced kFeatureSegments.
struct SegmentHandle {
  uint64_t segment = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  // Of its descriptor, which rides along the first time that this connection hears of the segment;
  // and then how many bytes that has.
  absl::optional<size_t> index = {};
  uint64_t segment_size = 0;
};
using Handle = absl::variant<FdHandle, PathHandle, UrlDescriptor, SegmentHandle>;

// Which of the descriptors of its response line a handle names; null: none.
size_t* DescriptorIndex(Handle& handle);
const size_t* DescriptorIndex(const Handle& handle);

struct HelloReply {
  std::string version;  // of the node
  int protocol = kProtocolVersion;
  std::vector<std::string> features;
};
struct GrantReply {
  LeaseId lease_id;
  ObjectId object_id;
  Access access = Access::kRead;
  ObjectState state = ObjectState::kCreating;
  absl::optional<absl::Duration> ttl;
  Metadata metadata;
  uint64_t size = 0;
  absl::InlinedVector<Handle, 1> handles;
  // Segments that this connection knows and the node has given up: the client can unmap them.
  std::vector<uint64_t> dropped_segments = {};
  // Says `objid` and `attachment_fd` or `attachment_path` too, which older clients look for.
  bool older_names = true;
};
struct StageReply {
  size_t index = 0;   // of its descriptor, as FdHandle's
  uint64_t size = 0;  // bytes
};
struct WriteReply {};
struct DiscardReply {};
struct ReleaseReply {};
struct RenewReply {
  absl::Duration ttl;
};
struct RelocateReply {
  ObjectId object_id;  // the new one
};
// Of a whole node, on top of its peer's.
struct StatsReply {
  PeerStats peer;
  uint64_t connections = 0;  // open now
  uint64_t descriptors = 0;  // open in the node's process
  uint64_t refused = 0;      // connections refused for a limit or a foreign uid, since the start
  absl::Duration uptime;
  // What a NodeExtension adds, as a JSON object; empty: nothing.
  std::string more = {};
};
struct ExtensionReply {
  std::string json = "{}";  // the answer, an object
};
// How to read without messages; both are among the descriptors of the response line.
struct IndexReply {
  size_t index = 0;            // of the index itself
  size_t hints = 0;            // of the page where the client says what it has read
  uint64_t first_segment = 0;  // SharedReads::first_segment
};
struct BatchReply;

// An answer: the reply that belongs to the request's op, or why there is none.
using Reply =
    absl::variant<absl::Status, HelloReply, GrantReply, Sealed, DiscardReply, ReleaseReply,
                  RenewReply, RelocateReply, ObjectInfo, ListPage, StatsReply, EventPage,
                  ExtensionReply, IndexReply, std::unique_ptr<BatchReply>, StageReply, WriteReply>;

struct BatchReply {
  std::vector<Reply> responses;
  // Taken over from the BatchRequest. May be empty.
  std::vector<std::string> seqs;
};

}  // namespace packice
