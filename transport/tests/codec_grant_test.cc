// How a grant is written, and read again: every kind of handle.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using testing::HasSubstr;

GrantReply SomeGrant() {
  GrantReply grant;
  grant.lease_id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  grant.object_id = *ObjectId::Parse("a/1");
  grant.access = Access::kRead;
  grant.state = ObjectState::kSealed;
  grant.size = 5;
  return grant;
}

TEST(CodecGrant, GrantOfADescriptor) {
  GrantReply grant = SomeGrant();
  grant.handles.push_back(FdHandle{3, 4096, 5});
  EXPECT_EQ(FormatReply(std::move(grant)),
            R"({"lease_id":"0123456789abcdef0123456789abcdef","object_id":"a/1","objid":"a/1",)"
            R"("intent":"read","state":"SEALED","ttl_seconds":null,"meta":{},"size":5,)"
            R"("handles":[{"kind":"fd","index":3,"offset":4096,"size":5}],"attachment_fd":3})");
}

TEST(CodecGrant, GrantOfSharedMemory) {
  GrantReply grant = SomeGrant();
  grant.older_names = false;
  grant.handles.push_back(SegmentHandle{7, 4096, 5, 0, 65536});
  grant.handles.push_back(SegmentHandle{7, 64, 0});
  grant.dropped_segments = {3, 4};
  const std::string line = FormatReply(std::move(grant));
  EXPECT_EQ(line, R"({"lease_id":"0123456789abcdef0123456789abcdef","object_id":"a/1",)"
                  R"("intent":"read","state":"SEALED","ttl_seconds":null,"meta":{},"size":5,)"
                  R"("handles":[{"kind":"segment","segment":7,"offset":4096,"size":5,"index":0,)"
                  R"("segment_size":65536},{"kind":"segment","segment":7,"offset":64,"size":0}],)"
                  R"("dropped":[3,4]})");
  Request asked;
  asked.op = Op::kAcquire;
  ASSERT_OK_AND_ASSIGN(Reply reply, DecodeReply(line, asked).reply);
  const auto& read = absl::get<GrantReply>(reply);
  EXPECT_EQ(absl::get<SegmentHandle>(read.handles.at(0)).index, 0u);
  EXPECT_EQ(absl::get<SegmentHandle>(read.handles.at(0)).segment_size, 65536u);
  EXPECT_EQ(absl::get<SegmentHandle>(read.handles.at(1)).offset, 64u);
  EXPECT_EQ(absl::get<SegmentHandle>(read.handles.at(1)).index, absl::nullopt);
  EXPECT_EQ(read.dropped_segments, (std::vector<uint64_t>{3, 4}));
}

TEST(CodecGrant, GrantOfPaths) {
  GrantReply grant = SomeGrant();
  grant.access = Access::kCreate;
  grant.state = ObjectState::kCreating;
  grant.ttl = absl::Milliseconds(1500);
  grant.metadata.Set("k", "\"v\"");
  grant.handles.push_back(PathHandle{"/d/\"x\"", 0, 5, absl::nullopt});
  grant.handles.push_back(PathHandle{"/d/y", 8, 0, absl::nullopt});
  EXPECT_EQ(FormatReply(std::move(grant)),
            R"({"lease_id":"0123456789abcdef0123456789abcdef","object_id":"a/1","objid":"a/1",)"
            R"("intent":"create","state":"CREATING","ttl_seconds":1.5,"meta":{"k":"v"},"size":5,)"
            R"("handles":[{"kind":"path","path":"/d/\"x\"","offset":0,"size":5},)"
            R"({"kind":"path","path":"/d/y","offset":8,"size":0}],)"
            R"("attachment_path":"/d/\"x\""})");
}

TEST(CodecGrant, APathWithADescriptorGoesByBothOlderNames) {
  GrantReply grant = SomeGrant();
  grant.handles.push_back(PathHandle{"/d/x", 0, 5, 2});
  EXPECT_THAT(
      FormatReply(std::move(grant)),
      HasSubstr(R"("handles":[{"kind":"path","path":"/d/x","offset":0,"size":5,"index":2}],)"
                R"("attachment_path":"/d/x","attachment_fd":2})"));
}

TEST(CodecGrant, APathMaySayWhichFileItIs) {
  GrantReply grant = SomeGrant();
  grant.handles.push_back(PathHandle{"/d/x", 0, 5, absl::nullopt, "boot/8:1/17"});
  const std::string line = FormatReply(std::move(grant));
  EXPECT_THAT(line, HasSubstr(R"({"kind":"path","path":"/d/x","offset":0,"size":5,)"
                              R"("identity":"boot/8:1/17"})"));
  Request asked;
  asked.op = Op::kAcquire;
  DecodedReply decoded = DecodeReply(line, asked);
  ASSERT_THAT(decoded.reply, IsOk());
  EXPECT_EQ(absl::get<PathHandle>(absl::get<GrantReply>(*decoded.reply).handles[0]).identity,
            "boot/8:1/17");
}

TEST(CodecGrant, GrantOfAUrlHasNoAttachment) {
  GrantReply grant = SomeGrant();
  grant.ttl = absl::Seconds(60);
  grant.handles.push_back(UrlDescriptor{"/leases/x/blobs/0", 5});
  EXPECT_THAT(FormatReply(std::move(grant)),
              HasSubstr(R"("ttl_seconds":60,"meta":{},"size":5,)"
                        R"("handles":[{"kind":"http","url":"/leases/x/blobs/0","size":5}]})"));
}

}  // namespace
}  // namespace packice
