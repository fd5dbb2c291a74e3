#include "packice/core/testing/plain_lease_table.h"

#include <memory>

#include "packice/core/testing/lease_table_conformance.h"

namespace packice {
namespace {

INSTANTIATE_TEST_SUITE_P(Plain, LeaseTableConformance,
                         testing::Values(LeaseTableParam::OverFakeClock(
                             "Plain",
                             [](Clock& clock) -> std::unique_ptr<LeaseTable> {
                               return std::make_unique<PlainLeaseTable>(clock);
                             })),
                         LeaseTableParam::NameOf);

}  // namespace
}  // namespace packice
