// HttpPeer against a node that does as it is told: what it asks for, and what it makes of answers
// that come late, broken or wrong.
#include "packice/transport/http_peer.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "scripted_node.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class HttpPeerTest : public testing::Test {
 protected:
  using Response = ScriptedResponse;

  // Scripts use what is local to a test; the end of the peer is answered without them.
  void TearDown() override { node_.Script(nullptr); }

  HttpPeerOptions Options() {
    HttpPeerOptions options;
    options.url = node_.server().url();
    options.clock = &clock_;
    return options;
  }
  void Connect() { Connect(Options()); }
  void Connect(HttpPeerOptions options) {
    absl::StatusOr<std::unique_ptr<HttpPeer>> peer = HttpPeer::Connect(std::move(options));
    ASSERT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }
  absl::Status TryToConnect(HttpPeerOptions options) {
    return HttpPeer::Connect(std::move(options)).status();
  }
  void Answer(const std::string& target, Response response) {
    node_.Script([=](const ScriptedRequest& request) {
      return request.target == target ? absl::make_optional(response) : absl::nullopt;
    });
  }
  size_t CountOf(const std::string& target, const std::string& method = "POST") const {
    return node_.server().Requests(method, target).size();
  }

  absl::StatusOr<Grant> Acquire(Access access, absl::optional<absl::Duration> ttl = absl::nullopt,
                                SessionId session = SessionId::kNone) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse("a");
    request.ttl = ttl;
    request.session = session;
    return blocking::Acquire(*peer_, request);
  }
  absl::Status Release(const Grant& grant) {
    return blocking::Release(*peer_, {grant.lease.id, grant.lease.session, OperationId::kNone});
  }
  absl::Status Stat() { return blocking::Stat(*peer_, *ObjectId::Parse("a")).status(); }

  FakeClock clock_;
  mutable ScriptedNode node_;
  std::unique_ptr<HttpPeer> peer_;
};

// --- Connecting.

TEST_F(HttpPeerTest, ConnectSaysWhoIsThere) {
  HttpPeerOptions options = Options();
  options.token = "t0ken";
  Connect(options);
  EXPECT_EQ(peer_->Hello().version, "scripted");
  const std::vector<ScriptedRequest> hello = node_.server().Requests("GET", "/version");
  ASSERT_THAT(hello, SizeIs(1));
  EXPECT_EQ(hello[0].Header("authorization"), "Bearer t0ken");
  EXPECT_EQ(hello[0].Header("host"), node_.server().url().substr(7));
}

TEST_F(HttpPeerTest, WhatCannotBeATargetIsInvalid) {
  for (const std::string url :
       {"", "http://", "ftp://host:1", "http://host:0", "http://host:65536", "http://host:x",
        "http://host/path", "http://user@host", "http://[::1", "http://ho st", "http://h\r\n:1"}) {
    SCOPED_TRACE(url);
    HttpPeerOptions options = Options();
    options.url = url;
    EXPECT_THAT(TryToConnect(options), HasKind(ErrorKind::kInvalidArgument));
  }
  HttpPeerOptions options = Options();
  options.token = "two\r\nlines";
  EXPECT_THAT(TryToConnect(options), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(HttpPeerTest, NobodyThereIsUnavailable) {
  HttpPeerOptions options = Options();
  {
    ScriptedNode gone;
    options.url = gone.server().url();
  }
  EXPECT_THAT(TryToConnect(options), HasKind(ErrorKind::kUnavailable));
  options.url = "http://no-such-host.invalid:1";
  EXPECT_THAT(TryToConnect(options), HasKind(ErrorKind::kUnavailable));
}

TEST_F(HttpPeerTest, ATlsClientOfAPlainNodeIsUnavailable) {
  HttpPeerOptions options = Options();
  options.url = absl::StrCat("https://127.0.0.1:", node_.server().port());
  options.call_timeout = absl::Milliseconds(200);
  EXPECT_THAT(TryToConnect(options),
              testing::AnyOf(HasKind(ErrorKind::kUnavailable), HasKind(ErrorKind::kTimeout)));
}

TEST_F(HttpPeerTest, ANodeThatSaysNothingIsATimeout) {
  Response silent;
  silent.silent = true;
  Answer("/version", silent);
  HttpPeerOptions options = Options();
  options.call_timeout = absl::Milliseconds(50);
  EXPECT_THAT(TryToConnect(options), HasKind(ErrorKind::kTimeout));
}

TEST_F(HttpPeerTest, AnotherProtocolOrNoNodeIsUnsupported) {
  Answer("/version", ScriptedNode::Json(R"({"packice":"9","protocol":3,"features":[]})"));
  EXPECT_THAT(TryToConnect(Options()), HasKind(ErrorKind::kUnsupported));
  Response page;
  page.status = 404;
  page.body = "<html>";
  Answer("/version", page);
  EXPECT_THAT(TryToConnect(Options()), HasKind(ErrorKind::kUnsupported));
}

TEST_F(HttpPeerTest, AWrongTokenIsPermissionDenied) {
  Answer("/version", ScriptedNode::Failure(401, "permission_denied"));
  EXPECT_THAT(TryToConnect(Options()), HasKind(ErrorKind::kPermissionDenied));
  Response proxy;
  proxy.status = 403;
  Answer("/version", proxy);
  EXPECT_THAT(TryToConnect(Options()), HasKind(ErrorKind::kPermissionDenied));
}

// --- Answers.

TEST_F(HttpPeerTest, FailuresComeInTheNodesWordsOrByTheirStatus) {
  Connect();
  const std::pair<Response, ErrorKind> kinds[] = {
      {ScriptedNode::Failure(404, "not_found"), ErrorKind::kNotFound},
      {ScriptedNode::Failure(507, "capacity"), ErrorKind::kCapacity},
      {ScriptedNode::Failure(410, "lease_expired"), ErrorKind::kLeaseExpired},
      {{503, "", "busy"}, ErrorKind::kUnavailable},
      {{502, "", ""}, ErrorKind::kUnavailable},
      {{504, "", ""}, ErrorKind::kTimeout},
      {{500, "", "oops"}, ErrorKind::kInternal},
      {{404, "", "nothing here"}, ErrorKind::kUnsupported},
      {{301, "Location: /\r\n", ""}, ErrorKind::kUnsupported},
      {{200, "", "not JSON"}, ErrorKind::kCorrupt},
      {ScriptedNode::Json(R"({"state":"SEALED"})"), ErrorKind::kCorrupt},
  };
  for (const auto& [response, kind] : kinds) {
    SCOPED_TRACE(response.body);
    Answer("/objects/a", response);
    EXPECT_THAT(Stat(), HasKind(kind));
  }
}

TEST_F(HttpPeerTest, AnAnswerThatIsCutShortIsUnavailableAndOneThatIsNoHttpCorrupt) {
  Connect();
  Response cut = ScriptedNode::Failure(404, "not_found");
  cut.cut = 5;
  Answer("/objects/a", cut);
  EXPECT_THAT(Stat(), HasKind(ErrorKind::kUnavailable));
  Response odd;
  odd.headers = "no header at all\r\n";
  Answer("/objects/a", odd);
  EXPECT_THAT(Stat(), HasKind(ErrorKind::kCorrupt));
}

TEST_F(HttpPeerTest, IdsAndPrefixesAreEscaped) {
  Connect();
  EXPECT_THAT(blocking::Stat(*peer_, *ObjectId::Parse("a/b c?%\xF0\x9F\xA7\x8A")),
              HasKind(ErrorKind::kNotFound));
  ListRequest list;
  list.prefix = "x&y";
  list.after = "=";
  list.limit = 7;
  EXPECT_THAT(blocking::List(*peer_, list), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(CountOf("/objects/a%2Fb%20c%3F%25%F0%9F%A7%8A", "GET"), 1u);
  EXPECT_EQ(CountOf("/objects?limit=7&prefix=x%26y&after=%3D", "GET"), 1u);
}

// --- Connections.

TEST_F(HttpPeerTest, CallsShareAKeptConnection) {
  Connect();
  for (int i = 0; i < 10; ++i) ASSERT_THAT(Acquire(Access::kRead), IsOk());
  EXPECT_EQ(node_.server().connections(), 1);
}

TEST_F(HttpPeerTest, AfterTheNodeHungUpTheNextCallConnectsAnew) {
  Connect();
  ASSERT_THAT(Acquire(Access::kCreate), IsOk());
  node_.server().HangUpOnAll();
  EXPECT_THAT(Acquire(Access::kCreate), IsOk());
  EXPECT_EQ(node_.server().connections(), 2);
}

TEST_F(HttpPeerTest, WhatMayBeRepeatedIsWhenAKeptConnectionBreaks) {
  Connect();
  std::atomic<int> hang_ups{1};
  node_.Script([&](const ScriptedRequest& request) -> absl::optional<Response> {
    if (request.target == "/version" || hang_ups.fetch_sub(1) <= 0) return absl::nullopt;
    Response response;
    response.hang_up = true;
    return response;
  });
  EXPECT_THAT(Acquire(Access::kRead), IsOk());
  EXPECT_EQ(CountOf("/acquire"), 2u);

  hang_ups = 1;
  EXPECT_THAT(Acquire(Access::kCreate), HasKind(ErrorKind::kUnavailable))
      << "the node may have created it";
  EXPECT_EQ(CountOf("/acquire"), 3u);
}

TEST_F(HttpPeerTest, CallsAfterAReleaseThatNobodyWaitsForWaitForIt) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead));
  ASSERT_OK_AND_ASSIGN(auto other, HttpPeer::Connect(Options()));
  Latch answer;
  node_.Script([&](const ScriptedRequest& request) -> absl::optional<Response> {
    if (request.target == "/release") answer.Wait();
    return absl::nullopt;
  });
  peer_->Release({grant.lease.id, SessionId::kNone, OperationId::kNone}, nullptr);
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("a");
  Pending<absl::StatusOr<Grant>> acquired;
  peer_->Acquire(request, acquired.Callback());
  while (CountOf("/release") == 0) std::this_thread::yield();
  // Long enough for the second acquire to arrive, if it had been sent.
  for (int i = 0; i < 10; ++i) ASSERT_THAT(blocking::Stats(*other), IsOk());
  EXPECT_EQ(CountOf("/acquire"), 1u);
  answer.Set();
  EXPECT_THAT(acquired.Wait(), IsOk());
}

TEST_F(HttpPeerTest, GatheredCallsAreOneRequest) {
  Connect();
  Answer("/batch", ScriptedNode::Json(R"({"responses":[{"status":"sealed","object_id":"a",)"
                                      R"("size":3},{"status":"released"}]})"));
  SealRequest seal;
  seal.lease_id = *LeaseId::Parse(kScriptedLease);
  Pending<absl::StatusOr<Sealed>> sealed;
  peer_->Gather([&] {
    peer_->Seal(seal, sealed.Callback());
    peer_->Release({seal.lease_id, SessionId::kNone, OperationId::kNone}, nullptr);
  });
  ASSERT_THAT(sealed.Wait(), IsOk());
  const std::vector<ScriptedRequest> batches = node_.server().Requests("POST", "/batch");
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(batches[0].body, testing::ContainsRegex("\"seal\".*\"release\""));
}

TEST_F(HttpPeerTest, ACancelledWaitHangsUp) {
  Connect();
  node_.Script([](const ScriptedRequest& request) -> absl::optional<Response> {
    if (request.target != "/acquire") return absl::nullopt;
    Response response;
    response.silent = true;
    return response;
  });
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("a");
  request.wait = absl::Hours(1);
  request.operation = NewOperationId();
  Pending<absl::StatusOr<Grant>> waiting;
  peer_->Acquire(request, waiting.Callback());
  while (CountOf("/acquire") == 0) std::this_thread::yield();
  EXPECT_FALSE(waiting.IsDone());
  ASSERT_THAT(blocking::Stats(*peer_), IsOk()) << "others do not wait for it";
  peer_->Cancel(request.operation);
  EXPECT_THAT(waiting.Wait(), HasKind(ErrorKind::kTimeout));
  EXPECT_EQ(waiting.calls(), 1);
}

TEST_F(HttpPeerTest, TheEndOfThePeerEndsWaits) {
  Connect();
  Response silent;
  silent.silent = true;
  Answer("/acquire", silent);
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("a");
  request.wait = absl::Hours(1);
  Pending<absl::StatusOr<Grant>> waiting;
  peer_->Acquire(request, waiting.Callback());
  peer_.reset();
  ASSERT_TRUE(waiting.IsDone());
  EXPECT_THAT(waiting.Wait(), HasKind(ErrorKind::kUnavailable));
}

// --- Leases that are kept.

TEST_F(HttpPeerTest, ALeaseWithoutATtlIsAskedForWithOneAndShowsNone) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead, absl::nullopt, SessionId{7}));
  EXPECT_EQ(grant.lease.ttl, absl::InfiniteDuration());
  EXPECT_EQ(grant.lease.deadline, absl::InfiniteDuration());
  EXPECT_EQ(grant.lease.session, SessionId{7});
  EXPECT_THAT(node_.server().Requests("POST", "/acquire")[0].body,
              HasSubstr(R"("ttl_seconds":60)"));
}

TEST_F(HttpPeerTest, ALeaseWithATtlIsTheCallersToRenew) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead, absl::Seconds(60), SessionId{7}));
  EXPECT_EQ(grant.lease.ttl, absl::Seconds(60));
  EXPECT_EQ(grant.lease.deadline, clock_.Now() + absl::Seconds(60));
  EXPECT_EQ(grant.lease.session, SessionId::kNone);
  clock_.Advance(absl::Seconds(50));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 0u);
}

TEST_F(HttpPeerTest, KeptLeasesAreRenewedEveryTwentySeconds) {
  Connect();
  ASSERT_THAT(Acquire(Access::kRead), IsOk());
  clock_.Advance(absl::Seconds(19));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 0u);
  clock_.Advance(absl::Seconds(1));
  peer_->RunDue();
  peer_->RunDue();
  ASSERT_EQ(CountOf("/renew"), 1u);
  EXPECT_THAT(node_.server().Requests("POST", "/renew")[0].body, HasSubstr(kScriptedLease));
  clock_.Advance(absl::Seconds(20));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 2u);
}

TEST_F(HttpPeerTest, ALeaseThatWasNotRenewedIsTriedAgainSoonAndOneThatIsOverNoMore) {
  Connect();
  ASSERT_THAT(Acquire(Access::kRead), IsOk());
  Answer("/renew", {503, "", ""});
  clock_.Advance(absl::Seconds(20));
  peer_->RunDue();
  ASSERT_EQ(CountOf("/renew"), 1u);
  Answer("/renew", ScriptedNode::Failure(410, "lease_expired"));
  clock_.Advance(absl::Seconds(5));
  peer_->RunDue();
  ASSERT_EQ(CountOf("/renew"), 2u);
  clock_.Advance(absl::Minutes(1));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 2u);
}

TEST_F(HttpPeerTest, WhoeverGivesALeaseATtlKeepsItHimself) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead));
  RenewRequest request;
  request.lease_id = grant.lease.id;
  request.ttl = absl::Seconds(60);
  ASSERT_THAT(blocking::Renew(*peer_, request), IsOkAndHolds(absl::Seconds(60)));
  clock_.Advance(absl::Minutes(1));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 1u);
}

TEST_F(HttpPeerTest, WhatIsOverIsNotRenewed) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant released, Acquire(Access::kRead));
  ASSERT_THAT(Release(released), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant discarded, Acquire(Access::kCreate));
  ASSERT_THAT(blocking::Discard(*peer_, {discarded.lease.id, SessionId::kNone, OperationId::kNone}),
              IsOk());
  clock_.Advance(absl::Minutes(1));
  peer_->RunDue();
  EXPECT_EQ(CountOf("/renew"), 0u);
}

TEST_F(HttpPeerTest, TheEndOfThePeerReleasesKeptLeases) {
  Connect();
  ASSERT_THAT(Acquire(Access::kRead), IsOk());
  ASSERT_EQ(CountOf("/release"), 0u);
  peer_.reset();
  EXPECT_EQ(CountOf("/release"), 1u);
}

TEST_F(HttpPeerTest, ALeaseOfAnotherSessionIsNotTouched) {
  Connect();
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, absl::nullopt, SessionId{1}));
  SealRequest seal;
  seal.lease_id = grant.lease.id;
  seal.session = SessionId{2};
  EXPECT_THAT(blocking::Seal(*peer_, seal), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(CountOf("/seal"), 0u);
}

}  // namespace
}  // namespace packice
