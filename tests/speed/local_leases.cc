#include <cstring>

#include "absl/strings/str_cat.h"
#include "local_rows.h"

namespace packice {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr int kBatch = 1000;
// So that a round of the largest takes no longer than one of the smallest.
constexpr int kLargeBatch = 20;

// What is copied has to be there afterwards, for all that the compiler knows.
void Copy(std::string& to, const std::string& from) {
  std::memcpy(to.data(), from.data(), from.size());
  asm volatile("" : : "r"(to.data()) : "memory");
}

int BatchOf(uint64_t size) { return size > kMiB ? kLargeBatch : size < kMiB ? kBatch : kBatch / 5; }

void MeasurePut(const LocalSetup& setup, uint64_t size, const std::string& target) {
  const std::string bytes(size, 'x');
  std::string middle(size, 'y');
  std::string end(size, 'z');
  int count = 0;
  const auto next_id = [&] { return absl::StrCat("put/", size, "/", count++); };
  std::string id = next_id();

  SpeedTable::Line line;
  line.name = absl::StrCat("put ", SizeName(size));
  line.batch = BatchOf(size);
  line.ours = [&] { Must(setup.client.Put(id, bytes)); };
  line.target = target;
  line.cleanup = [&] {
    DeleteAll(setup.client, {id});
    id = next_id();
  };
  if (size <= kKiB) {
    line.beside_name = "a bare round trip";
    line.beside = [&] { setup.bare.Ping(); };
  } else if (size <= kMiB) {
    line.beside_name = "a bare round trip and two memcpy";
    line.beside = [&] {
      Copy(middle, bytes);
      setup.bare.Ping();
      Copy(end, middle);
    };
    line.difference = true;
  } else {
    line.beside_name = "a warm memcpy";
    line.beside = [&] { Copy(end, bytes); };
  }
  setup.table.Time(line);
}

void MeasureGet(const LocalSetup& setup, uint64_t size) {
  SpeedTable::Line line;
  line.name = absl::StrCat("get ", SizeName(size), ", view, release");
  if (!setup.table.Wanted(line.name)) return;
  const std::string id = absl::StrCat("get/", size);
  Must(setup.client.Put(id, std::string(size, 'x')));
  line.batch = kBatch;
  line.ours = [&] {
    const Reader reader = Must(setup.client.Get(id));
    if (Must(reader.View()).size() != size) std::abort();
  };
  line.beside_name = "a bare round trip";
  line.beside = [&] { setup.bare.Ping(); };
  line.target = "1.2x";
  setup.table.Time(line);
  DeleteAll(setup.client, {id});
}

void MeasureGetOfWhatIsHeld(const LocalSetup& setup) {
  SpeedTable::Line line;
  line.name = "get again what is held, view, release";
  if (!setup.table.Wanted(line.name)) return;
  Must(setup.client.Put("held", std::string(kMiB, 'x')));
  {
    const Reader held = Must(setup.client.Get("held"));
    Must(setup.client.Get("held"));  // opens the index
    line.batch = kBatch;
    line.ours = [&] {
      const Reader reader = Must(setup.client.Get("held"));
      if (Must(reader.View()).size() != kMiB) std::abort();
    };
    line.beside_name = "a bare round trip";
    line.beside = [&] { setup.bare.Ping(); };
    setup.table.Time(line);
  }
  DeleteAll(setup.client, {"held"});
}

}  // namespace

void MeasurePuts(const LocalSetup& setup) {
  setup.table.BeginTimes("Put, whole objects with fresh ids, microseconds");
  MeasurePut(setup, kKiB, "1.3x");
  MeasurePut(setup, 64 * kKiB, "1.3x");
  MeasurePut(setup, kMiB, "1.3x");
  MeasurePut(setup, 64 * kMiB, "1.5x");
}

void MeasureLeases(const LocalSetup& setup) {
  setup.table.BeginTimes("Leases, microseconds");
  for (const uint64_t size : {kKiB, 64 * kKiB, kMiB, 64 * kMiB}) MeasureGet(setup, size);
  MeasureGetOfWhatIsHeld(setup);

  const std::vector<std::string> ids = Ids("many", 100);
  PutAll(setup.client, ids, std::string(kKiB, 'x'));
  SpeedTable::Line line;
  line.name = "100 leases and 100 releases, together";
  line.batch = kBatch;
  line.ours = [&] {
    for (const absl::StatusOr<Reader>& reader : setup.client.GetMany(ids)) {
      if (!reader.ok()) std::abort();
    }
  };
  line.target = "150 us";
  setup.table.Time(line);
  DeleteAll(setup.client, ids);
}

}  // namespace packice
