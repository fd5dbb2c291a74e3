// The fixture of tests that send a node bytes that make no sense: it answers with an error of the
// table or closes the connection, no request hides within another, others are served meanwhile, and
// nothing is left of it.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "http_node_test.h"

namespace packice {

inline constexpr char kBad[] = "400 invalid_argument";
// Also of what stands where a version should.
inline constexpr char kNoVersion[] = "505 unsupported";
// Where it is no error that more was to come.
inline constexpr char kClosed[] = "closed";

struct Row {
  std::string bytes;
  std::string outcome = kBad;
  // Also fine of its bytes one by one. So is a close where there is no end of a head.
  absl::optional<std::string> slowly = {};
};

// Hidden where it must not be found: it would take away the object that everybody reads.
inline constexpr char kSmuggled[] = "DELETE /objects/precious HTTP/1.1\r\nHost: x\r\n\r\n";
inline constexpr char kPrecious[] = "0123456789";

inline std::string Get(absl::string_view target, absl::string_view headers = "") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\n", headers, "\r\n");
}
inline std::string Put(absl::string_view headers, absl::string_view body) {
  return absl::StrCat("PUT /objects/a HTTP/1.1\r\nHost: x\r\n", headers, "\r\n", body);
}
inline std::string Chunked(absl::string_view body) {
  return Put("Transfer-Encoding: chunked\r\n", body);
}
inline std::string Post(absl::string_view endpoint, absl::string_view body) {
  return HttpClient::Text(absl::StrCat("POST ", endpoint), body);
}
inline std::string Byte(int value) { return std::string(1, static_cast<char>(value)); }

class HttpHostile : public HttpNodeTest {
 protected:
  void SetUp() override {
    NodeFlags flags;
    flags.capacity = 64 << 20;
    StartHttpNode(flags);
    ASSERT_EQ(AskHttp("PUT /objects/precious", kPrecious).status, 201);
    with_precious_ = FiguresAlone();
  }

  // Of each row twice: when it comes at once, and byte by byte.
  void Check(const std::vector<Row>& rows) {
    HttpClient other = ConnectHttp();
    for (const Row& row : rows) {
      const std::string shown = absl::CHexEscape(absl::string_view(row.bytes).substr(0, 300));
      EXPECT_EQ(OutcomesOf(row.bytes), row.outcome) << shown;
      if (row.bytes.size() < 2000) {
        // However TCP puts the bytes together again.
        const bool whole = absl::StrContains(row.bytes, "\r\n\r\n");
        EXPECT_THAT(OutcomesOf(row.bytes, /*one_by_one=*/true),
                    testing::AnyOf(row.outcome, whole ? row.slowly.value_or(row.outcome) : kClosed))
            << "slowly: " << shown;
      }
      const HttpReply reply = other.Ask("GET /objects/precious/data");
      ASSERT_EQ(reply.status, 200) << "after " << shown;
      ASSERT_EQ(reply.body, kPrecious) << "after " << shown;
    }
    other.Close();
    EXPECT_TRUE(Has(with_precious_));
  }

  Figures with_precious_;
};

}  // namespace packice
