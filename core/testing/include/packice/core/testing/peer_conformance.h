// What every Peer must do, whatever it is made of: the rules of leases as tests that are named
// after them.
//
// A peer's test links packice::core_peer_conformance, which has the rules (testing/conformance/),
// compiled once for all peers, and instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, PeerConformance, testing::Values(PeerParam{...}),
//                            PeerParam::NameOf);
//   INSTANTIATE_TEST_SUITE_P(Memory, PeerEvictionConformance, testing::Values(PeerParam{...}),
//                            PeerParam::NameOf);
//
// PeerEvictionConformance is for peers that have a capacity of their own, PeerRelocateConformance
// and PeerLookupConformance for those that implement Relocate and Lookup.
#pragma once

#include "packice/core/testing/peer_fixture.h"  // IWYU pragma: export
