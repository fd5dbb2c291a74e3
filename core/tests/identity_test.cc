#include "packice/core/identity.h"

#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

template <typename Id>
void ExpectNoTwoTheSame(Id (*make)()) {
  Mutex mutex;
  std::set<Id> ids;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const Id id = make();
        MutexLock lock(mutex);
        ids.insert(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 4000u);
  EXPECT_EQ(ids.count(Id::kNone), 0u);
}

TEST(IdentityTest, NoTwoSessionsAreTheSame) { ExpectNoTwoTheSame(&NewSessionId); }

TEST(IdentityTest, NoTwoOperationsAreTheSame) { ExpectNoTwoTheSame(&NewOperationId); }

}  // namespace
}  // namespace packice
