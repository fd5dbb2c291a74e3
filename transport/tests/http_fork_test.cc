// What a forked child may do with its parent's HttpPeer.
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/http_peer.h"
#include "scripted_node.h"

namespace packice {
namespace {

TEST(HttpForkTest, AChildConnectsForItselfAndLeavesTheParentsBlobsAlone) {
  ScriptedNode node("the bytes");
  HttpPeerOptions options;
  options.url = node.server().url();
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<HttpPeer> peer, HttpPeer::Connect(options));
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("a");
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(*peer, request));
  std::shared_ptr<Blob> blob = grant.object->blobs()[0];
  char byte;
  ASSERT_THAT(blob->Read(0, absl::MakeSpan(&byte, 1)), IsOkAndHolds(1u));

  const pid_t child = fork();
  if (child == 0) {
    const bool unavailable = KindOf(blob->Sums().status()) == ErrorKind::kUnavailable;
    const bool works = blocking::Stats(*peer).ok();
    grant = Grant();
    blob.reset();
    peer.reset();
    _exit(unavailable && works ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(node.server().connections(), 3) << "two of the parent, one of the child";
  EXPECT_EQ(node.server().Requests("POST", "/release").size(), 0u)
      << "the lease is the parent's, not the child's to release";

  EXPECT_THAT(blob->Sums(), HasKind(ErrorKind::kUnsupported));
  EXPECT_THAT(blocking::Stats(*peer), IsOk());
  EXPECT_EQ(node.server().connections(), 3) << "the parent goes on with its own";
}

}  // namespace
}  // namespace packice
