// The chain of versions that metadata's prev_objid makes.
#include "node.h"

namespace packice {
namespace {

using End = ObjectHistory::End;

class HistoryTest : public ::testing::TestWithParam<Way> {
 protected:
  void Put(const std::string& id, const std::string& metadata) {
    ASSERT_THAT(client_->Put(id, id, {.metadata_json = metadata}), IsOk());
  }
  // `end`, then the ids, then what comes next.
  std::string Walk(const std::string& id, size_t limit = 1000) {
    const absl::StatusOr<ObjectHistory> history = client_->History(id, limit);
    if (!history.ok()) return std::string(InfoOf(KindOf(history.status())).name);
    std::string text = std::to_string(static_cast<int>(history->end)) + ":";
    for (const ObjectInfo& object : history->objects) {
      text += " " + std::string(object.object_id.bytes());
    }
    return text + " > " + std::string(history->next.bytes());
  }
  static std::string Is(End end, const std::string& rest) {
    return std::to_string(static_cast<int>(end)) + ": " + rest;
  }

  TestNode node_{GetParam()};
  std::unique_ptr<Client> client_ = node_.Connect();
};

INSTANTIATE_TEST_SUITE_P(Ways, HistoryTest, EveryWay(), WayName);

TEST_P(HistoryTest, NewestComesFirst) {
  Put("1", R"({"prev_objid":null})");
  Put("2", R"({"prev_objid":"1"})");
  Put("3", R"({"step":3,"prev_objid":"\u0032"})");
  Put("alone", "");
  EXPECT_EQ(Walk("3"), Is(End::kFirst, "3 2 1 > "));
  EXPECT_EQ(Walk("1"), Is(End::kFirst, "1 > "));
  EXPECT_EQ(Walk("alone"), Is(End::kFirst, "alone > "));
}

TEST_P(HistoryTest, MissingAncestorIsTold) {
  Put("2", R"({"prev_objid":"1"})");
  EXPECT_EQ(Walk("2"), Is(End::kMissing, "2 > 1"));
  EXPECT_EQ(Walk("1"), "not_found");
}

TEST_P(HistoryTest, CircleIsWalkedOnce) {
  Put("a", R"({"prev_objid":"c"})");
  Put("b", R"({"prev_objid":"a"})");
  Put("c", R"({"prev_objid":"b"})");
  Put("self", R"({"prev_objid":"self"})");
  Put("outside", R"({"prev_objid":"c"})");
  EXPECT_EQ(Walk("a"), Is(End::kCycle, "a c b > a"));
  EXPECT_EQ(Walk("self"), Is(End::kCycle, "self > self"));
  EXPECT_EQ(Walk("outside"), Is(End::kCycle, "outside c b a > c"));
}

TEST_P(HistoryTest, WhatIsNoIdEndsIt) {
  Put("number", R"({"prev_objid":7})");
  Put("list", R"({"prev_objid":["1"]})");
  Put("empty", R"({"prev_objid":""})");
  Put("long", R"({"prev_objid":")" + std::string(256, 'x') + R"("})");
  for (const char* id : {"number", "list", "empty", "long"}) {
    EXPECT_EQ(Walk(id), Is(End::kUnreadable, std::string(id) + " > "));
  }
}

TEST_P(HistoryTest, LimitEndsIt) {
  Put("1", "");
  for (int i = 2; i <= 5; ++i) {
    Put(std::to_string(i), R"({"prev_objid":")" + std::to_string(i - 1) + R"("})");
  }
  EXPECT_EQ(Walk("5", 3), Is(End::kLimit, "5 4 3 > 2"));
  EXPECT_EQ(Walk("5", 5), Is(End::kFirst, "5 4 3 2 1 > "));
}

}  // namespace
}  // namespace packice
