// The bytes of an HTTP node, seen from a client: what is fetched, what is done about a broken
// connection and about wrong bytes, and when a path is believed.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "file_identity.h"
#include "gmock/gmock.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/path_blob.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/http_peer.h"
#include "scripted_node.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 11));
  return bytes;
}

constexpr size_t kPiece = PieceSums::kPieceBytes;

class HttpBlobTest : public testing::Test {
 protected:
  using Response = ScriptedResponse;

  // Scripts use what is local to a test; the end of the peer is answered without them.
  void TearDown() override {
    if (node_ != nullptr) node_->Script(nullptr);
  }

  void Start(std::string bytes, PieceHash hash = nullptr) {
    peer_.reset();
    node_ = std::make_unique<ScriptedNode>(std::move(bytes));
    HttpPeerOptions options;
    options.url = node_->server().url();
    options.hash = hash;
    options.call_timeout = absl::Seconds(20);
    absl::StatusOr<std::unique_ptr<HttpPeer>> peer = HttpPeer::Connect(std::move(options));
    ASSERT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }
  // Answers GETs of the blob; nothing: as a good node does.
  void OnGet(std::function<absl::optional<Response>(const ScriptedRequest&)> instead) {
    node_->Script([instead](const ScriptedRequest& request) -> absl::optional<Response> {
      if (request.method != "GET" || request.target != ScriptedNode::Blob()) return absl::nullopt;
      return instead(request);
    });
  }

  std::shared_ptr<Blob> Acquire(Access access, absl::optional<uint64_t> size = absl::nullopt) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse("a");
    if (size) request.blob_sizes = {*size};
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, request);
    EXPECT_THAT(grant, IsOk());
    return grant.ok() ? grant->object->blobs()[0] : nullptr;
  }
  std::vector<std::string> Ranges() const {
    std::vector<std::string> ranges;
    for (const ScriptedRequest& request : node_->server().Requests("GET", ScriptedNode::Blob())) {
      ranges.push_back(request.Header("range"));
    }
    return ranges;
  }
  static absl::StatusOr<std::string> ReadAt(const Blob& blob, uint64_t offset, size_t size) {
    std::string bytes(size, '\0');
    absl::StatusOr<size_t> n = blob.Read(offset, absl::MakeSpan(bytes.data(), size));
    if (!n.ok()) return n.status();
    bytes.resize(*n);
    return bytes;
  }

  std::unique_ptr<ScriptedNode> node_;
  std::unique_ptr<HttpPeer> peer_;
};

// --- What is fetched.

TEST_F(HttpBlobTest, ALargeReadIsOneRange) {
  const std::string bytes = Pattern(3 * kPiece + 17);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  EXPECT_TRUE(blob->sealed());
  EXPECT_EQ(blob->size(), bytes.size());
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  EXPECT_THAT(Ranges(), ElementsAre(absl::StrCat("bytes=0-", bytes.size() - 1)));
  EXPECT_THAT(ReadAt(*blob, bytes.size() - 2, 10), IsOkAndHolds(bytes.substr(bytes.size() - 2)));
  EXPECT_THAT(ReadAt(*blob, bytes.size(), 10), IsOkAndHolds(""));
  EXPECT_THAT(ReadAt(*blob, UINT64_MAX, 10), IsOkAndHolds(""));
}

TEST_F(HttpBlobTest, ForASequentialReaderMoreIsFetchedEachTime) {
  const std::string bytes = Pattern(2 << 20);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  std::string read;
  while (read.size() < bytes.size()) {
    ASSERT_OK_AND_ASSIGN(std::string part, ReadAt(*blob, read.size(), 1000));
    read += part;
  }
  EXPECT_TRUE(read == bytes);
  EXPECT_LT(Ranges().size(), 10u) << "of 2098 reads";
  EXPECT_EQ(node_->server().connections(), 2) << "one for calls, one for bytes";
}

TEST_F(HttpBlobTest, ARandomReaderGetsLittleMoreThanHeAsksFor) {
  Start(Pattern(2 << 20));
  const auto blob = Acquire(Access::kRead);
  ASSERT_THAT(ReadAt(*blob, 1 << 20, 10), IsOk());
  ASSERT_THAT(ReadAt(*blob, 500'000, 10), IsOk());
  EXPECT_THAT(Ranges(), ElementsAre("bytes=1048576-1114111", "bytes=500000-565535"));
}

TEST_F(HttpBlobTest, ManyThreadsRead) {
  const std::string bytes = Pattern(1 << 20);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 20; ++i) {
        const size_t at = (t * 7919 + i * 104729) % (bytes.size() - 5000);
        EXPECT_THAT(ReadAt(*blob, at, 5000), IsOkAndHolds(bytes.substr(at, 5000)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- Broken connections.

TEST_F(HttpBlobTest, ABrokenTransferGoesOnWhereItBroke) {
  const std::string bytes = Pattern(3 << 20);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  std::atomic<int> breaks{3};
  OnGet([&](const ScriptedRequest& request) -> absl::optional<Response> {
    if (breaks.fetch_sub(1) <= 0) return absl::nullopt;
    Response response = node_->Range(request);
    response.cut = 500'000;
    return response;
  });
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  EXPECT_THAT(Ranges(), ElementsAre("bytes=0-3145727", "bytes=500000-3145727",
                                    "bytes=1000000-3145727", "bytes=1500000-3145727"));
}

TEST_F(HttpBlobTest, ATransferThatGetsNowhereIsGivenUp) {
  Start(Pattern(1000));
  const auto blob = Acquire(Access::kRead);
  OnGet([&](const ScriptedRequest& request) -> absl::optional<Response> {
    Response response = node_->Range(request);
    response.cut = 0;
    return response;
  });
  EXPECT_THAT(ReadAt(*blob, 0, 1000), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(Ranges(), SizeIs(5));
}

TEST_F(HttpBlobTest, ANodeThatIsBusyIsAskedAgainAndOneThatRefusesIsNot) {
  const std::string bytes = Pattern(1000);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  std::atomic<int> busy{2};
  OnGet([&](const ScriptedRequest&) -> absl::optional<Response> {
    if (busy.fetch_sub(1) <= 0) return absl::nullopt;
    return Response{503, "", "try again"};
  });
  EXPECT_THAT(ReadAt(*blob, 0, 1000), IsOkAndHolds(bytes));
  EXPECT_THAT(Ranges(), SizeIs(3));

  OnGet([](const ScriptedRequest&) {
    return absl::make_optional(ScriptedNode::Failure(410, "lease_expired"));
  });
  const auto other = Acquire(Access::kRead);
  EXPECT_THAT(ReadAt(*other, 0, 1000), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Ranges(), SizeIs(4));
}

TEST_F(HttpBlobTest, AnotherRangeThanAskedForIsCorrupt) {
  Start(Pattern(1000));
  const auto blob = Acquire(Access::kRead);
  OnGet([&](const ScriptedRequest& request) -> absl::optional<Response> {
    Response response = node_->Range(request);
    response.headers = "Content-Range: bytes 1-1000/1001\r\n";
    return response;
  });
  EXPECT_THAT(ReadAt(*blob, 0, 1000), HasKind(ErrorKind::kCorrupt));
  OnGet([&](const ScriptedRequest& request) -> absl::optional<Response> {
    Response response = node_->Range(request);
    response.body.pop_back();
    return response;
  });
  EXPECT_THAT(ReadAt(*blob, 0, 1000), HasKind(ErrorKind::kCorrupt));
  OnGet([&](const ScriptedRequest&) { return absl::make_optional(Response{200, "", "whole"}); });
  EXPECT_THAT(ReadAt(*blob, 0, 1000), HasKind(ErrorKind::kUnsupported));
}

// --- Sums.

class HttpBlobSumsTest : public HttpBlobTest {
 protected:
  // From here on the node tells sums, and `spoil` may change what it sends.
  void Script(std::function<void(const ScriptedRequest&, Response&)> spoil) {
    node_->Script([this, spoil](const ScriptedRequest& request) -> absl::optional<Response> {
      Response response;
      if (request.target == ScriptedNode::Blob() + "/sums") {
        response = node_->Sums();
      } else if (request.target == ScriptedNode::Blob()) {
        response = node_->Range(request);
      } else {
        return absl::nullopt;
      }
      spoil(request, response);
      return response;
    });
  }
};

TEST_F(HttpBlobSumsTest, WholePiecesAreFetchedAndChecked) {
  const std::string bytes = Pattern(2 * kPiece + 5);
  Start(bytes, &ScriptedHash);
  Script([](const ScriptedRequest&, Response&) {});
  const auto blob = Acquire(Access::kRead);
  EXPECT_THAT(ReadAt(*blob, kPiece + 10, 10), IsOkAndHolds(bytes.substr(kPiece + 10, 10)));
  EXPECT_THAT(ReadAt(*blob, 2 * kPiece, 100), IsOkAndHolds(bytes.substr(2 * kPiece)));
  EXPECT_THAT(ReadAt(*blob, 3, 2 * kPiece), IsOkAndHolds(bytes.substr(3, 2 * kPiece)));
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  for (const std::string& range : Ranges()) {
    EXPECT_THAT(range,
                testing::MatchesRegex("bytes=(0|1048576|2097152)-(1048575|2097151|2097156)"));
  }
}

TEST_F(HttpBlobSumsTest, AWrongPieceIsFetchedOnceMore) {
  const std::string bytes = Pattern(3 * kPiece);
  Start(bytes, &ScriptedHash);
  const auto blob = Acquire(Access::kRead);
  std::atomic<bool> spoilt{false};
  Script([&](const ScriptedRequest& request, Response& response) {
    if (request.target == ScriptedNode::Blob() && !spoilt.exchange(true)) {
      response.body[kPiece + 7] ^= 1;
    }
  });
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  EXPECT_THAT(Ranges(), ElementsAre("bytes=0-3145727", "bytes=1048576-2097151"));
}

TEST_F(HttpBlobSumsTest, APieceThatStaysWrongIsCorrupt) {
  const std::string bytes = Pattern(2 * kPiece);
  Start(bytes, &ScriptedHash);
  const auto blob = Acquire(Access::kRead);
  Script([&](const ScriptedRequest& request, Response& response) {
    if (request.target != ScriptedNode::Blob()) return;
    if (request.Header("range").find("bytes=0-") != 0) response.body.back() ^= 1;
  });
  EXPECT_THAT(ReadAt(*blob, 0, kPiece), IsOkAndHolds(bytes.substr(0, kPiece)));
  EXPECT_THAT(ReadAt(*blob, kPiece, 1), HasKind(ErrorKind::kCorrupt));
  Script([&](const ScriptedRequest& request, Response& response) {
    if (request.target == ScriptedNode::Blob()) response.body.back() ^= 1;
  });
  EXPECT_THAT(blob->Map(MapAccess::kReadOnly), HasKind(ErrorKind::kCorrupt));
}

TEST_F(HttpBlobSumsTest, ANodeWithoutSumsIsBelieved) {
  const std::string bytes = Pattern(kPiece);
  Start(bytes, &ScriptedHash);
  const auto blob = Acquire(Access::kRead);
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  EXPECT_THAT(ReadAt(*blob, 0, bytes.size()), IsOkAndHolds(bytes));
  EXPECT_THAT(node_->server().Requests("GET", ScriptedNode::Blob() + "/sums"), SizeIs(1));
  EXPECT_THAT(blob->Sums(), HasKind(ErrorKind::kUnsupported));
}

TEST_F(HttpBlobSumsTest, SumsThatAreNoneAreCorruptAndUnknownOnesAreLeftAside) {
  const std::string bytes = Pattern(kPiece);
  const std::pair<std::string, absl::optional<ErrorKind>> answers[] = {
      {"not JSON", ErrorKind::kCorrupt},
      {"{}", ErrorKind::kCorrupt},
      {R"({"algorithm":"xxh3-128","piece_bytes":1048576,"pieces":[]})", ErrorKind::kCorrupt},
      {R"({"algorithm":"xxh3-128","piece_bytes":1048576,"pieces":["00"]})", ErrorKind::kCorrupt},
      {R"({"algorithm":"xxh3-128","piece_bytes":1048576,"pieces":[7]})", ErrorKind::kCorrupt},
      {R"({"algorithm":"crc","piece_bytes":1048576,"pieces":["00"]})", absl::nullopt},
      {R"({"algorithm":"xxh3-128","piece_bytes":4096,"pieces":["00"]})", absl::nullopt},
  };
  for (const auto& [answer, kind] : answers) {
    SCOPED_TRACE(answer);
    Start(bytes, &ScriptedHash);
    const auto blob = Acquire(Access::kRead);
    Script([answer = answer](const ScriptedRequest& request, Response& response) {
      if (request.target != ScriptedNode::Blob()) response.body = answer;
    });
    if (kind) {
      EXPECT_THAT(ReadAt(*blob, 0, 10), HasKind(*kind));
    } else {
      EXPECT_THAT(ReadAt(*blob, 0, 10), IsOkAndHolds(bytes.substr(0, 10)));
    }
  }
}

// --- In memory.

TEST_F(HttpBlobTest, MapDownloadsOnceAndTheBytesStay) {
  const std::string bytes = Pattern(2 * kPiece + 1);
  Start(bytes);
  const auto blob = Acquire(Access::kRead);
  EXPECT_TRUE(absl::holds_alternative<UrlDescriptor>(blob->Describe()));
  EXPECT_EQ(absl::get<UrlDescriptor>(blob->Describe()).url,
            node_->server().url() + ScriptedNode::Blob());
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_TRUE(mapping.view() == bytes);
  node_->server().HangUpOnAll();
  OnGet([](const ScriptedRequest&) { return absl::make_optional(Response{500}); });
  EXPECT_THAT(blob->Map(MapAccess::kReadOnly), IsOk());
  EXPECT_THAT(ReadAt(*blob, 5, 100), IsOkAndHolds(bytes.substr(5, 100)));
  ASSERT_TRUE(absl::holds_alternative<FdDescriptor>(blob->Describe()));
  const FdDescriptor memory = absl::get<FdDescriptor>(blob->Describe());
  EXPECT_EQ(memory.size, bytes.size());
  EXPECT_EQ(pwrite(memory.fd->get(), "x", 1, 0), -1) << "nobody may change it any more";
  EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
}

TEST_F(HttpBlobTest, AnEmptyBlobAsksForNothing) {
  Start("");
  const auto blob = Acquire(Access::kRead);
  EXPECT_THAT(ReadAt(*blob, 0, 10), IsOkAndHolds(""));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), "");
  EXPECT_THAT(Ranges(), SizeIs(0));
}

// --- Writing.

TEST_F(HttpBlobTest, WritesWhereItIsTold) {
  Start("");
  const auto blob = Acquire(Access::kCreate);
  EXPECT_FALSE(blob->sealed());
  EXPECT_THAT(blob->Write(0, "some"), IsOk());
  EXPECT_THAT(blob->Write(4, " more"), IsOk());
  EXPECT_THAT(blob->Write(0, ""), IsOk());
  EXPECT_EQ(blob->size(), 9u);
  EXPECT_EQ(node_->bytes(), "some more");
  EXPECT_THAT(ReadAt(*blob, 0, 100), IsOkAndHolds("some more"));
  EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kUnsupported));
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(ReadAt(*blob, 0, 100), IsOkAndHolds("some more"));
}

TEST_F(HttpBlobTest, AWriterIsKeptToTheDeclaredSize) {
  Start("....");
  const auto blob = Acquire(Access::kCreate, 4);
  EXPECT_EQ(blob->size(), 4u);
  EXPECT_THAT(blob->Write(0, "12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(4, "1"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(UINT64_MAX, "12"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(node_->server().Requests("PUT", ScriptedNode::Blob()), SizeIs(0));
  EXPECT_THAT(blob->Write(2, "34"), IsOk());
  EXPECT_EQ(node_->bytes(), "..34");
}

TEST_F(HttpBlobTest, ABrokenWriteBeginsAnewAndARefusedOneDoesNot) {
  const std::string bytes = Pattern(3 << 20);
  Start("");
  const auto blob = Acquire(Access::kCreate);
  std::atomic<int> breaks{2};
  node_->Script([&](const ScriptedRequest& request) -> absl::optional<Response> {
    if (request.method != "PUT" || breaks.fetch_sub(1) <= 0) return absl::nullopt;
    Response response;
    response.hang_up = true;
    return response;
  });
  EXPECT_THAT(blob->Write(0, bytes), IsOk());
  EXPECT_TRUE(node_->bytes() == bytes);
  EXPECT_THAT(node_->server().Requests("PUT", ScriptedNode::Blob()), SizeIs(3));

  node_->Script([&](const ScriptedRequest& request) -> absl::optional<Response> {
    if (request.method != "PUT") return absl::nullopt;
    return ScriptedNode::Failure(507, "capacity");
  });
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(node_->server().Requests("PUT", ScriptedNode::Blob()), SizeIs(4));
}

// --- Paths.

class HttpPathTest : public HttpBlobTest {
 protected:
  HttpPathTest() {
    std::string name = (std::filesystem::temp_directory_path() / "packice-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/file";
    std::ofstream(path_) << "of file";
  }
  ~HttpPathTest() override { std::filesystem::remove_all(directory_); }

  void SetPath(const std::string& path, const std::string& identity, size_t size = 7) {
    node_->SetHandle(absl::StrCat(R"({"kind":"path","path":")", path, R"(","offset":0,"size":)",
                                  size, R"(,"identity":")", identity, R"("})"));
  }

  std::string directory_;
  std::string path_;
};

TEST_F(HttpPathTest, TheSameFileIsReadAndWrittenAtItsPath) {
  Start("streamed");
  SetPath(path_, FileIdentity(path_));
  const auto reader = Acquire(Access::kRead);
  EXPECT_THAT(ReadAt(*reader, 0, 100), IsOkAndHolds("of file"));
  EXPECT_TRUE(absl::holds_alternative<PathDescriptor>(reader->Describe()));
  const auto writer = Acquire(Access::kCreate, 7);
  EXPECT_THAT(writer->Write(0, "my"), IsOk());
  EXPECT_THAT(ReadAt(*reader, 0, 100), IsOkAndHolds("my file"));
  EXPECT_THAT(Ranges(), SizeIs(0));
}

TEST_F(HttpPathTest, APathThatIsNotProvenToLeadThereIsNotUsed) {
  const std::string other = directory_ + "/other";
  std::ofstream(other) << "another";
  std::filesystem::create_symlink(path_, directory_ + "/link");
  const std::pair<std::string, std::string> claims[] = {
      {path_, ""},
      {path_, "elsewhere/8:1/17"},
      {other, FileIdentity(path_)},
      {directory_ + "/none", FileIdentity(path_)},
      {directory_ + "/link", FileIdentity(path_)},
      {directory_, FileIdentity(directory_)},
      {"file", FileIdentity(path_)},
  };
  for (const auto& [path, identity] : claims) {
    SCOPED_TRACE(path + " as " + identity);
    Start("of node");
    SetPath(path, identity);
    const auto reader = Acquire(Access::kRead);
    EXPECT_THAT(ReadAt(*reader, 0, 7), IsOkAndHolds("of node"));
    EXPECT_THAT(Ranges(), SizeIs(1));
  }
}

TEST_F(HttpPathTest, AFileThatIsNotWholeIsCorruptAndItsLeaseReleased) {
  Start("of node");
  SetPath(path_, FileIdentity(path_), 8);
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("a");
  EXPECT_THAT(blocking::Acquire(*peer_, request), HasKind(ErrorKind::kCorrupt));
  EXPECT_TRUE(node_->server().AwaitRequest("POST", "/release"));
}

TEST_F(HttpPathTest, AnIdentityIsThatOfOneFile) {
  const std::string identity = FileIdentity(path_);
  EXPECT_NE(identity, "");
  absl::StatusOr<UniqueFd> fd = OpenRegularFile(path_);
  ASSERT_THAT(fd, IsOk());
  EXPECT_EQ(FileIdentity(fd->get()), identity);
  std::filesystem::rename(path_, directory_ + "/renamed");
  EXPECT_EQ(FileIdentity(directory_ + "/renamed"), identity);
  std::ofstream(path_) << "of file";
  EXPECT_NE(FileIdentity(path_), identity);
  EXPECT_EQ(FileIdentity(directory_ + "/none"), "");
  EXPECT_EQ(FileIdentity(-1), "");
}

}  // namespace
}  // namespace packice
