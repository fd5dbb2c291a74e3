// What a node keeps in memory of each object that nobody uses, payload apart: the record in the
// object table, its place in the eviction policy, and what the policy remembers of evicted ones.
// Twice as many objects as asked for come out of an archive, half of which the capacity evicts.
//
//   metadata_per_object [OBJECTS] [POLICY]...
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/peers/local_peer.h"

namespace packice {
namespace {

constexpr uint64_t kFootprint = 4096;

// As many bytes as a node on disk packs of an object with one blob and no metadata.
const char kRest[] = "twenty-four bytes of it";

// An archive of objects without bytes that exist nowhere.
class MadeUpArchive final : public Archive {
 public:
  explicit MadeUpArchive(uint64_t objects) : objects_(objects) {}

  uint64_t NextSerial() override { return ++serial_; }
  absl::Status ForEach(absl::FunctionRef<void(ArchivedObject)> visit) override {
    for (uint64_t i = 0; i < objects_; ++i) {
      ArchivedObject object;
      object.id = *ObjectId::Parse(absl::StrCat("objects/", i));
      object.serial = NextSerial();
      object.footprint = kFootprint;
      object.sealed_at = absl::FromUnixNanos(static_cast<int64_t>(i));
      object.rest = kRest;
      visit(std::move(object));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Add(const Object&, uint64_t, const Metadata&, absl::Time,
                                  absl::optional<absl::Time>) override {
    return std::string(kRest);
  }
  absl::Status Remove(uint64_t, const Object&) override { return absl::OkStatus(); }
  absl::Status Rename(uint64_t, const ObjectId&) override { return absl::OkStatus(); }
  std::shared_ptr<Object> Open(const ObjectId& id, absl::string_view) override {
    return std::make_shared<Object>(id, Metadata(), Object::Blobs(), absl::Time(), absl::Time());
  }
  ObjectInfo Info(const ObjectId&, absl::string_view) override { return {}; }
  absl::Status Check(const Object&, bool) override { return absl::OkStatus(); }
  absl::Status Quarantine(uint64_t, const Object&, absl::string_view) override {
    return absl::OkStatus();
  }

 private:
  const uint64_t objects_;
  uint64_t serial_ = 0;
};

double HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

void Measure(uint64_t objects, const EvictionSpec& spec) {
  const double before = HeapBytes();
  LocalPeerOptions options;
  options.capacity = objects * kFootprint;
  options.eviction = spec;
  options.background_reaper = false;
  auto peer = std::make_unique<LocalPeer>(
      std::make_unique<MemoryBlobStore>(), std::make_unique<MemoryLeaseTable>(*options.clock),
      /*policy=*/nullptr, std::move(options), std::make_unique<MadeUpArchive>(2 * objects));
  if (absl::Status status = peer->Recover(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::exit(1);
  }
  const double after = HeapBytes();
  const PeerStats stats = *blocking::Stats(*peer);
  std::printf("%-8s %10llu objects %8.0f bytes each\n", spec.ToString().c_str(),
              static_cast<unsigned long long>(stats.objects),
              (after - before) / static_cast<double>(stats.objects));
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  const uint64_t objects = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  std::vector<std::string> policies(argv + std::min(argc, 2), argv + argc);
  if (policies.empty()) {
    for (const EvictionKind kind : EvictionKinds()) policies.emplace_back(EvictionKindName(kind));
  }
  for (const std::string& policy : policies) {
    const absl::StatusOr<EvictionSpec> spec = ParseEvictionSpec(policy);
    if (!spec.ok()) {
      std::fprintf(stderr, "%s\n", spec.status().ToString().c_str());
      return 2;
    }
    Measure(objects, *spec);
  }
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
