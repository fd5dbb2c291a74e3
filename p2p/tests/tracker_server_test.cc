// A tracker as it is reached over gRPC: who may ask, what failures look like, what it bounds.
#include "packice/p2p/tracker_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpc_error.h"
#include "loopback_trackers.h"
#include "packice/core/testing/pending.h"
#include "packice/proto/tracker.grpc.pb.h"
#include "test_certificates.h"
#include "tracker_link.h"

namespace packice {
namespace {

using testing::HasSubstr;
using tracker::v1::Tracker;

std::unique_ptr<Tracker::Stub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return Tracker::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

tracker::v1::AnnounceRequest Holds(uint64_t sequence, const std::vector<std::string>& ids) {
  tracker::v1::AnnounceRequest request;
  request.mutable_node()->set_address("x:1");
  request.set_sequence(sequence);
  for (const std::string& id : ids) {
    tracker::v1::Holding& holding = *request.add_holdings();
    holding.set_object_id(id);
    holding.set_digest(ContentDigest(HashKind::kXxh3, std::string(16, 'd')).Encode());
  }
  return request;
}

absl::Status Announce(Tracker::Stub& stub, const tracker::v1::AnnounceRequest& request) {
  grpc::ClientContext context;
  tracker::v1::AnnounceResponse response;
  return FromGrpc(stub.Announce(&context, request, &response), context, "tracker");
}

// What a directory with these options is told by a tracker.
absl::Status Ask(TrackerDirectoryOptions options, const std::string& tracker) {
  options.trackers = {tracker};
  const auto directory = Join(options);
  LocateRequest request;
  request.object_id = *ObjectId::Parse("a");
  Pending<absl::StatusOr<Location>> located;
  directory->Locate(std::move(request), located.Callback());
  Pending<absl::StatusOr<std::vector<ObjectId>>> listed;
  directory->List("", "", 1, listed.Callback());
  const absl::Status status = located.Wait().status();
  EXPECT_EQ(listed.Wait().status().code(), status.code());
  EXPECT_EQ(directory->Trackers().at(0).failure.empty(), status.ok());
  return status;
}

// --- Where it listens.

TEST(TrackerServerTest, AnAddressThatIsTakenIsBusy) {
  const auto tracker = StartTracker();
  TrackerOptions options = LoopbackTracker();
  options.listen = tracker->address();
  EXPECT_THAT(TrackerServer::Start(options), HasKind(ErrorKind::kBusy));
}

TEST(TrackerServerTest, BeyondLoopbackItWantsToKnowWhoAsks) {
  TrackerOptions options = LoopbackTracker();
  options.listen = "0.0.0.0:0";
  EXPECT_THAT(TrackerServer::Start(options), HasKind(ErrorKind::kInvalidArgument));
  options.token = "secret";
  EXPECT_THAT(TrackerServer::Start(options), IsOk());
  options.token.clear();
  options.insecure = true;
  EXPECT_THAT(TrackerServer::Start(options), IsOk());
}

TEST(TrackerServerTest, OptionsThatMakeNoSenseAreRefused) {
  const auto refuses = [](auto spoil) {
    TrackerOptions options = LoopbackTracker();
    spoil(options);
    EXPECT_THAT(TrackerServer::Start(options), HasKind(ErrorKind::kInvalidArgument));
  };
  refuses([](TrackerOptions& options) { options.listen = "no port"; });
  refuses([](TrackerOptions& options) { options.interval = absl::ZeroDuration(); });
  refuses([](TrackerOptions& options) { options.origin_grant = absl::ZeroDuration(); });
  refuses([](TrackerOptions& options) { options.tls.key = "key without certificate"; });
}

// --- Who may ask.

TEST(TrackerServerTest, OnlyWhoHasTheTokenIsAnswered) {
  TrackerOptions options = LoopbackTracker();
  options.token = "secret";
  const auto tracker = StartTracker(options);
  TrackerDirectoryOptions client;
  for (const char* wrong : {"", "secre", "secret2", "Secret"}) {
    client.token = wrong;
    EXPECT_THAT(Ask(client, tracker->address()), HasKind(ErrorKind::kPermissionDenied)) << wrong;
  }
  client.token = "secret";
  EXPECT_THAT(Ask(client, tracker->address()), IsOk());
  EXPECT_THAT(Announce(*Connect(tracker->address()), Holds(1, {"a"})),
              HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(tracker->Stats().nodes, 0u);
}

class TrackerTlsTest : public testing::Test {
 protected:
  TrackerTlsTest() {
    std::string name = testing::TempDir() + "/packice-tls-XXXXXX";
    directory_ = mkdtemp(name.data());
    server_ = MakeCertificates(directory_, "server");
    client_ = MakeCertificates(directory_, "client");
  }
  ~TrackerTlsTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  GrpcTls server_;
  GrpcTls client_;
};

TEST_F(TrackerTlsTest, AClientTrustsOnlyTheServersOfItsAuthority) {
  TrackerOptions options = LoopbackTracker();
  options.tls = {server_.certificate, server_.key, ""};
  const auto tracker = StartTracker(options);
  TrackerDirectoryOptions client;
  client.tls.authority = server_.authority;
  EXPECT_THAT(Ask(client, tracker->address()), IsOk());
  client.tls.authority = client_.authority;
  EXPECT_THAT(Ask(client, tracker->address()), HasKind(ErrorKind::kUnavailable));
  client.tls = GrpcTls();
  EXPECT_THAT(Ask(client, tracker->address()), HasKind(ErrorKind::kUnavailable));
}

TEST_F(TrackerTlsTest, AServerWithAnAuthorityWantsCertificatesOfItsClients) {
  TrackerOptions options = LoopbackTracker();
  options.tls = {server_.certificate, server_.key, client_.authority};
  options.token = "secret";
  const auto tracker = StartTracker(options);
  TrackerDirectoryOptions client;
  client.token = "secret";
  client.tls = {client_.certificate, client_.key, server_.authority};
  EXPECT_THAT(Ask(client, tracker->address()), IsOk());
  client.tls = {server_.certificate, server_.key, server_.authority};
  EXPECT_THAT(Ask(client, tracker->address()), HasKind(ErrorKind::kUnavailable));
  client.tls = {"", "", server_.authority};
  EXPECT_THAT(Ask(client, tracker->address()), HasKind(ErrorKind::kUnavailable));
}

TEST_F(TrackerTlsTest, FilesThatCannotBeReadAreToldAtTheStart) {
  TrackerOptions options = LoopbackTracker();
  options.tls = {directory_ + "/none.crt", server_.key, ""};
  EXPECT_THAT(TrackerServer::Start(options), HasKind(ErrorKind::kIo));
}

// --- Failures.

// Fails every question for figures with the next kind.
class FailingService final : public Tracker::CallbackService {
 public:
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context,
                                  const tracker::v1::StatsRequest*,
                                  tracker::v1::StatsResponse*) override {
    auto* reactor = context->DefaultReactor();
    const ErrorInfo& info = ErrorTable()[next_++];
    reactor->Finish(ToGrpc(MakeError(info.kind, absl::StrCat("of ", info.name)), *context));
    return reactor;
  }

 private:
  size_t next_ = 0;
};

TEST(TrackerErrorTest, EveryKindComesBackAsItWasMade) {
  FailingService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const auto stub = Connect(absl::StrCat("127.0.0.1:", port));
  for (const ErrorInfo& info : ErrorTable()) {
    grpc::ClientContext context;
    tracker::v1::StatsResponse response;
    const grpc::Status told = stub->Stats(&context, {}, &response);
    EXPECT_EQ(static_cast<int>(told.error_code()), static_cast<int>(info.grpc));
    const absl::Status status = FromGrpc(told, context, "tracker");
    EXPECT_THAT(status, HasKind(info.kind));
    EXPECT_EQ(status.message(), absl::StrCat("of ", info.name));
  }
}

TEST(TrackerServerTest, WhatBreaksTheProtocolIsAnInvalidArgument) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  EXPECT_THAT(Announce(*stub, Holds(0, {"a"})), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Announce(*stub, Holds(1, {""})), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Announce(*stub, Holds(1, {"a"})), IsOk());
}

TEST(TrackerServerTest, AMessageThatIsTooLargeIsRefusedAndTheNextOneTaken) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  const std::vector<std::string> many(8000, std::string(250, 'o'));
  EXPECT_THAT(Announce(*stub, Holds(1, many)), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Announce(*stub, Holds(1, {"a"})), IsOk());
  EXPECT_EQ(tracker->Stats().holdings, 1u);
}

// --- Health and reflection.

// What a method without generated code answers to these bytes.
std::string RawCall(const std::string& address, const std::string& method,
                    const std::string& request) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const grpc::Slice slice(request);
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  Pending<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &sent, &received,
                 [callback = std::make_shared<Done<grpc::Status>>(done.Callback())](
                     grpc::Status status) { std::move (*callback)(std::move(status)); });
  EXPECT_TRUE(done.Wait().ok()) << done.Wait().error_message();
  grpc::Slice answer;
  EXPECT_TRUE(received.DumpToSingleSlice(&answer).ok());
  return std::string(reinterpret_cast<const char*>(answer.begin()), answer.size());
}

TEST(TrackerServerTest, TellsThatItServesAndWhat) {
  const auto tracker = StartTracker();
  EXPECT_EQ(RawCall(tracker->address(), "/grpc.health.v1.Health/Check", ""), "\x08\x01");
  EXPECT_THAT(
      RawCall(tracker->address(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              "\x3a\x01*"),
      HasSubstr("packice.tracker.v1.Tracker"));
}

// --- Watches.

TEST(TrackerServerTest, ASlowWatchIsToldThatItMissedSome) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  grpc::ClientContext context;
  tracker::v1::WatchRequest request;
  const auto reader = stub->Watch(&context, request);
  reader->WaitForInitialMetadata();
  // More than any buffer between here and there takes.
  uint64_t sequence = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::string> ids;
    for (int k = 0; k < 1000; ++k) ids.push_back(absl::StrCat(i, "/", k, std::string(230, '.')));
    ASSERT_THAT(Announce(*stub, Holds(++sequence, ids)), IsOk());
  }
  ASSERT_THAT(Announce(*stub, Holds(++sequence, {"the last"})), IsOk());
  tracker::v1::WatchResponse response;
  bool missed = false;
  std::string last;
  while (last != "the last" && reader->Read(&response)) {
    missed = missed || response.missed();
    for (const auto& change : response.changes()) last = change.object_id();
  }
  EXPECT_TRUE(missed);
  EXPECT_EQ(last, "the last");
  context.TryCancel();
}

TEST(TrackerServerTest, AWatchTellsFirstWhatIsThereIfAsked) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  ASSERT_THAT(Announce(*stub, Holds(1, {"a", "b", "c", "d"})), IsOk());
  grpc::ClientContext context;
  tracker::v1::WatchRequest request;
  request.set_existing(true);
  request.set_after("a");
  request.set_limit(2);
  const auto reader = stub->Watch(&context, request);
  std::vector<std::string> told;
  tracker::v1::WatchResponse response;
  const auto read = [&](size_t count) {
    while (told.size() < count && reader->Read(&response)) {
      for (const auto& change : response.changes()) told.push_back(change.object_id());
    }
  };
  read(2);
  ASSERT_THAT(Announce(*stub, Holds(2, {"later"})), IsOk());
  read(3);
  EXPECT_THAT(told, testing::ElementsAre("b", "c", "later"));
  context.TryCancel();
}

TEST(TrackerServerTest, DrainEndsWatchesAndTellsWhy) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  grpc::ClientContext context;
  tracker::v1::WatchRequest request;
  const auto reader = stub->Watch(&context, request);
  reader->WaitForInitialMetadata();
  EXPECT_EQ(tracker->Stats().watches, 1u);
  tracker->Drain(absl::Seconds(10));
  tracker::v1::WatchResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_THAT(FromGrpc(reader->Finish(), context, "tracker"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(Announce(*stub, Holds(1, {"a"})), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(tracker->Stats().watches, 0u);
}

// --- Figures.

TEST(TrackerServerTest, CountsWhatItDoes) {
  const auto tracker = StartTracker();
  const auto stub = Connect(tracker->address());
  ASSERT_THAT(Announce(*stub, Holds(1, {"a", "b"})), IsOk());
  for (const char* id : {"a", "a", "none"}) {
    grpc::ClientContext context;
    tracker::v1::LocateRequest request;
    tracker::v1::LocateResponse response;
    request.set_object_id(id);
    ASSERT_TRUE(stub->Locate(&context, request, &response).ok());
  }
  const TrackerStats stats = tracker->Stats();
  EXPECT_EQ(stats.nodes, 1u);
  EXPECT_EQ(stats.objects, 2u);
  EXPECT_EQ(stats.announces, 1u);
  EXPECT_EQ(stats.announced_objects, 2u);
  EXPECT_EQ(stats.locates, 3u);
  EXPECT_EQ(stats.located, 2u);
  EXPECT_GE(stats.uptime, absl::ZeroDuration());
  const std::string text = tracker->MetricsText();
  EXPECT_THAT(text, HasSubstr("\npackice_tracker_locates_total 3\n"));
  EXPECT_THAT(text,
              HasSubstr("# TYPE packice_tracker_holdings gauge\npackice_tracker_holdings 2\n"));
}

}  // namespace
}  // namespace packice
