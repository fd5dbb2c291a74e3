#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "local_rows.h"
#include "pinning.h"

namespace packice {
namespace {

// What is written goes again by eviction, as it would.
constexpr uint64_t kRoom = uint64_t{512} << 20;
constexpr uint64_t kBytesOfARound = uint64_t{256} << 20;
constexpr int kMaxBatch = 1000;

class Side {
 public:
  Side(const std::string& packice, const std::string& socket, const std::string& threshold)
      : node_(packice, socket, 0, kRoom, {"--segment-threshold", threshold}),
        client_(Must(Connect(socket))) {}

  void Write(absl::string_view bytes) { Write(absl::StrCat("written/", count_++), bytes); }
  void Write(const std::string& id, absl::string_view bytes) {
    Writer writer = Must(client_->Create(id, {.sizes = {bytes.size()}}));
    if (!writer.Write(bytes).ok() || !writer.Seal().ok()) std::abort();
  }
  void Read(const std::string& id, std::string& out) {
    const Reader reader = Must(client_->Get(id));
    const absl::string_view view = Must(reader.View());
    std::memcpy(out.data(), view.data(), view.size());
  }

 private:
  const NodeProgram node_;
  const std::unique_ptr<Client> client_;
  int count_ = 0;
};

}  // namespace

void MeasureThreshold(const std::string& packice, const std::string& directory, SpeedTable& table) {
  Side segments(packice, absl::StrCat(directory, "/segments"), "1G");
  Side own(packice, absl::StrCat(directory, "/own"), "0");
  PinTo(0);
  table.BeginTimes("In segments, beside memfds of their own; client and nodes on one core");
  for (const uint64_t kib : {4, 16, 64, 256, 1024, 4096, 16384}) {
    const std::string bytes(kib << 10, 'x');
    std::string out(bytes.size(), ' ');
    SpeedTable::Line line;
    line.batch = static_cast<int>(std::min<uint64_t>(kMaxBatch, kBytesOfARound / bytes.size()));
    line.beside_name = "memfd";
    line.name = absl::StrCat(SizeName(bytes.size()), ": create, write, seal");
    line.ours = [&] { segments.Write(bytes); };
    line.beside = [&] { own.Write(bytes); };
    table.Time(line);
    const std::string id = absl::StrCat("read/", kib);
    segments.Write(id, bytes);
    own.Write(id, bytes);
    line.name = absl::StrCat(SizeName(bytes.size()), ": get, copy out, release");
    line.ours = [&] { segments.Read(id, out); };
    line.beside = [&] { own.Read(id, out); };
    table.Time(line);
  }
}

}  // namespace packice
