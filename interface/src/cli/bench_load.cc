#include "cli/bench_load.h"

#include <algorithm>
#include <memory>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/session.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

// What all clients together keep in the node, and objects at most for each, unless it is told.
constexpr uint64_t kBytes = uint64_t{256} << 20;
constexpr uint64_t kMaxObjects = 256;

uint64_t ObjectsPerClient(const BenchLoad& load) {
  const uint64_t fit = kBytes / 2 / load.clients / std::max<uint64_t>(load.size, 1);
  return load.objects.value_or(std::clamp<uint64_t>(fit, 1, kMaxObjects));
}

// One kind of work, as one client saw it.
struct Measured {
  LatencyHistogram calls;
  uint64_t objects = 0;
  absl::Duration busy = absl::ZeroDuration();

  void Add(absl::Duration duration, uint64_t count) {
    calls.Add(duration);
    objects += count;
    busy += duration;
  }
};

// One client: a thread, a connection, objects of its own.
class Worker {
 public:
  Worker(const BenchLoad& load, uint64_t number)
      : load_(load),
        prefix_(absl::StrCat(load.prefix, number, "/")),
        bytes_(load.size, static_cast<char>('a' + number % 26)),
        random_(number) {}

  // Takes away what it put.
  ~Worker();

  absl::Status Prepare();
  // Works until `stop` or the end of `duration`; what it measured before is forgotten.
  absl::Status Run(absl::Duration duration, const std::atomic<bool>& stop);

  const Measured& gets() const { return gets_; }
  const Measured& puts() const { return puts_; }

 private:
  absl::Status GetBatch();
  absl::Status PutNext();
  absl::Status Look(const Reader& reader);
  std::string Written(uint64_t number) const { return absl::StrCat(prefix_, "written/", number); }

  const BenchLoad& load_;
  const std::string prefix_;
  const std::string bytes_;
  std::string copied_;
  std::minstd_rand random_;
  std::unique_ptr<Client> client_;
  std::vector<std::string> read_;  // ids that are there to be read
  uint64_t next_ = 0;              // objects put so far
  Measured gets_;
  Measured puts_;
};

Worker::~Worker() {
  if (client_ == nullptr) return;
  for (const std::string& id : read_) client_->Delete(id).IgnoreError();
  const uint64_t kept = ObjectsPerClient(load_);
  for (uint64_t i = 0; i < std::min(next_, kept); ++i) client_->Delete(Written(i)).IgnoreError();
}

absl::Status Worker::Prepare() {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(load_.target);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  copied_.resize(load_.copy ? load_.size : 0);
  const uint64_t count = load_.read_share > 0 ? ObjectsPerClient(load_) : 0;
  for (uint64_t i = 0; i < count; ++i) {
    read_.push_back(absl::StrCat(prefix_, "read/", i));
    absl::Status status = client_->Put(read_.back(), bytes_).status();
    if (!status.ok()) return Annotate(status, "preparing the objects to read");
  }
  return absl::OkStatus();
}

absl::Status Worker::Look(const Reader& reader) {
  if (load_.copy) return reader.Read(0, absl::MakeSpan(copied_)).status();
  return reader.View().status();
}

absl::Status Worker::GetBatch() {
  std::vector<std::string> ids;
  for (uint64_t i = 0; i < load_.batch; ++i) ids.push_back(read_[random_() % read_.size()]);
  const Clock& clock = Clock::System();
  const Instant start = clock.Now();
  if (load_.batch == 1) {
    absl::StatusOr<Reader> reader = client_->Get(ids[0]);
    if (!reader.ok()) return reader.status();
    if (absl::Status status = Look(*reader); !status.ok()) return status;
  } else {
    for (const absl::StatusOr<Reader>& reader : client_->GetMany(ids)) {
      if (!reader.ok()) return reader.status();
      if (absl::Status status = Look(*reader); !status.ok()) return status;
    }
  }
  gets_.Add(clock.Now() - start, load_.batch);
  return absl::OkStatus();
}

absl::Status Worker::PutNext() {
  const uint64_t kept = ObjectsPerClient(load_);
  const std::string id = Written(next_ % kept);
  if (next_++ >= kept) {
    // To make room is not part of what is measured.
    absl::Status status = client_->Delete(id);
    if (!status.ok() && KindOf(status) != ErrorKind::kNotFound) return status;
  }
  const Clock& clock = Clock::System();
  const Instant start = clock.Now();
  if (absl::Status status = client_->Put(id, bytes_).status(); !status.ok()) return status;
  puts_.Add(clock.Now() - start, 1);
  return absl::OkStatus();
}

absl::Status Worker::Run(absl::Duration duration, const std::atomic<bool>& stop) {
  gets_ = Measured();
  puts_ = Measured();
  const Clock& clock = Clock::System();
  const Instant end = clock.Now() + duration;
  std::bernoulli_distribution reads(load_.read_share);
  while (!stop && clock.Now() < end) {
    absl::Status status = reads(random_) ? GetBatch() : PutNext();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Runs `work` of all at once; answers the first failure.
absl::Status Together(std::vector<std::unique_ptr<Worker>>& workers,
                      const std::function<absl::Status(Worker&)>& work) {
  std::vector<absl::Status> results(workers.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = work(*workers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

void AddRow(const BenchLoad& load, const char* name,
            const std::vector<std::unique_ptr<Worker>>& workers,
            const Measured& (Worker::*measured)() const, std::vector<BenchRow>& rows) {
  BenchRow row;
  row.work = name;
  row.size = load.size;
  row.clients = load.clients;
  row.batch = measured == &Worker::gets ? load.batch : 1;
  for (const auto& worker : workers) {
    const Measured& one = (*worker.*measured)();
    row.calls.Merge(one.calls);
    const double seconds = absl::ToDoubleSeconds(one.busy);
    if (seconds > 0) row.objects_per_second += static_cast<double>(one.objects) / seconds;
  }
  if (row.calls.count() > 0) rows.push_back(std::move(row));
}

}  // namespace

absl::StatusOr<std::vector<BenchRow>> RunLoad(const BenchLoad& load,
                                              const std::atomic<bool>& stop) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint64_t i = 0; i < load.clients; ++i) workers.push_back(std::make_unique<Worker>(load, i));
  absl::Status status = Together(workers, [](Worker& worker) { return worker.Prepare(); });
  for (const absl::Duration duration : {load.warmup, load.duration}) {
    if (!status.ok()) return status;
    status = Together(workers, [&](Worker& worker) { return worker.Run(duration, stop); });
  }
  if (!status.ok()) return status;
  std::vector<BenchRow> rows;
  AddRow(load, "get", workers, &Worker::gets, rows);
  AddRow(load, "put", workers, &Worker::puts, rows);
  return rows;
}

}  // namespace packice::cli
