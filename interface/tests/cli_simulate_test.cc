// `packice simulate` as its users see it.
#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kTrace[] = "time,obj_id,size\n1,a,10\n2,b,20\n3,a,10\n4,c,75\n5,a,10\n6,b,20\n";

TEST(SimulateTest, OneRunIsAJsonObject) {
  const Outcome run = RunPackice(
      {"simulate", "--trace", "-", "--policy", "fifo", "--capacity", "100", "--json"}, {}, kTrace);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out,
              StartsWith("{\"policy\":\"fifo\",\"capacity\":100,\"lease_requests\":0,"
                         "\"ignore_sizes\":false,\"objects\":3,\"footprint\":105,"
                         "\"size_changes\":0,\"requests\":6,\"misses\":5,"
                         "\"request_miss_ratio\":0.833333,\"requested_bytes\":145,"
                         "\"missed_bytes\":135,\"byte_miss_ratio\":0.931034,\"evictions\":3,"
                         "\"skips\":0,\"too_large\":0,\"all_pinned\":0,"
                         "\"pinned_share\":0.000000,\"requests_per_second\":"));
}

TEST(SimulateTest, SeveralRunsAreAnArrayInTheOrderAskedFor) {
  TempDir dir;
  const Outcome run =
      RunPackice({"simulate", "--trace", dir.Write("t.csv", kTrace), "--policy", "lru", "--policy",
                  "s3fifo,promote=1", "--capacity", "40", "--capacity", "100%", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ContainsRegex("^\\[\n\\{\"policy\":\"lru\",\"capacity\":40,.*\\},\n"
                                     "\\{\"policy\":\"lru\",\"capacity\":105,.*\\},\n"
                                     "\\{\"policy\":\"s3fifo,promote=1\",\"capacity\":40,.*\\},\n"
                                     "\\{\"policy\":\"s3fifo,promote=1\",\"capacity\":105,"
                                     ".*\\}\\]\n$"));
}

TEST(SimulateTest, PeopleGetATable) {
  const Outcome run = RunPackice({"simulate", "--trace", "-", "--capacity", "0.5", "--capacity",
                                  "1.0", "--lease-requests", "1"},
                                 {}, kTrace);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, StartsWith("6 requests, 3 objects of 105 B\nPOLICY "));
  EXPECT_THAT(run.out, ContainsRegex("SKIPS +PINNED +NO ROOM"));
  EXPECT_THAT(run.out, ContainsRegex("s3fifo +52 B "));
  EXPECT_THAT(run.out, ContainsRegex("s3fifo +105 B +0.5000 +0.7241 +3 +0 "));
}

TEST(SimulateTest, SizesCanBeIgnored) {
  const Outcome run = RunPackice({"simulate", "--trace", "-", "--policy", "fifo", "--capacity", "2",
                                  "--ignore-sizes", "--json"},
                                 {}, kTrace);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"capacity\":2,"));
  EXPECT_THAT(run.out, HasSubstr("\"footprint\":3,"));
  EXPECT_THAT(run.out, HasSubstr("\"misses\":5,"));
  EXPECT_THAT(run.out, HasSubstr("\"missed_bytes\":5,"));
}

TEST(SimulateTest, ASizeThatChangesIsTold) {
  const Outcome run =
      RunPackice({"simulate", "--trace", "-", "--capacity", "1KiB"}, {}, "1,a,10\n2,a,20\n");
  EXPECT_THAT(run.out, HasSubstr("1 requests with another size than the first"));
}

TEST(SimulateTest, RequestsCanBeMade) {
  const std::vector<std::string> arguments = {
      "simulate", "--synthetic", "zipf,objects=2000,requests=20000,seed=7,size=1KiB-1MiB",
      "--policy", "s3fifo",      "--policy",
      "lru",      "--capacity",  "10%",
      "--json"};
  const Outcome run = RunPackice(arguments);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ContainsRegex("\"requests\":20000,"));
}

TEST(SimulateTest, WhatCannotBeDoneIsSaid) {
  TempDir dir;
  const std::string trace = dir.Write("t.csv", "1,a,10\n2,b\n");
  const struct {
    std::vector<std::string> arguments;
    int exit_code;
    const char* message;
  } cases[] = {
      {{"--trace", trace, "--capacity", "10%"}, 2, "t.csv:2: "},
      {{"--trace", dir / "none", "--capacity", "10%"}, 3, "there is no trace"},
      {{"--trace", trace}, 2, "--capacity is required"},
      {{"--capacity", "10%"}, 2, "--trace FILE"},
      {{"--trace", trace, "--capacity", "110%"}, 2, "capacity \"110%\""},
      {{"--trace", trace, "--capacity", "0"}, 2, "capacity \"0\""},
      {{"--trace", trace, "--capacity", "much"}, 2, "capacity \"much\""},
      {{"--trace", trace, "--capacity", "1%", "--policy", "best"}, 2, "s3fifo"},
      {{"--trace", trace, "--capacity", "1%", "--synthetic", "zipf"}, 2, "excludes"},
      {{"--synthetic", "zipf,objects=x", "--capacity", "1%"}, 2, "objects is a number"},
  };
  for (const auto& one : cases) {
    std::vector<std::string> arguments = {"simulate"};
    arguments.insert(arguments.end(), one.arguments.begin(), one.arguments.end());
    const Outcome run = RunPackice(arguments);
    EXPECT_EQ(run.exit_code, one.exit_code) << run.err;
    EXPECT_THAT(run.err, AllOf(StartsWith("packice: "), HasSubstr(one.message)));
    EXPECT_EQ(run.out, "");
  }
}

}  // namespace
}  // namespace packice
