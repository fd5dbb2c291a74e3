#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "local_rows.h"
#include "pinning.h"

namespace packice {
namespace {

constexpr size_t kSize = 1024;
constexpr int kSteps = 10;
constexpr int kBatch = 1024;

// Puts a step's share of the objects, from `first` on; answers how many a second.
double PutStep(Client& client, int first, int count) {
  const std::string bytes(kSize, 'x');
  std::vector<std::string> ids;
  std::chrono::duration<double> took{};
  for (int done = 0; done < count; done += kBatch) {
    ids.clear();
    for (int i = done; i < std::min(count, done + kBatch); ++i) {
      ids.push_back(absl::StrCat("objects/", first + i));
    }
    const auto start = std::chrono::steady_clock::now();
    PutAll(client, ids, bytes);
    took += std::chrono::steady_clock::now() - start;
  }
  return count / took.count();
}

}  // namespace

void MeasureManyObjects(const std::string& packice, const std::string& directory, int objects) {
  const int step = std::max(1, objects / kSteps);
  const uint64_t payload = uint64_t{kSize} * static_cast<uint64_t>(step) * kSteps;
  // Room enough that nothing is evicted, whatever an object is taken to need.
  const NodeProgram node(packice, absl::StrCat(directory, "/many"), 1, 4 * payload);
  PinTo(0);
  const std::unique_ptr<Client> client = Must(Connect(node.socket()));

  const NodeProgram::Memory before = node.memory();
  std::vector<double> rates;
  std::string told;
  for (int i = 0; i < kSteps; ++i) {
    rates.push_back(PutStep(*client, i * step, step));
    absl::StrAppend(&told, i == 0 ? "" : ", ", absl::StrFormat("%.0f", rates.back() / 1000));
  }
  const NodeProgram::Memory after = node.memory();
  if (Must(client->Stats()).peer.objects != static_cast<uint64_t>(step) * kSteps) {
    std::fprintf(stderr, "objects are missing\n");
    std::abort();
  }

  const auto [slowest, fastest] = std::minmax_element(rates.begin(), rates.end());
  const auto each = [&](uint64_t from, uint64_t to, double less) {
    return (static_cast<double>(to) - static_cast<double>(from) - less) /
           (static_cast<double>(step) * kSteps);
  };
  const double own = each(before.own, after.own, 0);
  const double shared = each(before.shared, after.shared, static_cast<double>(payload));
  std::printf("\n| %d objects of 1 KiB, by PutMany | measured | target |\n|---|---|---|\n",
              step * kSteps);
  std::printf("| puts, thousands a second, each tenth of them | %s | |\n", told.c_str());
  std::printf("| fastest tenth over slowest | %.2f | 1.3 |\n", *fastest / *slowest);
  std::printf("| the node's memory above payload, each | %.0f bytes: own %.0f, shared %.0f | |\n",
              own + shared, own, shared);
  std::printf("| descriptors of the node | %llu | |\n",
              static_cast<unsigned long long>(after.descriptors));
  std::fflush(stdout);
}

}  // namespace packice
