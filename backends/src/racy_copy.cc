#include "racy_copy.h"

#include <cstring>

#include "absl/base/attributes.h"
#include "absl/base/config.h"

namespace packice {

#ifdef ABSL_HAVE_THREAD_SANITIZER

// ThreadSanitizer would see the race in memcpy even when called from here, and a plain loop would
// be made into one. It does not follow fences, so it cannot judge the protocol in any case; that is
// what read_index_model_test is for.
ABSL_ATTRIBUTE_NOINLINE ABSL_ATTRIBUTE_NO_SANITIZE_THREAD void RacyCopy(char* to, const char* from,
                                                                        size_t size) {
  const volatile char* in = from;
  for (size_t i = 0; i < size; ++i) to[i] = in[i];
}

#else

ABSL_ATTRIBUTE_NOINLINE void RacyCopy(char* to, const char* from, size_t size) {
  std::memcpy(to, from, size);
}

#endif

}  // namespace packice
