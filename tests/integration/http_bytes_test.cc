// Objects' bytes over HTTP: whole, in ranges, in chunks, and from clients that go away.
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "http_test.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/path_blob_store.h"
#include "packice/core/testing/plain_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using testing::HasSubstr;

class HttpBytes : public HttpTest {
 protected:
  HttpBytes() { StartServer(); }

  std::string Create(HttpClient& client, absl::string_view id, absl::string_view more = "") {
    return client
        .Ask("POST /acquire",
             absl::StrCat(R"({"intent":"create","object_id":")", id, "\"", more, "}"))
        .Json()
        .Text("lease_id");
  }
};

TEST_F(HttpBytes, WhatWasPutIsGot) {
  HttpClient client = Connect();
  for (const size_t size : {0, 1, 16384, 16385, 1000000, 5000003}) {
    const std::string bytes = Pattern(size);
    const std::string path = absl::StrCat("/objects/", size);
    EXPECT_EQ(client.Ask("PUT " + path, bytes).Outcome(), "201 ok") << size;
    const HttpReply reply = client.Ask("GET " + path + "/data");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.Header("content-type"), "application/octet-stream");
    EXPECT_TRUE(reply.body == bytes) << size;
  }
  EXPECT_TRUE(NothingIsLeft());
}

// However the bytes are cut up: within the request line, the headers, a chunk's size, its data.
TEST_F(HttpBytes, ChunkedUpload) {
  const std::string bytes = Pattern(300000);
  std::string request = "PUT /objects/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0, n = 1; at < bytes.size(); at += n, n = n * 3 + 1) {
    n = std::min(n, bytes.size() - at);
    absl::StrAppend(&request, absl::Hex(n), ";ext=1\r\n", bytes.substr(at, n), "\r\n");
  }
  request += "0\r\nTrailer: ignored\r\n\r\n";
  for (const size_t piece : {size_t{1}, size_t{1000}, request.size()}) {
    HttpClient client = Connect();
    // A byte at a time for the first kilobyte is enough to cut everything in two.
    size_t at = 0;
    while (at < request.size()) {
      const size_t n = at < 1000 ? piece : request.size();
      ASSERT_TRUE(client.Send(absl::string_view(request).substr(at, n)));
      at += n;
    }
    EXPECT_EQ(client.Receive().Outcome(), "201 ok");
    EXPECT_TRUE(client.Ask("GET /objects/a/data").body == bytes);
    EXPECT_EQ(client.Ask("DELETE /objects/a").status, 200);
  }
}

TEST_F(HttpBytes, RequestsArePipelined) {
  HttpClient client = Connect();
  std::string requests;
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds; ++i) {
    const std::string path = absl::StrCat("/objects/", i);
    absl::StrAppend(&requests, HttpClient::Text("PUT " + path, absl::StrCat("value ", i)),
                    HttpClient::Text("GET " + path + "/data"),
                    HttpClient::Text("HEAD " + path + "/data"),
                    HttpClient::Text("POST /acquire", R"({"intent":"read","object_id":"nope"})"));
  }
  ASSERT_TRUE(client.Send(requests));
  client.FinishSending();
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_EQ(client.Receive().status, 201);
    EXPECT_EQ(client.Receive().body, absl::StrCat("value ", i));
    EXPECT_EQ(client.Receive(/*to_head=*/true).status, 200);
    EXPECT_EQ(client.Receive().status, 404);
  }
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpBytes, Ranges) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "0123456789");
  const std::tuple<const char*, int, const char*, const char*> rows[] = {
      {"bytes=0-0", 206, "0", "bytes 0-0/10"},
      {"bytes=3-5", 206, "345", "bytes 3-5/10"},
      {"bytes=7-", 206, "789", "bytes 7-9/10"},
      {"bytes=-3", 206, "789", "bytes 7-9/10"},
      {"bytes=-30", 206, "0123456789", "bytes 0-9/10"},
      {"bytes=9-1000", 206, "9", "bytes 9-9/10"},
      {"bytes=0-99999999999999999999999", 206, "0123456789", "bytes 0-9/10"},
      {"Bytes=2-3", 206, "23", "bytes 2-3/10"},
      // Those a server may answer with everything.
      {"bytes=0-1,3-4", 200, "0123456789", ""},
      {"bytes=5-3", 200, "0123456789", ""},
      {"bytes=x", 200, "0123456789", ""},
      {"bytes=", 200, "0123456789", ""},
      {"bytes=-", 200, "0123456789", ""},
      {"lines=1-2", 200, "0123456789", ""},
      {"bytes=../../etc/passwd", 200, "0123456789", ""},
  };
  for (const auto& [range, status, body, content_range] : rows) {
    const HttpReply reply =
        client.Ask("GET /objects/a/data", "", absl::StrCat("Range: ", range, "\r\n"));
    EXPECT_EQ(reply.status, status) << range;
    EXPECT_EQ(reply.body, body) << range;
    EXPECT_EQ(reply.Header("content-range"), content_range) << range;
    EXPECT_EQ(reply.Header("accept-ranges"), "bytes");
  }
  for (const char* range : {"bytes=10-", "bytes=-0", "bytes=99999999999999999999999-"}) {
    const HttpReply reply =
        client.Ask("GET /objects/a/data", "", absl::StrCat("Range: ", range, "\r\n"));
    EXPECT_EQ(reply.Outcome(), "416 invalid_argument") << range;
    EXPECT_EQ(reply.Header("content-range"), "bytes */10") << range;
  }
}

// An object's blobs are read one after another, and each by itself.
TEST_F(HttpBytes, SeveralBlobs) {
  HttpClient client = Connect();
  const std::string id =
      client
          .Ask(
              "POST /acquire",
              R"({"intent":"create","object_id":"a","blobs":[{"size":3},{"size":0},{"size":40000}]})")
          .Json()
          .Text("lease_id");
  const std::string blob = absl::StrCat("/leases/", id, "/blobs/");
  const std::string large = Pattern(40000);
  EXPECT_EQ(client.Ask("PUT " + blob + "0", "abc").status, 200);
  EXPECT_EQ(client.Ask("PUT " + blob + "2", large).status, 200);
  EXPECT_EQ(client.Ask("POST /seal", absl::StrCat(R"({"lease_id":")", id, "\"}")).status, 200);
  EXPECT_TRUE(client.Ask("GET /objects/a/data").body == "abc" + large);
  EXPECT_TRUE(client.Ask("GET /objects/a/data", "", "Range: bytes=1-39999\r\n").body ==
              "bc" + large.substr(0, 39998 - 0).substr(0, 39997));
  EXPECT_EQ(client.Ask("GET " + blob + "0").body, "abc");
  EXPECT_EQ(client.Ask("GET " + blob + "1").body, "");
  EXPECT_EQ(client.Ask("GET " + blob + "1", "", "Range: bytes=0-0\r\n").status, 416);
}

TEST_F(HttpBytes, HeadSaysWhatGetWouldSend) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "0123456789");
  const HttpReply got = client.Ask("GET /objects/a/data", "", "Range: bytes=2-4\r\n");
  const HttpReply head = client.Ask("HEAD /objects/a/data", "", "Range: bytes=2-4\r\n");
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.headers, got.headers);
  EXPECT_EQ(client.Ask("HEAD /objects/nope/data").status, 404);
  EXPECT_EQ(client.Ask("GET /healthz").status, 200);
}

TEST_F(HttpBytes, EntityTags) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "0123456789");
  const std::string etag = client.Ask("HEAD /objects/a/data").Header("etag");
  ASSERT_THAT(etag, testing::MatchesRegex("\"[0-9a-f]+-a\""));
  const auto with = [&](const std::string& headers) {
    return client.Ask("GET /objects/a/data", "", headers);
  };
  EXPECT_EQ(with("If-None-Match: " + etag + "\r\n").status, 304);
  EXPECT_EQ(with("If-None-Match: \"x\", W/" + etag + "\r\n").status, 304);
  EXPECT_EQ(with("If-None-Match: \"x\"\r\nIf-None-Match: " + etag + "\r\n").status, 304);
  EXPECT_EQ(with("If-None-Match: *\r\n").status, 304);
  EXPECT_EQ(with("If-None-Match: \"x\"\r\n").status, 200);
  EXPECT_EQ(with("If-Match: " + etag + "\r\n").status, 200);
  EXPECT_EQ(with("If-Match: \"x\"\r\n").Outcome(), "412 invalid_argument");
  EXPECT_EQ(with("Range: bytes=1-2\r\nIf-Range: " + etag + "\r\n").body, "12");
  EXPECT_EQ(with("Range: bytes=1-2\r\nIf-Range: \"x\"\r\n").body, "0123456789");
  EXPECT_EQ(with("Range: bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n").body,
            "0123456789");
  // The same id with other bytes is another entity.
  client.Ask("DELETE /objects/a");
  client.Ask("PUT /objects/a", "9876543210");
  EXPECT_EQ(with("If-None-Match: " + etag + "\r\n").status, 200);
}

TEST_F(HttpBytes, PartsAreWrittenWhereTheyBelong) {
  HttpClient client = Connect();
  const std::string id = Create(client, "a", R"(,"size":10)");
  const std::string blob = absl::StrCat("PUT /leases/", id, "/blobs/0");
  const auto part = [&](const char* bytes, const char* range) {
    return client.Ask(blob, bytes, absl::StrCat("Content-Range: ", range, "\r\n")).Outcome();
  };
  EXPECT_EQ(part("56789", "bytes 5-9/10"), "200 ok");
  EXPECT_EQ(part("01234", "bytes 0-4/*"), "200 ok");
  EXPECT_EQ(part("01234", "bytes 0-3/*"), "400 invalid_argument");
  EXPECT_EQ(part("01234", "bytes 4-0/*"), "400 invalid_argument");
  EXPECT_EQ(part("01234", "bytes 0-4"), "400 invalid_argument");
  EXPECT_EQ(part("01234", "bytes */10"), "400 invalid_argument");
  EXPECT_EQ(part("0", "bytes 18446744073709551615-18446744073709551615/*"), "400 invalid_argument");
  EXPECT_EQ(part("x", "bytes 10-10/*"), "400 invalid_argument");
  EXPECT_EQ(
      client.Ask(absl::StrCat("GET /leases/", id, "/blobs/0"), "", "Range: bytes=4-5\r\n").body,
      "45");
  EXPECT_EQ(client.Ask("PUT /objects/b", "x", "Content-Range: bytes 0-0/*\r\n").Outcome(),
            "400 invalid_argument");
}

TEST_F(HttpBytes, AClientMayWaitForItsTurn) {
  HttpClient client = Connect();
  const std::string head =
      "PUT /objects/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  ASSERT_TRUE(client.Send(head));
  EXPECT_EQ(client.Receive().status, 100);
  ASSERT_TRUE(client.Send("hello"));
  EXPECT_EQ(client.Receive().Outcome(), "201 ok");
  // The answer comes instead of the permission to send.
  ASSERT_TRUE(client.Send(head));
  const HttpReply refused = client.Receive();
  EXPECT_EQ(refused.Outcome(), "409 already_exists");
  EXPECT_EQ(refused.Header("connection"), "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpBytes, APutThatIsRefusedReadsNoMoreThanItMust) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "x");
  // A short body is skipped, and the connection goes on.
  EXPECT_EQ(client.Ask("PUT /objects/a", "y").Outcome(), "409 already_exists");
  EXPECT_EQ(client.Ask("GET /objects/a/data").body, "x");
  // A long one is not.
  ASSERT_TRUE(client.Send(
      "PUT /objects/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nsome bytes"));
  EXPECT_EQ(client.Receive().Outcome(), "409 already_exists");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpBytes, OneWriterAtATime) {
  HttpClient one = Connect();
  HttpClient other = Connect();
  const std::string id = Create(one, "a", R"(,"size":10)");
  const std::string blob = absl::StrCat("/leases/", id, "/blobs/0");
  const std::string seal = absl::StrCat(R"({"lease_id":")", id, "\"}");
  ASSERT_TRUE(one.Send(absl::StrCat("PUT ", blob, " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n",
                                    "Expect: 100-continue\r\n\r\n")));
  ASSERT_EQ(one.Receive().status, 100);
  EXPECT_EQ(other.Ask("PUT " + blob, "x").Outcome(), "423 busy");
  EXPECT_EQ(other.Ask("GET " + blob).Outcome(), "423 busy");
  EXPECT_EQ(other.Ask("POST /seal", seal).Outcome(), "423 busy");
  EXPECT_EQ(other.Ask("POST /batch", R"({"requests":[{"op":"seal","lease_id":")" + id + "\"}]}")
                .Outcome(),
            "423 busy");
  ASSERT_TRUE(one.Send("0123456789"));
  EXPECT_EQ(one.Receive().status, 200);
  EXPECT_EQ(other.Ask("POST /seal", seal).status, 200);
}

TEST_F(HttpBytes, AnAbandonedPutLeavesNothingBehind) {
  for (const char* head :
       {"PUT /objects/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
        "PUT /objects/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n"}) {
    for (const bool reset : {false, true}) {
      HttpClient client = Connect();
      ASSERT_TRUE(client.Send(absl::StrCat(head, Pattern(700000))));
      ASSERT_TRUE(Eventually([&] { return Stats().creating == 1; }));
      reset ? client.Reset() : client.Close();
      EXPECT_TRUE(NothingIsLeft());
      EXPECT_EQ(Stats().objects, 0u);
    }
  }
}

TEST_F(HttpBytes, AnAbandonedGetLeavesNothingBehind) {
  HttpClient writer = Connect();
  ASSERT_EQ(writer.Ask("PUT /objects/a", Pattern(20000000)).status, 201);
  for (const bool reset : {false, true}) {
    HttpClient client = Connect();
    ASSERT_TRUE(client.Send(HttpClient::Text("GET /objects/a/data")));
    ASSERT_TRUE(Eventually([&] { return Stats().read_leases == 1; }));
    reset ? client.Reset() : client.Close();
    EXPECT_TRUE(NothingIsLeft());
  }
}

// A client that reads slowly holds nobody up, on the same worker either.
TEST(HttpFairness, ALargeBodyStarvesNobody) {
  const auto peer = MakeMemoryPeer();
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Start(*peer, {.port = 0, .threads = 1}));
  HttpClient writer(server->port());
  ASSERT_EQ(writer.Ask("PUT /objects/a", std::string(64 << 20, 'x')).status, 201);
  HttpClient slow(server->port());
  ASSERT_TRUE(slow.Send(HttpClient::Text("GET /objects/a/data")));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(writer.Ask("GET /healthz").status, 200);
  EXPECT_EQ(slow.Receive().body.size(), size_t{64} << 20);
}

// A node on disk: files that are sent as they are, and paths in handles.
TEST(HttpFiles, BlobsInFiles) {
  const TemporaryDirectory directory;
  PathBlobStore store(directory.path());
  PlainPeer peer(store, Clock::System(), RandomSource::System());
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Start(peer, {.port = 0, .threads = 1}));
  HttpClient client(server->port());
  const std::string bytes(5000000, 'z');
  ASSERT_EQ(client.Ask("PUT /objects/a", bytes).status, 201);
  ASSERT_EQ(client.Ask("PUT /objects/b", "short").status, 201);
  EXPECT_TRUE(client.Ask("GET /objects/a/data").body == bytes);
  EXPECT_EQ(client.Ask("GET /objects/b/data").body, "short");
  EXPECT_EQ(client.Ask("GET /objects/a/data", "", "Range: bytes=4999999-\r\n").body, "z");
  const HttpReply grant = client.Ask("POST /acquire", R"({"intent":"read","object_id":"b"})");
  const std::string path = grant.Json().Text("path");
  EXPECT_THAT(path, testing::StartsWith(directory.path()));
  EXPECT_EQ(grant.Json().Text("attachment_path"), path);
  EXPECT_EQ(grant.Json().Json("index"), "");

  // A symbolic link in a blob's place leads nowhere.
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_EQ(client.Ask("GET /objects/b/data").body, "short");
}

// Over a Unix socket a descriptor rides along, for those who do not see the path.
TEST(UdsFiles, APathComesWithADescriptor) {
  const TemporaryDirectory directory;
  PathBlobStore store(directory.path());
  PlainPeer peer(store, Clock::System(), RandomSource::System());
  UdsServerOptions options;
  options.path = directory / "socket";
  ASSERT_OK_AND_ASSIGN(const auto server, UdsServer::Start(peer, options));
  RawClient client(options.path);
  const Response created =
      client.Ask(R"({"op":"acquire","intent":"create","object_id":"a","size":5})");
  EXPECT_TRUE(created.descriptors.empty());
  EXPECT_EQ(created.Json("index"), "");
  const UniqueFd file(open(created.Text("attachment_path").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(write(file.get(), "hello", 5), 5);
  ASSERT_EQ(client.Ask(LeaseLine("seal", created.Text("lease_id"))).Kind(), "ok");
  const Response read = client.Ask(BatchLine({ReadLine("a"), ReadLine("nope"), ReadLine("a")}));
  EXPECT_THAT(read.line, testing::HasSubstr(R"("offset":0,"size":5,"index":0}])"));
  EXPECT_THAT(read.line, testing::HasSubstr(R"("offset":0,"size":5,"index":1}])"));
  EXPECT_THAT(read.line, testing::HasSubstr(R"("attachment_fd":1)"));
  ASSERT_EQ(read.descriptors.size(), 2u);
  for (const UniqueFd& fd : read.descriptors) {
    char bytes[6] = {};
    EXPECT_EQ(pread(fd.get(), bytes, 5, 0), 5);
    EXPECT_STREQ(bytes, "hello");
    EXPECT_EQ(fcntl(fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  }
}

// Blobs that are no files are copied.
TEST(HttpCopies, BlobsOnTheHeap) {
  HeapBlobStore store;
  PlainPeer peer(store, Clock::System(), RandomSource::System());
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Start(peer, {.port = 0}));
  HttpClient client(server->port());
  const std::string bytes(3000000, 'y');
  ASSERT_EQ(client.Ask("PUT /objects/a", bytes).status, 201);
  EXPECT_TRUE(client.Ask("GET /objects/a/data").body == bytes);
  EXPECT_EQ(client.Ask("GET /objects/a/data", "", "Range: bytes=-5\r\n").body, "yyyyy");
  client.Close();
}

}  // namespace
}  // namespace packice
