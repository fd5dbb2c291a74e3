#include "cli/trace.h"

#include "gmock/gmock.h"
#include "packice/core/testing/status_matchers.h"
#include "temp_dir.h"

namespace packice::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TraceTest : public ::testing::Test {
 protected:
  absl::StatusOr<Trace> Load(const std::string& text) { return LoadTrace(dir_.Write("t", text)); }

  TempDir dir_;
};

TEST_F(TraceTest, ObjectsAreNumberedInTheOrderOfTheirFirstRequest) {
  const absl::StatusOr<Trace> trace =
      Load("time,obj_id,size\n1,b,10\n2,a,0\n3,b,10\n4,http://x/y z?q=1&r,7\n");
  ASSERT_THAT(trace, IsOk());
  EXPECT_THAT(trace->requests, ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(trace->sizes, ElementsAre(10, 0, 7));
  EXPECT_EQ(trace->size_changes, 0u);
  EXPECT_EQ(trace->Footprint(false), 17u);
  EXPECT_EQ(trace->Footprint(true), 3u);
}

TEST_F(TraceTest, AnObjectKeepsTheSizeOfItsFirstRequest) {
  const absl::StatusOr<Trace> trace = Load("1,a,10\n2,a,20\n3,a,10\n4,a,30\n");
  ASSERT_THAT(trace, IsOk());
  EXPECT_THAT(trace->sizes, ElementsAre(10));
  EXPECT_EQ(trace->size_changes, 2u);
}

TEST_F(TraceTest, LineEndsBlankLinesAndTheHeaderAreAsTheyMayBe) {
  for (const char* text :
       {"1,a,10\n2,b,20", "1,a,10\r\n2,b,20\r\n", "\n \n1,a,10\n\r\n2,b,20\n\n",
        "time,obj_id,size\r\n1.5,a,10\n-2e3,b,20\n", "\nt,id,bytes\n1,a,10\n1,b,20\n"}) {
    const absl::StatusOr<Trace> trace = Load(text);
    ASSERT_THAT(trace, IsOk()) << text;
    EXPECT_THAT(trace->sizes, ElementsAre(10, 20)) << text;
  }
}

TEST_F(TraceTest, WhatCannotBeReadIsToldWithItsPlace) {
  const struct {
    const char* text;
    const char* place;
    const char* what;
  } cases[] = {{"1,a,10\n2,b\n", ":2: ", "three fields"},
               {"time,obj_id,size\n\n1,a,b,10\n", ":3: ", "three fields"},
               {"1,a,10\n2,,10\n", ":2: ", "obj_id is empty"},
               {"1,a,10\n2,b,-1\n", ":2: ", "size \"-1\""},
               {"1,a,10\n2,b,1.5\n", ":2: ", "size \"1.5\""},
               {"1,a,10\n2,b,99999999999999999999\n", ":2: ", "size"},
               {"1,a,10\nnoon,b,1\n", ":2: ", "time \"noon\""},
               {"1,a,10\ntime,obj_id,size\n", ":2: ", "time"},
               {"1,a,big\n", ":1: ", "size \"big\""},
               {"noon,a,1\n", ":1: ", "time \"noon\""}};
  for (const auto& one : cases) {
    const absl::Status status = Load(one.text).status();
    EXPECT_THAT(status, HasKind(ErrorKind::kInvalidArgument)) << one.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ / "t" + one.place)) << one.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(one.what)) << one.text;
  }
}

TEST_F(TraceTest, WhatIsNoTraceFails) {
  EXPECT_THAT(Load("").status(), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Load("time,obj_id,size\n").status(), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Load(std::string(1 << 20, 'x')).status(), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Load("1,a,18446744073709551615\n2,b,1\n").status(),
              HasKind(ErrorKind::kInvalidArgument))
      << "more than 2^64 bytes";
  EXPECT_THAT(LoadTrace(dir_ / "none").status(), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(LoadTrace(dir_.path().string()).status(), HasKind(ErrorKind::kIo)) << "a directory";
}

std::vector<std::string> IdsOf(const std::string& path) {
  absl::StatusOr<TraceReader> reader = TraceReader::Open(path);
  EXPECT_THAT(reader, IsOk());
  std::vector<std::string> ids;
  TraceLine line;
  while (*reader->Next(line)) ids.emplace_back(line.object_id);
  return ids;
}

TEST_F(TraceTest, WhatIsWrittenCanBeRead) {
  for (const char* name : {"t.csv", "t.csv.gz"}) {
    const std::string path = dir_ / name;
    absl::StatusOr<TraceWriter> writer = TraceWriter::Create(path);
    ASSERT_THAT(writer, IsOk());
    for (int i = 0; i < 100000; ++i) {
      ASSERT_THAT(writer->Write(i * 1000, absl::StrCat("object/", i % 1000), 4096), IsOk());
    }
    ASSERT_THAT(writer->Flush(), IsOk());
    ASSERT_THAT(writer->Write(5, "last", 1), IsOk());
    EXPECT_THAT(LoadTrace(path).status(), HasKind(ErrorKind::kNotFound))
        << "not before it is whole";
    ASSERT_THAT(writer->Close(), IsOk());
    const absl::StatusOr<Trace> trace = LoadTrace(path);
    ASSERT_THAT(trace, IsOk());
    EXPECT_EQ(trace->requests.size(), 100001u);
    EXPECT_EQ(trace->sizes.size(), 1001u);
    EXPECT_EQ(trace->Footprint(false), 4096001u);
  }
  EXPECT_EQ(ReadFile(dir_ / "t.csv").substr(0, 38), "time,obj_id,size\n0,object/0,4096\n1000,");
  EXPECT_LT(ReadFile(dir_ / "t.csv.gz").size(), ReadFile(dir_ / "t.csv").size() / 4);
}

TEST_F(TraceTest, DifferentIdsStayDifferent) {
  absl::StatusOr<TraceWriter> writer = TraceWriter::Create(dir_ / "t.csv");
  ASSERT_THAT(writer, IsOk());
  for (const absl::string_view id : {"a,b", "a%2Cb", "a\nb", "a\r", " a", "\x7f\xff", "é"}) {
    ASSERT_THAT(writer->Write(0, id, 1), IsOk());
  }
  ASSERT_THAT(writer->Close(), IsOk());
  EXPECT_THAT(IdsOf(dir_ / "t.csv"),
              ElementsAre("a%2Cb", "a%252Cb", "a%0Ab", "a%0D", "%20a", "%7F\xff", "é"));
}

TEST_F(TraceTest, ADamagedOrShortenedArchiveIsCorrupt) {
  absl::StatusOr<TraceWriter> writer = TraceWriter::Create(dir_ / "t.csv.gz");
  ASSERT_THAT(writer, IsOk());
  for (int i = 0; i < 20000; ++i) {
    ASSERT_THAT(writer->Write(i, absl::StrCat(i * 7919 % 20011), 4096), IsOk());
  }
  ASSERT_THAT(writer->Close(), IsOk());
  const std::string whole = ReadFile(dir_ / "t.csv.gz");
  EXPECT_THAT(Load(whole.substr(0, whole.size() / 2)).status(), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(Load(whole.substr(0, whole.size() - 4)).status(), HasKind(ErrorKind::kCorrupt));
  std::string damaged = whole;
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // its sum
  EXPECT_THAT(Load(damaged).status(), HasKind(ErrorKind::kCorrupt));
}

TEST_F(TraceTest, AWriterThatIsGivenUpLeavesNothing) {
  {
    absl::StatusOr<TraceWriter> writer = TraceWriter::Create(dir_ / "t.csv");
    ASSERT_THAT(writer, IsOk());
    ASSERT_THAT(writer->Write(0, "a", 1), IsOk());
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

}  // namespace
}  // namespace packice::cli
