#include "writers.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

namespace packice {
namespace {

bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    // In steps, so that there is something between the first and the last one.
    const ssize_t n = write(fd, bytes.data(), std::min<size_t>(bytes.size(), 256 * 1024));
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

class Writers::Writer {
 public:
  Writer(Writers& writers, Ledger& ledger, int number, const CrashNode& node, uint64_t seed)
      : writers_(writers),
        ledger_(ledger),
        number_(number),
        client_(node.Connect()),
        http_(node.ConnectHttp()),
        random_(seed) {}

  void Run() {
    while (!gone_ && !writers_.stop_) {
      const uint64_t dice = random_() % 100;
      if (ledger_.CountOf(number_) >= writers_.options_.objects || dice < 15) {
        Discard();
      } else if (dice < 25) {
        Move();
      } else if (dice < 40) {
        Read();
      } else if (dice < 55 && !http_ends_) {
        PutOverHttp();
      } else {
        Put(/*seal=*/dice < 95);
      }
    }
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  // What the node has said of itself; "" once it is gone.
  std::string Judge(const std::string& request, const std::string& kind, const std::string& answer,
                    const std::vector<std::string>& expected) {
    if (kind.empty()) {
      gone_ = true;
    } else if (kind != "ok" && !absl::c_linear_search(expected, kind) && !IsFault(kind)) {
      // A node that drains says so and closes.
      if (kind != "unavailable") Complain(absl::StrCat(request, ": ", answer));
    }
    return kind;
  }

  // "ok", the kind of a failure that is in `expected`, or "" once the node is gone.
  std::string Ask(const std::string& line, const std::vector<std::string>& expected,
                  Response* response = nullptr) {
    Response answer = client_.Ask(line);
    const std::string kind = Judge(line, answer.Kind(), answer.line, expected);
    if (response != nullptr) *response = std::move(answer);
    return kind;
  }

  void Complain(std::string complaint) {
    MutexLock lock(writers_.mutex_);
    writers_.complaints_.push_back(std::move(complaint));
  }

  std::string NewId() {
    // Some ids are wanted by all.
    if (OneIn(10)) return absl::StrCat("shared/", Below(5));
    return absl::StrCat("w", number_, "/", absl::Hex(random_()));
  }

  std::vector<uint64_t> NewSizes() {
    std::vector<uint64_t> sizes(OneIn(8) ? 1 + Below(4) : 1);
    for (uint64_t& size : sizes) {
      const uint64_t edges[] = {0, 1, 511, 512, 513, 4095, 4096, 4097, 65536};
      const uint64_t kind = Below(40);
      size = kind < 10 ? edges[Below(9)] : kind < 36 ? Below(8192) : Below(300'000);
      if (kind == 39) size = Below(3'000'000);
    }
    return sizes;
  }

  absl::optional<absl::Duration> NewTtl() {
    if (!OneIn(8)) return absl::nullopt;
    return OneIn(2) ? absl::Milliseconds(50 + Below(1000)) : absl::Seconds(3600);
  }

  void Put(bool seal) {
    const std::string id = NewId();
    const absl::optional<absl::Duration> ttl = NewTtl();
    const TestObject object = ledger_.Begin(number_, id, NewSizes(), ttl);
    std::string create =
        absl::StrCat(R"({"op":"acquire","intent":"create","object_id":")", id, "\"");
    if (object.sizes.size() > 1 || !OneIn(3)) {
      absl::StrAppend(&create, R"(,"blobs":[{"size":)",
                      absl::StrJoin(object.sizes, R"(},{"size":)"), "}]");
    }
    if (ttl) absl::StrAppend(&create, R"(,"object_ttl_seconds":)", absl::ToDoubleSeconds(*ttl));
    absl::StrAppend(&create, "}");
    Response grant;
    if (Ask(create, {"busy", "already_exists"}, &grant) != "ok") return;
    if (!WriteBytes(grant, object)) {
      if (!gone_) Ask(LeaseLine("discard", grant.Text("lease_id")), {});
      return;
    }
    if (seal) return Seal(object, grant.Text("lease_id"), id);
    // Given up, or left to the end of the connection.
    if (!OneIn(3)) Ask(LeaseLine("release", grant.Text("lease_id")), {});
  }

  // In one request, and the node writes the bytes.
  void PutOverHttp() {
    const std::string id = NewId();
    const absl::optional<absl::Duration> ttl = NewTtl();
    std::vector<uint64_t> sizes = NewSizes();
    sizes.resize(1);
    const TestObject object = ledger_.Begin(number_, id, std::move(sizes), ttl);
    const std::string bytes = object.Bytes(0);
    std::string what = absl::StrCat("PUT /objects/", absl::StrReplaceAll(id, {{"/", "%2F"}}));
    if (ttl) absl::StrAppend(&what, "?object_ttl_seconds=", absl::ToDoubleSeconds(*ttl));
    std::string headers = absl::StrCat("Packice-Meta: ", object.Metadata(), "\r\n");
    if (bytes.empty()) absl::StrAppend(&headers, "Content-Length: 0\r\n");
    ledger_.Sealing(object.version);
    http_.Send(HttpClient::Text(what, bytes, headers));
    const HttpReply reply = http_.Receive();
    const std::string kind = reply.status == 0 ? "" : reply.Json().Kind();
    Judge(what, kind, reply.body, {"busy", "already_exists"});
    if (kind != "ok" || IsSafe(id)) Settle(object.version, kind, &Ledger::Sealed);
    // A refusal may come before the body is read, and the connection then ends.
    http_ends_ = reply.Header("connection") == "close";
  }

  bool WriteBytes(const Response& grant, const TestObject& object) {
    const std::vector<std::string> paths = grant.Texts("path");
    const bool replaces = !paths.empty() && OneIn(10);
    for (size_t i = 0; i < object.sizes.size(); ++i) {
      if (paths.empty()) {
        if (!WriteAll(grant.descriptors[i].get(), object.Bytes(i))) return Failed("write");
        continue;
      }
      // As `cp` does, or as those do who write a new file and rename it.
      const std::string path = replaces ? paths[i] + ".part" : paths[i];
      UniqueFd fd(
          open(path.c_str(), O_WRONLY | O_CLOEXEC | (replaces ? O_CREAT | O_EXCL : 0), 0600));
      if (!fd) return Failed("open");
      if (!WriteAll(fd.get(), object.Bytes(i))) return Failed("write");
      fd.Reset();
      if (replaces && rename(path.c_str(), paths[i].c_str()) != 0) return Failed("rename");
    }
    return true;
  }

  // A file may be gone only because its node is.
  bool Failed(const char* what) {
    const int error = errno;
    if (Ask(R"({"op":"stats"})", {}) == "ok") {
      Complain(absl::StrCat("cannot ", what, " a file that was handed out: errno ", error));
    }
    return false;
  }

  // Waits until it is so. False when the node, or the object, is gone before; then it may be.
  bool IsSafe(const std::string& id) {
    if (!writers_.options_.until_cold) return true;
    Response info;
    do {
      absl::SleepFor(absl::Microseconds(500));  // between questions
      const std::string line = absl::StrCat(R"({"op":"stat","object_id":")", id, R"("})");
      if (Ask(line, {"not_found"}, &info) != "ok") return false;
    } while (!absl::StrContains(info.line, R"("cold")"));
    return true;
  }

  void Seal(const TestObject& object, const std::string& lease, const std::string& grant_id) {
    ledger_.Sealing(object.version);
    const std::string kind = Ask(
        absl::StrCat(R"({"op":"seal","lease_id":")", lease, R"(","meta":)", object.Metadata(), "}"),
        {});
    if (kind.empty()) return;
    if (kind != "ok" || IsSafe(grant_id)) Settle(object.version, kind, &Ledger::Sealed);
    if (!OneIn(10)) Ask(LeaseLine("release", lease), {});
  }

  // A lease on one of this writer's objects; its id, or "".
  std::string Acquire(const char* intent, absl::optional<Ledger::Known>& known, Response& grant) {
    known = ledger_.Pick(number_, random_);
    if (!known) return "";
    std::vector<std::string> expected = {"busy"};  // a lease of its own, that it did not release
    if (known->may_expire || writers_.options_.evictions) expected.push_back("not_found");
    const std::string kind = Ask(absl::StrCat(R"({"op":"acquire","intent":")", intent,
                                              R"(","object_id":")", known->id, R"("})"),
                                 expected, &grant);
    if (kind == "not_found") Gone(*known);
    if (kind != "ok") return "";
    const std::string lease = grant.Text("lease_id");
    if (grant.Json("v") == absl::StrCat(known->object.version)) return lease;
    // It is gone, and another writer has its id.
    if (!Gone(*known)) {
      Complain(absl::StrCat("object ", known->object.version, " is another one: ", grant.line));
    }
    Ask(LeaseLine("release", lease), {});
    return "";
  }

  // Whether that is in order.
  bool Gone(const Ledger::Known& known) {
    if (known.may_expire) {
      ledger_.Expired(known.object.version);
    } else if (writers_.options_.evictions) {
      ledger_.Evicted(known.object.version);
    }
    return known.may_expire || writers_.options_.evictions;
  }

  void Read() {
    absl::optional<Ledger::Known> known;
    Response grant;
    const std::string lease = Acquire("read", known, grant);
    if (lease.empty()) return;
    const std::string complaint = Compare(grant, known->object);
    // Without its node an object may be anything.
    if (Ask(LeaseLine("release", lease), {}) == "ok" && !complaint.empty()) {
      Complain(absl::StrCat("object ", known->object.version, " ", complaint));
    }
  }

  void Discard() {
    absl::optional<Ledger::Known> known;
    Response grant;
    const std::string lease = Acquire("write", known, grant);
    if (lease.empty()) return;
    ledger_.Discarding(known->object.version);
    Settle(known->object.version, Ask(LeaseLine("discard", lease), {}), &Ledger::Discarded);
  }

  void Move() {
    absl::optional<Ledger::Known> known;
    Response grant;
    const std::string lease = Acquire("write", known, grant);
    if (lease.empty()) return;
    const std::string to = NewId();
    ledger_.Moving(known->object.version, to);
    const std::string kind = Ask(
        absl::StrCat(R"({"op":"relocate","lease_id":")", lease, R"(","object_id":")", to, R"("})"),
        {"busy", "already_exists"});
    Settle(known->object.version, kind, &Ledger::Moved);
    if (!kind.empty() && kind != "ok") Ask(LeaseLine("release", lease), {});
  }

  void Settle(Version version, const std::string& kind, void (Ledger::*done)(Version)) {
    if (kind == "ok") {
      (ledger_.*done)(version);
    } else if (!kind.empty() && !(writers_.options_.faults_are_open && IsFault(kind))) {
      ledger_.Refused(version);
    }
  }

  bool IsFault(const std::string& kind) const {
    return absl::c_linear_search(writers_.options_.faults, kind);
  }

  Writers& writers_;
  Ledger& ledger_;
  const int number_;
  RawClient client_;
  HttpClient http_;
  Random random_;
  bool gone_ = false;
  bool http_ends_ = false;
};

Writers::Writers(const CrashNode& node, Ledger& ledger, Options options, uint64_t seed)
    : options_(std::move(options)) {
  for (int i = 0; i < options_.count; ++i) {
    writers_.push_back(std::make_unique<Writer>(*this, ledger, i, node, seed + i));
  }
}

Writers::~Writers() { Join(); }

void Writers::Start() {
  running_ = static_cast<int>(writers_.size());
  for (const std::unique_ptr<Writer>& writer : writers_) {
    threads_.emplace_back([this, &writer = *writer] {
      writer.Run();
      --running_;
    });
  }
}

void Writers::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // And with them their connections.
  writers_.clear();
}

std::vector<std::string> Writers::Complaints() const {
  MutexLock lock(mutex_);
  return complaints_;
}

}  // namespace packice
