// Copies bytes that another process may be changing. Thread-safe; never fails.
//
// By the letter of C++ that is a data race: what comes out may be any mixture, and the caller may
// look at it only once it has validated that nothing changed (read_index_slot.h). Copying by
// relaxed atomics would be defined but several times slower. So this is a function of its own that
// no compiler sees through from outside: memory is read once, here, between the caller's fences.
#pragma once

#include <cstddef>

namespace packice {

// The two do not overlap, and neither is null.
void RacyCopy(char* to, const char* from, size_t size);

}  // namespace packice
