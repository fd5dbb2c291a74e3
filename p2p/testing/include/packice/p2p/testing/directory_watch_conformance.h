// The part of the directory conformance suite that is about watching. See directory_conformance.h.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "packice/core/mutex.h"
#include "packice/p2p/testing/directory_fixture.h"

namespace packice {

// What a watch was told last of each object. Thread-safe.
class WatchedChanges {
 public:
  Directory::OnChange Callback() {
    return [state = state_](const DirectoryChange& change) {
      MutexLock lock(state->mutex);
      state->held[change.object_id] = change.held;
    };
  }
  // 1: held; 0: no longer held; -1: never told.
  int Last(const ObjectId& id) const {
    MutexLock lock(state_->mutex);
    const auto found = state_->held.find(id);
    return found == state_->held.end() ? -1 : found->second ? 1 : 0;
  }

 private:
  struct State {
    Mutex mutex;
    absl::btree_map<ObjectId, bool> held ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST_P(DirectoryConformance, AWatchTellsWhatComesAndWhatGoes) {
  WatchedChanges changes;
  const auto watch = y_.directory->WatchPrefix("models/", changes.Callback());
  x_.directory->Announce(Whole("models/a"));
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("models/a")) == 1; }));
  x_.directory->Withdraw(Id("models/a"));
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("models/a")) == 0; }));
  x_.directory->Announce(Whole("models/a"));
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("models/a")) == 1; }));
}

TEST_P(DirectoryConformance, AWatchTellsOnlyOfItsPrefix) {
  WatchedChanges changes;
  WatchedChanges all;
  const auto watch = y_.directory->WatchPrefix("models/", changes.Callback());
  const auto watch_all = y_.directory->WatchPrefix("", all.Callback());
  x_.directory->Announce(Whole("model"));
  x_.directory->Announce(Whole("models0"));
  x_.directory->Announce(Whole("models/a"));
  EXPECT_TRUE(Eventually([&] {
    return changes.Last(Id("models/a")) == 1 && all.Last(Id("models0")) == 1 &&
           all.Last(Id("model")) == 1 && all.Last(Id("models/a")) == 1;
  }));
  EXPECT_EQ(changes.Last(Id("model")), -1);
  EXPECT_EQ(changes.Last(Id("models0")), -1);
}

TEST_P(DirectoryConformance, OnlyTheLastHolderThatGoesTakesTheObjectAlong) {
  WatchedChanges changes;
  const auto watch = z_.directory->WatchPrefix("", changes.Callback());
  x_.directory->Announce(Whole("a"));
  y_.directory->Announce(Whole("a"));
  LocateUntil(z_, "a", {x_.address, y_.address});
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("a")) == 1; }));
  x_.directory->Withdraw(Id("a"));
  LocateUntil(z_, "a", {y_.address});
  x_.directory->Announce(Whole("behind"));
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("behind")) == 1; }));
  EXPECT_EQ(changes.Last(Id("a")), 1);
  y_.directory->Withdraw(Id("a"));
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("a")) == 0; }));
}

TEST_P(DirectoryConformance, AWatchIsOverWhenItGoes) {
  WatchedChanges ended;
  WatchedChanges stays;
  auto watch = y_.directory->WatchPrefix("", ended.Callback());
  const auto other = y_.directory->WatchPrefix("", stays.Callback());
  x_.directory->Announce(Whole("a"));
  EXPECT_TRUE(Eventually([&] { return ended.Last(Id("a")) == 1; }));
  watch.reset();
  x_.directory->Announce(Whole("b"));
  EXPECT_TRUE(Eventually([&] { return stays.Last(Id("b")) == 1; }));
  EXPECT_EQ(ended.Last(Id("b")), -1);
}

}  // namespace packice
