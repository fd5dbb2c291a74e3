// What every Peer must do, whatever it is made of: the rules of leases as tests that are named
// after them.
//
// A peer's test file includes this and instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, PeerConformance, testing::Values(PeerParam{...}),
//                            PeerParam::NameOf);
//   INSTANTIATE_TEST_SUITE_P(Memory, PeerEvictionConformance, testing::Values(PeerParam{...}),
//                            PeerParam::NameOf);
//
// PeerEvictionConformance is for peers that have a capacity of their own, PeerRelocateConformance
// and PeerLookupConformance for those that implement Relocate and Lookup.
#pragma once

// IWYU pragma: begin_exports
#include "packice/core/testing/peer_acquire_conformance.h"
#include "packice/core/testing/peer_eviction_conformance.h"
#include "packice/core/testing/peer_fixture.h"
#include "packice/core/testing/peer_inspection_conformance.h"
#include "packice/core/testing/peer_lease_conformance.h"
#include "packice/core/testing/peer_lookup_conformance.h"
#include "packice/core/testing/peer_relocate_conformance.h"
#include "packice/core/testing/peer_seal_conformance.h"
#include "packice/core/testing/peer_wait_conformance.h"
// IWYU pragma: end_exports
