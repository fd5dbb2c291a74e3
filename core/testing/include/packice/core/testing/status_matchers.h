// What absl of this age does not bring: GoogleTest matchers and an unwrapping macro for
// absl::Status and absl::StatusOr.
//
//   EXPECT_THAT(peer_call, IsOk());
//   EXPECT_THAT(peer_call, HasKind(ErrorKind::kBusy));
//   EXPECT_THAT(blob.Read(0, out), IsOkAndHolds(4u));
//   ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(...));
#pragma once

#include <ostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/error.h"

namespace packice {

inline void PrintTo(ErrorKind kind, std::ostream* os) { *os << InfoOf(kind).name; }

namespace status_matchers_internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

inline void Explain(const absl::Status& status, ::testing::MatchResultListener* listener) {
  if (status.ok()) {
    *listener << "which is OK";
  } else {
    *listener << "which is " << InfoOf(KindOf(status)).name << ": " << status.message();
  }
}

}  // namespace status_matchers_internal

MATCHER(IsOk, negation ? "is a failure" : "is OK") {
  const absl::Status& status = status_matchers_internal::StatusOf(arg);
  status_matchers_internal::Explain(status, result_listener);
  return status.ok();
}

// A failure of ErrorKind `kind`.
MATCHER_P(HasKind, kind,
          (negation ? "is no failure of kind " : "is a failure of kind ") +
              std::string(InfoOf(kind).name)) {
  const absl::Status& status = status_matchers_internal::StatusOf(arg);
  status_matchers_internal::Explain(status, result_listener);
  return !status.ok() && KindOf(status) == kind;
}

// A StatusOr with a value that `inner`, a matcher or a value, matches.
MATCHER_P(IsOkAndHolds, inner,
          negation ? "is a failure, or its value is wrong" : "is OK and holds") {
  if (!arg.ok()) {
    status_matchers_internal::Explain(arg.status(), result_listener);
    return false;
  }
  *result_listener << "whose value is " << ::testing::PrintToString(*arg) << " ";
  return ::testing::ExplainMatchResult(inner, *arg, result_listener);
}

}  // namespace packice

#define PACKICE_TESTING_CONCAT_(a, b) a##b
#define PACKICE_TESTING_CONCAT(a, b) PACKICE_TESTING_CONCAT_(a, b)
#define PACKICE_TESTING_ASSERT_OK_AND_ASSIGN(result, lhs, ...) \
  auto result = (__VA_ARGS__);                                 \
  ASSERT_THAT(result, ::packice::IsOk());                      \
  lhs = *std::move(result)

// Declares or assigns `lhs` from a StatusOr; the test ends where that is a failure.
#define ASSERT_OK_AND_ASSIGN(lhs, ...)                                                         \
  PACKICE_TESTING_ASSERT_OK_AND_ASSIGN(PACKICE_TESTING_CONCAT(packice_result_, __LINE__), lhs, \
                                       __VA_ARGS__)
