// The commands: what each is asked, and what does it. The command line itself, that is flags and
// help texts, is app.cc's part, so that a command can be read without it.
//
// Every command blocks until it is done, prints its result on stdout, and answers what went wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/swarm_spec.h"
#include "cli/target.h"
#include "cli/tier_spec.h"

namespace packice::cli {

struct ServeArgs {
  std::string impl;  // empty: tiered where there is a hot or a cold tier, otherwise mem
  std::vector<std::string> transports = {"uds"};
  std::string socket;
  std::string host = "127.0.0.1";
  uint16_t port = 8080;  // 0: any that is free
  // The directory of files, of the cold ones where there are tiers; nothing: packice-data.
  absl::optional<std::string> data;
  // Bytes, of the hot tier where there are tiers; nothing: a share of what there is.
  absl::optional<uint64_t> capacity;
  EvictionSpec eviction;  // of every tier that is not another node
  bool verify_reads = false;
  MemoryBlobStoreOptions memory;  // of every tier in memory
  std::string token_file;
  bool insecure = false;
  std::string tls_cert;
  std::string tls_key;
  uint64_t threads = 2;
  absl::Duration busy_poll = absl::ZeroDuration();  // of the Unix socket's threads
  uint64_t max_connections = 8192;
  uint64_t max_in_flight = 4096;          // HTTP requests
  uint64_t max_header_bytes = 16384;      // of an HTTP request
  uint64_t max_body = uint64_t{1} << 40;  // bytes of an HTTP request's body
  absl::Duration idle_timeout = absl::Seconds(75);
  absl::Duration header_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(30);
  absl::Duration grace = absl::Seconds(10);
  // How long the coldest tier may take for what only memory has, when the node ends.
  absl::Duration flush_grace = absl::Seconds(300);

  // Tiers, by flags: `hot` is "mem" or "fs", `cold` "fs" or a node's address.
  std::string hot;
  std::string hot_data;
  absl::optional<uint64_t> hot_capacity;
  std::string cold;
  absl::optional<uint64_t> cold_capacity;
  std::string cold_token_file;
  std::string cold_ca_file;
  TierMoves moves;
  std::vector<std::string> tier_flags;  // which flags of tiers were given
  // Or by a file, which may hold all other settings, too. `tiers` is what its tables say.
  std::string config;
  std::vector<TierSpec> tiers;  // the hottest first

  SwarmSpec swarm;

  int verbosity = 0;
  uint64_t events = 8192;  // kept for watching
};
absl::Status Serve(const ServeArgs& args);

struct PutArgs {
  Target target;
  std::string source;  // a file, a directory, or "-"
  std::string id;
  std::string prefix;
  std::string meta;
  absl::optional<absl::Duration> ttl;
  bool json = false;
};
absl::Status Put(const PutArgs& args);

struct GetArgs {
  Target target;
  std::string id;
  absl::optional<std::string> prefix;
  std::string output = "-";  // a file, a directory, or "-"
  absl::Duration wait = absl::ZeroDuration();
};
absl::Status Get(const GetArgs& args);

struct StatArgs {
  Target target;
  std::string id;
  bool json = false;
};
absl::Status Stat(const StatArgs& args);

struct LsArgs {
  Target target;
  std::string prefix;
  bool ids_only = false;
  absl::optional<uint64_t> limit;
  bool json = false;
};
absl::Status Ls(const LsArgs& args);

struct RmArgs {
  Target target;
  std::vector<std::string> ids;
  absl::optional<std::string> prefix;
  bool everywhere = false;  // at every node of the swarm
  bool json = false;
};
absl::Status Rm(const RmArgs& args);

struct MvArgs {
  Target target;
  std::string id;
  std::string to;
};
absl::Status Mv(const MvArgs& args);

struct CpArgs {
  Target from;
  Target to;
  std::string id;
  std::string as;  // empty: the same id
  bool json = false;
};
absl::Status Cp(const CpArgs& args);

struct HistoryArgs {
  Target target;
  std::string id;
  uint64_t limit = 1000;
  bool json = false;
};
absl::Status History(const HistoryArgs& args);

struct StatsArgs {
  Target target;
  bool json = false;
};
absl::Status Stats(const StatsArgs& args);

struct EventsArgs {
  Target target;
  bool follow = false;
  absl::optional<uint64_t> after;  // sequence number
  std::vector<std::string> kinds;  // empty: all but reads
  std::string prefix;              // of ids
  bool json = false;
};
absl::Status Events(const EventsArgs& args);

struct RecordArgs {
  Target target;
  std::string output;  // a file or "-"
  absl::Duration duration = absl::InfiniteDuration();
  bool allow_gaps = false;
};
absl::Status Record(const RecordArgs& args);

struct FsckArgs {
  std::string data;
  bool repair = false;
  bool json = false;
};
absl::Status Fsck(const FsckArgs& args);

absl::Status Version(bool json);

struct BenchArgs {
  Target target;
  std::vector<uint64_t> sizes;  // bytes
  std::vector<uint64_t> clients = {1};
  uint64_t batch = 1;
  absl::optional<uint64_t> objects;  // of each client; see BenchLoad
  // Of the operations, how many are gets. Nothing: all gets, then all puts.
  absl::optional<double> read_share;
  absl::Duration duration = absl::Seconds(3);
  absl::Duration warmup = absl::Milliseconds(500);
  bool copy = false;
  bool json = false;
};
absl::Status Bench(const BenchArgs& args);

struct SimulateArgs {
  std::string trace;                               // a file or "-"; empty with `synthetic`
  std::string synthetic;                           // as ParseSynthetic has it
  std::vector<std::string> policies = {"s3fifo"};  // as ParseEvictionSpec has them
  std::vector<std::string> capacities;             // sizes, or parts of the footprint
  uint64_t lease_requests = 0;
  bool ignore_sizes = false;
  bool json = false;
};
absl::Status Simulate(const SimulateArgs& args);

struct TrackerArgs {
  std::string listen = "127.0.0.1:7700";
  absl::optional<uint16_t> metrics_port;
  std::string metrics_host = "127.0.0.1";
  TrackerAccess access;
  bool insecure = false;
  absl::Duration interval = absl::Seconds(15);
  uint32_t origin_grants = 2;
  absl::Duration grace = absl::Seconds(10);
  int verbosity = 0;
};
absl::Status Tracker(const TrackerArgs& args);

// A node, or a tracker.
struct MembersArgs {
  Target target;
  TrackerAccess tracker;
  bool json = false;
};
absl::Status Members(const MembersArgs& args);

struct LocateArgs {
  Target target;
  TrackerAccess tracker;
  std::string id;
  bool json = false;
};
absl::Status Locate(const LocateArgs& args);

struct PeersArgs {
  Target target;
  std::string id;  // empty: all
  bool json = false;
};
absl::Status Peers(const PeersArgs& args);

struct PrefetchArgs {
  Target target;
  std::vector<std::string> ids;
  absl::optional<std::string> prefix;
  absl::optional<absl::Duration> timeout;
  bool json = false;
};
absl::Status Prefetch(const PrefetchArgs& args);

struct SimulateSwarmArgs {
  uint32_t nodes = 64;
  uint32_t pieces = 256;
  uint64_t piece_size = 1 << 20;  // bytes
  uint64_t rate = 125'000'000;    // bytes a second, of each node, either way
  uint64_t seed = 1;
  absl::optional<absl::Duration> latency;
  double loss = 0;
  absl::optional<absl::Duration> duration;
  uint32_t zones = 1;
  uint32_t crashes = 0;
  uint32_t liars = 0;
  uint32_t link_breaks = 0;
  uint32_t partitions = 0;
  uint32_t slow_nodes = 0;
  absl::Duration tracker_outage = absl::ZeroDuration();
  bool gossip = false;  // who is there, instead of pieces
  bool json = false;
};
absl::Status SimulateSwarm(const SimulateSwarmArgs& args);

}  // namespace packice::cli
