// The parts of local_speed: each prints a table.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bare_node.h"
#include "node_program.h"
#include "packice/client.h"
#include "speed_table.h"

namespace packice {

struct LocalSetup {
  SpeedTable& table;
  const NodeProgram& node;
  Client& client;
  BareNode& bare;         // pinned as the node is
  int node_cpu;           // where Redis goes, too
  std::string directory;  // for sockets
};

// The value, or the end of the program.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::abort();
}

std::string SizeName(uint64_t size);

// "PREFIX/0", "PREFIX/1" and so on.
std::vector<std::string> Ids(absl::string_view prefix, int count);

// Objects of `bytes` under these ids.
void PutAll(Client& client, absl::Span<const std::string> ids, absl::string_view bytes);
void DeleteAll(Client& client, absl::Span<const std::string> ids);

// Whole objects from a buffer, beside a bare round trip and what has to be copied.
void MeasurePuts(const LocalSetup& setup);
// A lease, a look at the bytes and the lease's end, beside a bare round trip.
void MeasureLeases(const LocalSetup& setup);
// Reads without a message: beside a hash map in this process, and by several processes.
void MeasureReads(const LocalSetup& setup);
// The bytes that were read.
size_t ReadObject(Client& client, absl::string_view id, absl::Span<char> out);
// Objects of 1 KiB, one client and 16 clients that ask for 16 at a time.
void MeasureBesideRedis(const LocalSetup& setup);
// What clients write, in segments and in memfds of their own, for --segment-threshold.
void MeasureThreshold(const std::string& packice, const std::string& directory, SpeedTable& table);
// Puts `objects` of 1 KiB into a node of their own: whether it slows down, and the memory they
// take.
void MeasureManyObjects(const std::string& packice, const std::string& directory, int objects);

}  // namespace packice
