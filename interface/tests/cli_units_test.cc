// The parts of the program that need no process of their own.
#include <signal.h>
#include <unistd.h>

#include <limits>

#include "cli/bench_report.h"
#include "cli/file_tree.h"
#include "cli/latency_histogram.h"
#include "cli/memory_limit.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/token.h"
#include "packice/core/testing/status_matchers.h"
#include "temp_dir.h"

namespace packice::cli {
namespace {

TEST(TextTest, SizesAreRead) {
  EXPECT_THAT(ParseSize("0"), IsOkAndHolds(0u));
  EXPECT_THAT(ParseSize("4096"), IsOkAndHolds(4096u));
  EXPECT_THAT(ParseSize("9223372036854775809"), IsOkAndHolds(9223372036854775809u));
  EXPECT_THAT(ParseSize("4K"), IsOkAndHolds(4096u));
  EXPECT_THAT(ParseSize("4kib"), IsOkAndHolds(4096u));
  EXPECT_THAT(ParseSize("4KB"), IsOkAndHolds(4000u));
  EXPECT_THAT(ParseSize("1.5 GiB"), IsOkAndHolds(1610612736u));
  EXPECT_THAT(ParseSize("2T"), IsOkAndHolds(uint64_t{2} << 40));
  for (const char* bad : {"", "K", "-1", "1.2.3K", "4 bytes", "99999999T", "nan", "1e3"}) {
    EXPECT_THAT(ParseSize(bad), HasKind(ErrorKind::kInvalidArgument)) << bad;
  }
}

TEST(TextTest, ValuesLookHuman) {
  EXPECT_EQ(SizeText(1023), "1023 B");
  EXPECT_EQ(SizeText(1536), "1.5 KiB");
  EXPECT_EQ(SizeText(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(DurationText(absl::Seconds(7)), "0:07");
  EXPECT_EQ(DurationText(absl::Hours(26) + absl::Seconds(61)), "1 d 2:01:01");
  EXPECT_EQ(TimeText(absl::UnixEpoch()), "1970-01-01T00:00:00Z");
}

TEST(TextTest, NothingReachesATerminalThatItWouldObey) {
  EXPECT_EQ(Printable("plain é 😀"), "plain é 😀");
  EXPECT_EQ(Printable("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\n\\t\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "a C1 control character";
  EXPECT_EQ(Printable("\xff\xc0\xaf\xed\xa0\x80"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
  EXPECT_EQ(Printable("a\\b"), "a\\\\b");
}

TEST(TableTest, ColumnsAreAligned) {
  Table table({{"NAME", Align::kLeft}, {"N", Align::kRight}, {"REST", Align::kLeft}});
  table.Add({"é", "100", "x"});
  table.Add({"longer", "1", ""});
  EXPECT_EQ(table.Format(),
            "NAME      N  REST\n"
            "é       100  x\n"
            "longer    1  \n");
}

TEST(ProgressTest, TellsShareRateAndRest) {
  EXPECT_EQ(FormatProgress("put", 512 << 20, 1024 << 20, absl::Seconds(2), 80),
            "put  50% [============            ] 512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left");
  EXPECT_EQ(FormatProgress("put", 1024, absl::nullopt, absl::Seconds(1), 80),
            "put  1.0 KiB  1.0 KiB/s");
  EXPECT_EQ(FormatProgress("put", 1024, 2048, absl::Seconds(1), 10).size(), 10u);
}

TEST(LatencyHistogramTest, QuantilesAreNear) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  for (int i = 1; i <= 1000; ++i) histogram.Add(absl::Microseconds(i));
  LatencyHistogram other;
  other.Add(absl::Nanoseconds(5));
  other.Merge(histogram);
  EXPECT_EQ(other.count(), 1001u);
  EXPECT_EQ(other.Quantile(0), absl::Nanoseconds(5));
  for (const double quantile : {0.5, 0.95, 0.99}) {
    const double found = absl::ToDoubleMicroseconds(histogram.Quantile(quantile));
    EXPECT_NEAR(found, 1000 * quantile, 1000 * quantile / 30);
  }
  histogram.Add(absl::Nanoseconds(std::numeric_limits<int64_t>::max()));
  EXPECT_GE(histogram.Quantile(1), absl::Hours(24 * 365));
}

TEST(BenchReportTest, ShowsRates) {
  BenchRow row;
  row.work = "get";
  row.size = 1 << 20;
  row.objects_per_second = 1000;
  row.calls.Add(absl::Microseconds(10));
  EXPECT_THAT(FormatBenchTable({row}), ::testing::HasSubstr("1.049"));
  EXPECT_THAT(FormatBenchJson({row, row}), ::testing::HasSubstr("},\n{\"work\":\"get\""));
}

TEST(MemoryLimitTest, LeastOfMachineAndControlGroupsBinds) {
  TempDir dir;
  const auto limit = [&] { return MemoryLimit(dir / "proc", dir / "cg"); };
  dir.Write("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\n");
  EXPECT_EQ(limit(), 1024000u);
  dir.Write("proc/self/cgroup", "0::/a/b\n");
  dir.Write("cg/a/b/memory.max", "max\n");
  EXPECT_EQ(limit(), 1024000u);
  dir.Write("cg/a/memory.max", "500000\n");
  EXPECT_EQ(limit(), 500000u) << "an outer group binds, too";
  dir.Write("proc/self/cgroup", "12:pids:/x\n7:cpu,memory:/docker/y\n");
  EXPECT_EQ(limit(), 1024000u);
  dir.Write("cg/memory/docker/y/memory.limit_in_bytes", "300000\n");
  EXPECT_EQ(limit(), 300000u);
  EXPECT_GT(MemoryLimit(), 0u);
}

TEST(StopSignalsTest, FirstIsWaitedForAndSecondEndsTheProcess) {
  EXPECT_EXIT(
      {
        StopSignals signals;
        raise(SIGTERM);
        if (signals.Wait() != SIGTERM) _exit(1);
        raise(SIGINT);
        _exit(2);
      },
      ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(FileTreeTest, PathsStayBelow) {
  EXPECT_THAT(PathBelow("m/", "m/a/b"), IsOkAndHolds("a/b"));
  EXPECT_THAT(PathBelow("m", "m/a"), IsOkAndHolds("a"));
  EXPECT_THAT(PathBelow("m/a", "m/ab"), IsOkAndHolds("b"));
  EXPECT_THAT(PathBelow("", "a/b"), IsOkAndHolds("a/b"));
  EXPECT_THAT(PathBelow("m/a", "m/a"), IsOkAndHolds("a"));
  EXPECT_THAT(PathBelow("", "..."), IsOkAndHolds("..."));
  for (const absl::string_view id :
       {absl::string_view("/etc/passwd"), absl::string_view("../x"), absl::string_view("a/.."),
        absl::string_view("a//b"), absl::string_view("a/"), absl::string_view("."),
        absl::string_view("a\0b", 3)}) {
    EXPECT_THAT(PathBelow("", id), HasKind(ErrorKind::kInvalidArgument)) << id;
  }
  EXPECT_THAT(PathBelow("m", "m//etc"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ScanTree("/nonexistent"), HasKind(ErrorKind::kIo));
}

TEST(TokenTest, TheOneLineOfTheFile) {
  TempDir dir;
  EXPECT_THAT(ReadToken(dir.Write("token", "s3cret+/=\r\n")), IsOkAndHolds("s3cret+/="));
  EXPECT_THAT(ReadToken(dir.Write("token", std::string(4096, 'x'))), IsOk());
  for (const std::string& bytes :
       {std::string(), std::string("\n"), std::string("a\nb"), std::string("a b"),
        std::string(1, '\0'), std::string("t\xc3\xbc"), std::string(4097, 'x')}) {
    EXPECT_THAT(ReadToken(dir.Write("token", bytes)), HasKind(ErrorKind::kInvalidArgument));
  }
  EXPECT_THAT(ReadToken(dir / "missing"), HasKind(ErrorKind::kInvalidArgument));
}

}  // namespace
}  // namespace packice::cli
