#include "packice/core/metadata.h"

#include <string>

#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(MetadataTest, FindsWhatWasSet) {
  Metadata metadata;
  EXPECT_TRUE(metadata.empty());
  metadata.Set("number", "1");
  metadata.Set("text", "\"t\"");
  metadata.Set("number", "2");
  EXPECT_FALSE(metadata.empty());
  EXPECT_EQ(metadata.Find("number"), "2");
  EXPECT_EQ(metadata.Find("text"), "\"t\"");
  EXPECT_EQ(metadata.Find("other"), absl::nullopt);
  EXPECT_THAT(metadata.values(), ElementsAre(Pair("number", "2"), Pair("text", "\"t\"")));
}

TEST(MetadataTest, NewerValuesWinAMerge) {
  Metadata older;
  older.Set("kept", "1");
  older.Set("replaced", "1");
  Metadata newer;
  newer.Set("replaced", "2");
  newer.Set("added", "2");
  older.Merge(newer);
  EXPECT_THAT(older.values(),
              ElementsAre(Pair("added", "2"), Pair("kept", "1"), Pair("replaced", "2")));
  older.Merge(Metadata());
  EXPECT_EQ(older.values().size(), 3u);
}

TEST(MetadataTest, ComparesByKeysAndValues) {
  Metadata a;
  a.Set("k", "1");
  Metadata b;
  EXPECT_FALSE(a == b);
  b.Set("k", "2");
  EXPECT_FALSE(a == b);
  b.Set("k", "1");
  EXPECT_TRUE(a == b);
}

TEST(MetadataTest, SizeIsLimited) {
  EXPECT_THAT(Metadata().CheckSize(), IsOk());
  Metadata metadata;
  // {"k":"..."}: two braces, one key, its value, four more.
  metadata.Set("k", std::string(Metadata::kMaxBytes - 7, 'x'));
  EXPECT_THAT(metadata.CheckSize(), IsOk());
  metadata.Set("k", std::string(Metadata::kMaxBytes - 6, 'x'));
  EXPECT_THAT(metadata.CheckSize(), HasKind(ErrorKind::kInvalidArgument));
}

TEST(MetadataTest, ManySmallKeysAreLargeToo) {
  Metadata metadata;
  for (int i = 0; i < 20'000; ++i) metadata.Set(std::to_string(i), "0");
  EXPECT_THAT(metadata.CheckSize(), HasKind(ErrorKind::kInvalidArgument));
}

}  // namespace
}  // namespace packice
