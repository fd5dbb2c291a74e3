// The fixture of tests that treat a node badly: a node in its own process, and a watcher who makes
// sure that nothing is left of what was done to it.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node_process.h"
#include "raw_client.h"
#include "temporary_directory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PACKICE_SANITIZED 1
#endif
#endif

// Even a report that is suppressed makes ThreadSanitizer open pipes to its symbolizer, in the node.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PACKICE_OPENS_DESCRIPTORS 1
#endif
#endif

namespace packice {

#ifdef PACKICE_SANITIZED
inline constexpr int kSlowdown = 10;
#else
inline constexpr int kSlowdown = 1;
#endif
#ifdef PACKICE_OPENS_DESCRIPTORS
inline constexpr bool kCountsDescriptors = false;
#else
inline constexpr bool kCountsDescriptors = true;
#endif

// What a client can make grow.
struct Figures {
  int64_t objects = 0, creating = 0, bytes = 0;
  int64_t reads = 0, creates = 0, writes = 0, waiting = 0;
  int64_t connections = 0, descriptors = 0;

  auto Tie() const {
    return std::tie(objects, creating, bytes, reads, creates, writes, waiting, connections,
                    descriptors);
  }
  friend bool operator==(const Figures& a, const Figures& b) { return a.Tie() == b.Tie(); }
  friend void PrintTo(const Figures& f, std::ostream* os) {
    *os << "objects " << f.objects << ", creating " << f.creating << ", bytes " << f.bytes
        << ", leases " << f.reads << "/" << f.creates << "/" << f.writes << ", waiting "
        << f.waiting << ", connections " << f.connections << ", descriptors " << f.descriptors;
  }
};

// As the stats operation tells a client; all zero when it fails.
inline Figures FiguresOf(RawClient& client) {
  const Response stats = client.Ask(R"({"op":"stats"})");
  EXPECT_EQ(stats.Kind(), "ok") << stats.line;
  if (stats.Kind() != "ok") return {};
  return {stats.Number("objects"),
          stats.Number("creating"),
          stats.Number("bytes"),
          stats.Number("read"),
          stats.Number("create"),
          stats.Number("write"),
          stats.Number("waiting"),
          stats.Number("connections"),
          kCountsDescriptors ? stats.Number("descriptors") : 0};
}

// For what another process has to notice first.
template <typename Condition>
bool Eventually(Condition condition, absl::Duration patience = kPatience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class NodeTest : public testing::Test {
 protected:
  // How soon after a client's death nothing may be left of it.
  static constexpr absl::Duration kAtOnce = absl::Seconds(kSlowdown);

  void StartNode(NodeFlags flags = {}) {
    flags.path = path();
    node_ = std::make_unique<NodeProcess>(flags);
    ASSERT_EQ(node_->outcome(), "ready");
    watcher_ = std::make_unique<RawClient>(path());
    before_ = FiguresOf(*watcher_);
  }

  // Whatever was done to the node: once its objects are taken away, it is as it was before, and it
  // stops in good order.
  void TearDown() override {
    if (watcher_ == nullptr) return;
    RemoveAll(*watcher_);
    EXPECT_TRUE(IsAsBefore());
    watcher_->Close();
    node_->Terminate();
    EXPECT_EQ(node_->Wait(), 0);
  }

  testing::AssertionResult IsAsBefore(absl::Duration patience = kPatience) {
    return Has(before_, patience);
  }
  // Comes to have exactly this.
  testing::AssertionResult Has(const Figures& wanted, absl::Duration patience = kPatience) {
    Figures now;
    const auto so_or_gone = [&] {
      now = FiguresOf(*watcher_);
      return now == wanted || now == Figures();
    };
    Eventually(so_or_gone, patience);
    if (now == wanted) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "the node has " << testing::PrintToString(now)
                                       << "; before, it had " << testing::PrintToString(wanted);
  }

  // What it has once only the watcher is connected.
  Figures FiguresAlone() {
    Figures now;
    EXPECT_TRUE(Eventually([&] {
      now = FiguresOf(*watcher_);
      return now.connections == before_.connections;
    }));
    return now;
  }

  std::string path() const { return directory_ / "socket"; }
  RawClient Connect() const { return RawClient(path()); }
  RawClient& watcher() { return *watcher_; }
  NodeProcess& node() { return *node_; }
  const Figures& before() const { return before_; }

  TemporaryDirectory directory_;
  std::unique_ptr<NodeProcess> node_;
  std::unique_ptr<RawClient> watcher_;
  Figures before_;
};

}  // namespace packice
