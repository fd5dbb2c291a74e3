#include "packice/core/testing/heap_blob_store.h"

#include "packice/core/testing/blob_store_conformance.h"

namespace packice {
namespace {

INSTANTIATE_TEST_SUITE_P(Heap, BlobStoreConformance,
                         testing::Values(BlobStoreParam::Of<HeapBlobStore>("Heap")),
                         BlobStoreParam::NameOf);

TEST(HeapBlobStoreTest, FailsTheNextCreateAsTold) {
  HeapBlobStore store;
  store.FailNextCreate(ErrorKind::kIo);
  EXPECT_THAT(store.Create(1), HasKind(ErrorKind::kIo));
  EXPECT_THAT(store.Create(1), IsOk());
}

TEST(HeapBlobStoreTest, SealIsBusyWhileItPretendsAWritableMapping) {
  HeapBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto blob, store.Create(1));
  store.PretendWritableMapping(true);
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kBusy));
  EXPECT_FALSE(blob->sealed());
  store.PretendWritableMapping(false);
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
}

TEST(HeapBlobStoreTest, CountsLiveBlobs) {
  HeapBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto blob, store.Create(1));
  EXPECT_EQ(store.live_blobs(), 1u);
  blob.reset();
  EXPECT_EQ(store.live_blobs(), 0u);
}

TEST(HeapBlobStoreTest, ABlobOutlivesItsStore) {
  auto store = std::make_unique<HeapBlobStore>();
  ASSERT_OK_AND_ASSIGN(auto blob, store->Create(3));
  store.reset();
  EXPECT_THAT(blob->Write(0, "abc"), IsOk());
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  char out[3];
  EXPECT_THAT(blob->Read(0, absl::MakeSpan(out)), IsOkAndHolds(3u));
}

}  // namespace
}  // namespace packice
