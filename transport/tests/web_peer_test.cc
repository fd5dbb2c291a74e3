// WebPeer against a server of files that does as it is told: what it asks for, and what it makes of
// servers that know little, change their files or contradict themselves.
#include "packice/transport/web_peer.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "http_range.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/status_matchers.h"
#include "scripted_http_server.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr size_t kLarge = WebPeer::kMaxWholeBytes + 4321;
constexpr char kDate[] = "Tue, 15 Nov 2022 12:45:26 GMT";

std::string Pattern(size_t size, int seed = 0) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 11) + seed);
  return bytes;
}

// One file, and how well its server knows HTTP.
struct ServedFile {
  std::string bytes;
  std::string etag = "\"1\"";
  std::string last_modified = kDate;
  bool ranges = true;
  bool says_ranges = true;
  bool conditions = true;  // heeds If-Match, If-Range and If-Unmodified-Since
};

std::string HeadersOf(const ServedFile& file) {
  std::string headers;
  if (file.says_ranges)
    absl::StrAppend(&headers, "Accept-Ranges: ", file.ranges ? "bytes" : "none", "\r\n");
  if (!file.etag.empty()) absl::StrAppend(&headers, "ETag: ", file.etag, "\r\n");
  if (!file.last_modified.empty()) {
    absl::StrAppend(&headers, "Last-Modified: ", file.last_modified, "\r\n");
  }
  return headers;
}

ScriptedResponse Serve(const ServedFile& file, const ScriptedRequest& request) {
  ScriptedResponse response;
  response.headers = HeadersOf(file);
  response.body = file.bytes;
  if (file.conditions) {
    const std::string match = request.Header("if-match");
    const std::string since = request.Header("if-unmodified-since");
    if ((!match.empty() && match != file.etag) || (!since.empty() && since != file.last_modified)) {
      return {.status = 412};
    }
    const std::string range = request.Header("if-range");
    if (!range.empty() && range != file.etag) return response;
  }
  if (!file.ranges || request.Header("range").empty()) return response;
  const RangeAnswer answer = ResolveRange(request.Header("range"), file.bytes.size());
  if (answer.kind == RangeAnswer::Kind::kUnsatisfiable) {
    return {.status = 416,
            .headers = absl::StrCat("Content-Range: bytes */", file.bytes.size(), "\r\n")};
  }
  response.status = 206;
  absl::StrAppend(&response.headers,
                  "Content-Range: ", FormatContentRange(answer.range, file.bytes.size()), "\r\n");
  response.body = file.bytes.substr(answer.range.offset, answer.range.size);
  return response;
}

class WebPeerTest : public testing::Test {
 protected:
  using Instead = std::function<absl::optional<ScriptedResponse>(const ScriptedRequest&)>;

  WebPeerTest() {
    WebPeerOptions options;
    options.call_timeout = absl::Seconds(20);
    Connect(options);
  }

  void Connect(WebPeerOptions options, const std::string& path = "/base/") {
    options.clock = &clock_;
    absl::StatusOr<std::unique_ptr<WebPeer>> peer = WebPeer::Connect(server_.url() + path, options);
    ASSERT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }
  void SetFile(ServedFile file) {
    MutexLock lock(mutex_);
    file_ = std::move(file);
  }
  // Answers in the place of the file; nothing: the file does.
  void Script(Instead instead) {
    MutexLock lock(mutex_);
    instead_ = std::move(instead);
  }
  void AnswerAlways(ScriptedResponse response) {
    Script([response](const ScriptedRequest&) { return response; });
  }

  static ObjectId Id(const std::string& bytes) { return *ObjectId::Parse(bytes); }
  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    if (request.object_id.empty()) request.object_id = Id("a");
    return blocking::Acquire(*peer_, std::move(request));
  }
  absl::StatusOr<Grant> AcquireFile() { return Acquire({}); }
  std::shared_ptr<Blob> AcquireBlob() {
    const absl::StatusOr<Grant> grant = AcquireFile();
    EXPECT_THAT(grant, IsOk());
    return grant.ok() ? grant->object->blobs()[0] : nullptr;
  }
  static absl::StatusOr<std::string> ReadAll(const Blob& blob) {
    std::string bytes(blob.size() + 1, '\0');
    const absl::StatusOr<size_t> n = blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size()));
    if (!n.ok()) return n.status();
    bytes.resize(*n);
    return bytes;
  }
  std::vector<std::string> Asked() const {
    std::vector<std::string> asked;
    for (const ScriptedRequest& request : server_.Requests()) {
      asked.push_back(absl::StrCat(request.method, " ", request.target));
      if (!request.Header("range").empty())
        absl::StrAppend(&asked.back(), " ", request.Header("range"));
    }
    return asked;
  }

  FakeClock clock_;
  Mutex mutex_;
  ServedFile file_ ABSL_GUARDED_BY(mutex_) = {.bytes = Pattern(kLarge)};
  Instead instead_ ABSL_GUARDED_BY(mutex_);
  ScriptedHttpServer server_{[this](const ScriptedRequest& request) {
    MutexLock lock(mutex_);
    absl::optional<ScriptedResponse> response;
    if (instead_) response = instead_(request);
    return response ? *response : Serve(file_, request);
  }};
  std::unique_ptr<WebPeer> peer_;
};

// --- Places.

TEST_F(WebPeerTest, WhatIsNoPlaceOnAWebServerIsInvalid) {
  for (const std::string url : {"", "host/path", "ftp://host/", "http:///path", "http://host/a?b",
                                "http://host/a#b", "http://host/a b", "http://host/a//b",
                                "http://host/../b", "http://user@host/", "http://h\r\n/"}) {
    EXPECT_THAT(WebPeer::Connect(url).status(), HasKind(ErrorKind::kInvalidArgument)) << url;
  }
  EXPECT_THAT(WebPeer::Connect("https://host"), IsOk());
}

TEST_F(WebPeerTest, AnIdIsAPathBelowTheBase) {
  AcquireRequest request;
  request.object_id = Id("models/a b%?#\xff.bin");
  EXPECT_THAT(Acquire(request), IsOk());
  EXPECT_THAT(Asked(), ElementsAre("HEAD /base/models/a%20b%25%3F%23%FF.bin"));
}

TEST_F(WebPeerTest, AnIdThatCouldLeadElsewhereIsInvalid) {
  for (const std::string id : {"/a", "a/", "a//b", ".", "..", "a/../b", "./a"}) {
    AcquireRequest request;
    request.object_id = Id(id);
    EXPECT_THAT(Acquire(request).status(), HasKind(ErrorKind::kInvalidArgument)) << id;
    EXPECT_THAT(blocking::Stat(*peer_, Id(id)).status(), HasKind(ErrorKind::kInvalidArgument));
  }
  EXPECT_THAT(Asked(), IsEmpty());
}

// --- Reading.

TEST_F(WebPeerTest, ReadsAreRangesOfTheStateThatWasAcquired) {
  const std::shared_ptr<Blob> blob = AcquireBlob();
  ASSERT_NE(blob, nullptr);
  EXPECT_TRUE(blob->sealed());
  EXPECT_THAT(ReadAll(*blob), IsOkAndHolds(Pattern(kLarge)));
  EXPECT_THAT(Asked(),
              ElementsAre("HEAD /base/a", absl::StrCat("GET /base/a bytes=0-", kLarge - 1)));
  const ScriptedRequest get = server_.Requests("GET", "/base/a").front();
  EXPECT_EQ(get.Header("if-match"), "\"1\"");
  EXPECT_EQ(get.Header("if-range"), "\"1\"");
  EXPECT_EQ(get.Header("accept-encoding"), "identity");
}

TEST_F(WebPeerTest, AMapHasAllOfIt) {
  const std::shared_ptr<Blob> blob = AcquireBlob();
  ASSERT_OK_AND_ASSIGN(const Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), Pattern(kLarge));
  EXPECT_THAT(blob->Sums().status(), HasKind(ErrorKind::kUnsupported));
}

TEST_F(WebPeerTest, AServerWithoutHeadIsAskedForTheFirstByte) {
  for (const int status : {405, 501}) {
    Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
      if (request.method != "HEAD") return absl::nullopt;
      return ScriptedResponse{.status = status};
    });
    EXPECT_THAT(ReadAll(*AcquireBlob()), IsOkAndHolds(Pattern(kLarge)));
    EXPECT_EQ(Asked()[1], "GET /base/a bytes=0-0");
  }
}

TEST_F(WebPeerTest, AServerMayHaveRangesWithoutSayingSo) {
  SetFile({.bytes = Pattern(kLarge), .says_ranges = false});
  EXPECT_THAT(ReadAll(*AcquireBlob()), IsOkAndHolds(Pattern(kLarge)));
}

TEST_F(WebPeerTest, ADateTellsTheStateWhereNoTagDoes) {
  for (const std::string etag : {"", "W/\"1\""}) {
    SetFile({.bytes = Pattern(kLarge), .etag = etag});
    EXPECT_THAT(ReadAll(*AcquireBlob()), IsOkAndHolds(Pattern(kLarge)));
    const ScriptedRequest get = server_.Requests("GET", "/base/a").back();
    EXPECT_EQ(get.Header("if-unmodified-since"), kDate);
    EXPECT_EQ(get.Header("if-match"), "");
  }
}

TEST_F(WebPeerTest, AnEmptyFileIsAnEmptyObject) {
  for (const bool says : {false, true}) {
    SetFile({.bytes = "", .says_ranges = says});
    const std::shared_ptr<Blob> blob = AcquireBlob();
    EXPECT_EQ(blob->size(), 0u);
    EXPECT_THAT(ReadAll(*blob), IsOkAndHolds(""));
  }
}

TEST_F(WebPeerTest, WithoutRangesSmallFilesAreFetchedWhole) {
  for (const bool says : {false, true}) {
    SetFile({.bytes = Pattern(WebPeer::kMaxWholeBytes), .ranges = false, .says_ranges = says});
    const std::shared_ptr<Blob> blob = AcquireBlob();
    SetFile({.bytes = "other", .etag = "\"2\""});
    EXPECT_THAT(ReadAll(*blob), IsOkAndHolds(Pattern(WebPeer::kMaxWholeBytes)));
  }
}

TEST_F(WebPeerTest, WithoutRangesLargeFilesAreUnsupported) {
  for (const bool says : {false, true}) {
    SetFile({.bytes = Pattern(kLarge), .ranges = false, .says_ranges = says});
    EXPECT_THAT(AcquireFile().status(), HasKind(ErrorKind::kUnsupported));
  }
}

TEST_F(WebPeerTest, WithoutAnythingThatTellsStatesOnlySmallFilesAreRead) {
  SetFile({.bytes = Pattern(100), .etag = "W/\"1\"", .last_modified = ""});
  EXPECT_THAT(ReadAll(*AcquireBlob()), IsOkAndHolds(Pattern(100)));
  SetFile({.bytes = Pattern(kLarge), .etag = "", .last_modified = ""});
  EXPECT_THAT(AcquireFile().status(), HasKind(ErrorKind::kUnsupported));
}

// --- Files that change.

TEST_F(WebPeerTest, AChangedFileIsNeverMixedIn) {
  for (const bool conditions : {true, false}) {
    for (const size_t size : {kLarge, kLarge - 1000, kLarge + 1000, size_t{10}}) {
      SCOPED_TRACE(absl::StrCat("heeds conditions: ", conditions, ", size ", size));
      SetFile({.bytes = Pattern(kLarge), .conditions = conditions});
      const std::shared_ptr<Blob> blob = AcquireBlob();
      char byte;
      ASSERT_THAT(blob->Read(0, absl::MakeSpan(&byte, 1)), IsOk());
      SetFile({.bytes = Pattern(size, 1), .etag = "\"2\"", .conditions = conditions});
      const absl::StatusOr<std::string> read = ReadAll(*blob);
      EXPECT_THAT(read.status(), HasKind(ErrorKind::kBusy));
      EXPECT_THAT(read.status().message(), HasSubstr("has changed"));
      EXPECT_THAT(blob->Map(MapAccess::kReadOnly).status(), HasKind(ErrorKind::kBusy));
      EXPECT_THAT(ReadAll(*AcquireBlob()), IsOkAndHolds(Pattern(size, 1)));
    }
  }
}

TEST_F(WebPeerTest, AFileThatChangesByDateOnlyIsNoticed) {
  for (const bool conditions : {true, false}) {
    SetFile({.bytes = Pattern(kLarge), .etag = "", .conditions = conditions});
    const std::shared_ptr<Blob> blob = AcquireBlob();
    SetFile({.bytes = Pattern(kLarge, 1),
             .etag = "",
             .last_modified = "Tue, 15 Nov 2022 12:45:27 GMT",
             .conditions = conditions});
    EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kBusy));
    // Within the second, only its size tells.
    SetFile({.bytes = Pattern(kLarge + 1, 1), .etag = "", .conditions = conditions});
    EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kBusy));
  }
}

TEST_F(WebPeerTest, AFileThatChangesWhileABrokenReadGoesOnIsNoticed) {
  const std::shared_ptr<Blob> blob = AcquireBlob();
  bool cut = false;
  Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
    if (cut) return Serve({.bytes = Pattern(kLarge, 1), .etag = "\"2\""}, request);
    cut = true;
    ScriptedResponse response = Serve({.bytes = Pattern(kLarge)}, request);
    response.cut = 500'000;
    return response;
  });
  EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kBusy));
  EXPECT_TRUE(cut);
}

// --- Servers that fail.

TEST_F(WebPeerTest, ABodyThatIsCutIsTakenUpWhereItBroke) {
  const std::shared_ptr<Blob> blob = AcquireBlob();
  Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
    ScriptedResponse response = Serve({.bytes = Pattern(kLarge)}, request);
    if (response.body.size() > 400'000) response.cut = 400'000;
    return response;
  });
  EXPECT_THAT(ReadAll(*blob), IsOkAndHolds(Pattern(kLarge)));
  EXPECT_THAT(Asked(), SizeIs(4));
}

TEST_F(WebPeerTest, ABodyThatIsAlwaysCutIsUnavailable) {
  const std::shared_ptr<Blob> blob = AcquireBlob();
  Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
    ScriptedResponse response = Serve({.bytes = Pattern(kLarge)}, request);
    response.cut = 10;
    return response;
  });
  EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kUnavailable));
}

TEST_F(WebPeerTest, AServerThatContradictsItselfIsCorrupt) {
  // About the size.
  Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
    if (request.method != "HEAD") return absl::nullopt;
    return Serve({.bytes = Pattern(kLarge - 5)}, request);
  });
  const std::shared_ptr<Blob> blob = AcquireBlob();
  EXPECT_EQ(blob->size(), kLarge - 5);
  EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kCorrupt));
  // About which range it answers with.
  for (const char* range : {"bytes 1-", "bytes 0-1", "bytes */"}) {
    Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
      ScriptedResponse response = Serve({.bytes = Pattern(kLarge - 5)}, request);
      response.headers = absl::StrCat("ETag: \"1\"\r\nContent-Range: ", range, "\r\n");
      return response;
    });
    EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kCorrupt)) << range;
  }
  // About how much it sends.
  Script([&](const ScriptedRequest& request) -> absl::optional<ScriptedResponse> {
    ScriptedResponse response = Serve({.bytes = Pattern(kLarge - 5)}, request);
    response.body.resize(response.body.size() / 2);
    return response;
  });
  EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kCorrupt));
}

TEST_F(WebPeerTest, AStatusIsToldAsItsKind) {
  const struct {
    int status;
    ErrorKind kind;
  } kCases[] = {{301, ErrorKind::kUnsupported},      {400, ErrorKind::kInvalidArgument},
                {401, ErrorKind::kPermissionDenied}, {403, ErrorKind::kPermissionDenied},
                {404, ErrorKind::kNotFound},         {410, ErrorKind::kNotFound},
                {429, ErrorKind::kUnavailable},      {500, ErrorKind::kUnavailable},
                {503, ErrorKind::kUnavailable},      {504, ErrorKind::kTimeout}};
  for (const auto& [status, kind] : kCases) {
    Script(nullptr);
    const std::shared_ptr<Blob> blob = AcquireBlob();
    AnswerAlways({.status = status, .headers = "Location: http://elsewhere/\r\n"});
    EXPECT_THAT(AcquireFile().status(), HasKind(kind)) << status;
    EXPECT_THAT(blocking::Stat(*peer_, Id("a")).status(), HasKind(kind)) << status;
    EXPECT_THAT(ReadAll(*blob).status(), HasKind(kind)) << status;
  }
}

TEST_F(WebPeerTest, WhoSaysNothingIsATimeout) {
  WebPeerOptions options;
  options.call_timeout = absl::Milliseconds(50);
  Connect(options);
  const std::shared_ptr<Blob> blob = AcquireBlob();
  AnswerAlways({.silent = true});
  EXPECT_THAT(AcquireFile().status(), HasKind(ErrorKind::kTimeout));
  EXPECT_THAT(ReadAll(*blob).status(), HasKind(ErrorKind::kTimeout));
}

TEST_F(WebPeerTest, NobodyThereIsUnavailable) {
  std::string url;
  {
    ScriptedHttpServer gone([](const ScriptedRequest&) { return ScriptedResponse(); });
    url = gone.url();
  }
  ASSERT_OK_AND_ASSIGN(peer_, WebPeer::Connect(url));
  EXPECT_THAT(AcquireFile().status(), HasKind(ErrorKind::kUnavailable));
}

TEST_F(WebPeerTest, ItsEndAnswersWhatIsUnderWay) {
  AnswerAlways({.silent = true});
  absl::StatusOr<Grant> answer = Grant();
  AcquireRequest request;
  request.object_id = Id("a");
  peer_->Acquire(request, [&](absl::StatusOr<Grant> grant) { answer = std::move(grant); });
  ASSERT_TRUE(server_.AwaitRequest("HEAD", "/base/a"));
  peer_.reset();
  EXPECT_THAT(answer.status(), HasKind(ErrorKind::kUnavailable));
}

// --- As a Peer.

TEST_F(WebPeerTest, IsOnlyRead) {
  for (const Access access : {Access::kCreate, Access::kWrite}) {
    AcquireRequest request;
    request.access = access;
    EXPECT_THAT(Acquire(request).status(), HasKind(ErrorKind::kUnsupported));
  }
  EXPECT_THAT(blocking::List(*peer_, {}).status(), HasKind(ErrorKind::kUnsupported));
  const std::shared_ptr<Blob> blob = AcquireBlob();
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
}

TEST_F(WebPeerTest, StatTellsSizeAndTime) {
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, blocking::Stat(*peer_, Id("a")));
  EXPECT_EQ(info.size(), kLarge);
  EXPECT_EQ(info.state, ObjectState::kSealed);
  EXPECT_EQ(info.sealed_at, absl::FromUnixSeconds(1668516326));
  // Of a file that could not be read, too.
  SetFile({.bytes = Pattern(kLarge), .ranges = false, .says_ranges = false});
  ASSERT_OK_AND_ASSIGN(const ObjectInfo whole, blocking::Stat(*peer_, Id("a")));
  EXPECT_EQ(whole.size(), kLarge);
}

TEST_F(WebPeerTest, TheTokenIsShown) {
  WebPeerOptions options;
  options.token = "t0ken";
  Connect(options);
  EXPECT_THAT(ReadAll(*AcquireBlob()), IsOk());
  for (const ScriptedRequest& request : server_.Requests()) {
    EXPECT_EQ(request.Header("authorization"), "Bearer t0ken");
  }
  options.token = "two\r\nlines";
  EXPECT_THAT(WebPeer::Connect(server_.url(), options).status(),
              HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(WebPeerTest, LeasesEndAsLeasesDo) {
  const SessionId mine = NewSessionId();
  const SessionId other = NewSessionId();
  AcquireRequest request;
  request.session = mine;
  ASSERT_OK_AND_ASSIGN(const Grant kept, Acquire(request));
  request.ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(const Grant timed, Acquire(request));
  const auto leases = [&] { return blocking::Stats(*peer_)->read_leases; };
  EXPECT_EQ(leases(), 2u);
  EXPECT_EQ(blocking::Stat(*peer_, Id("a"))->leases, 2u);

  EXPECT_THAT(blocking::Release(*peer_, {kept.lease.id, other, OperationId::kNone}),
              HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blocking::Renew(*peer_, {timed.lease.id, absl::Seconds(20), other}), IsOk());
  clock_.Advance(absl::Seconds(15));
  EXPECT_EQ(leases(), 2u);
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(leases(), 1u);
  EXPECT_THAT(blocking::Renew(*peer_, {timed.lease.id, absl::Seconds(20), mine}).status(),
              HasKind(ErrorKind::kLeaseExpired));
  peer_->EndSession(mine);
  EXPECT_EQ(leases(), 0u);
  EXPECT_THAT(blocking::Release(*peer_, {kept.lease.id, mine, OperationId::kNone}), IsOk());
}

TEST_F(WebPeerTest, StatsCountHitsAndMisses) {
  EXPECT_THAT(AcquireFile(), IsOk());
  AcquireRequest quiet;
  quiet.quiet = true;
  EXPECT_THAT(Acquire(quiet), IsOk());
  AnswerAlways({.status = 404});
  EXPECT_THAT(AcquireFile().status(), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Acquire(quiet).status(), HasKind(ErrorKind::kNotFound));
  ASSERT_OK_AND_ASSIGN(const PeerStats stats, blocking::Stats(*peer_));
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.hit_bytes, kLarge);
  EXPECT_EQ(stats.misses, 1u);
}

}  // namespace
}  // namespace packice
