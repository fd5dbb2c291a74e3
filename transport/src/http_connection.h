// One client of an HttpServer: reads its requests one after another and answers them in order.
//
// Lives on one worker's io_context: everything but answers of the peer and blocking work runs on
// that thread, so there are no locks. Keeps itself alive while it has something to do.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "byte_buffer.h"
#include "http_failure.h"
#include "http_node.h"
#include "http_parser.h"
#include "http_response.h"
#include "http_stream.h"
#include "http_target.h"

namespace packice {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::unique_ptr<HttpStream> stream, HttpNode& node,
                 std::function<void(HttpConnection*)> closed);
  ~HttpConnection();

  // All of these on the connection's thread.

  // Serves until the client is gone, its time is up, or Drain or Close is called.
  void Start();
  // Waits, also those to come, end in `unavailable`.
  void EndWaits();
  // Answers what has been sent so far, then closes.
  void Drain();
  // Closes at once.
  void Close();
  // To be called a few times a second: cuts off a client that takes too long, and notices when one
  // that waits is gone. A timer for each of many connections would cost more.
  void Sweep(Instant now);

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  using OptionalFailure = absl::optional<HttpFailure>;

  // A call between its start and its answer. The two parties, the connection that made it and
  // whoever completes it, meet in `turn`: the second one goes on.
  template <typename T>
  struct Call {
    enum Turn { kCalling, kAnswered, kReturned };

    std::shared_ptr<HttpConnection> connection;
    std::atomic<Turn> turn{kCalling};
    absl::optional<T> answer;
    bool finished = false;  // touched on the connection's thread

    static void Complete(const std::shared_ptr<Call>& call, T result) {
      call->answer.emplace(std::move(result));
      if (call->turn.exchange(kAnswered) != kReturned) return;
      boost::asio::post(call->connection->executor(), [call] {
        call->finished = true;
        call->connection->wake_.cancel();
      });
    }
  };

  auto executor() { return stream_->socket().get_executor(); }

  // Runs `start(done)` and, unless `done` was called meanwhile, notes that it is under way.
  template <typename T, typename Start>
  std::shared_ptr<Call<T>> Begin(Start start) {
    auto call = std::make_shared<Call<T>>();
    call->connection = shared_from_this();
    start([call](T result) mutable { Call<T>::Complete(call, std::move(result)); });
    call->finished = call->turn.exchange(Call<T>::kReturned) == Call<T>::kAnswered;
    return call;
  }
  // The answer of a call, without a thread to wait for it.
  template <typename T, typename Start>
  Awaitable<T> Ask(Start start) {
    std::shared_ptr<Call<T>> call = Begin<T>(std::move(start));
    co_await UntilFinished(call->finished);
    co_return *std::move(call->answer);
  }
  // What `work` returns, on a thread that may block.
  template <typename T, typename Work>
  Awaitable<T> Blocking(Work work) {
    return Ask<T>(Elsewhere(std::move(work)));
  }
  // The same without waiting for it; whatever `work` refers to must outlive it.
  template <typename T, typename Work>
  std::shared_ptr<Call<T>> BeginBlocking(Work work) {
    return Begin<T>(Elsewhere(std::move(work)));
  }
  template <typename Work>
  auto Elsewhere(Work work) {
    return [this, work = std::move(work)](auto done) mutable {
      node_.pool.Run([work = std::move(work), done = std::move(done)]() mutable { done(work()); });
    };
  }
  Awaitable<void> UntilFinished(const bool& finished);

  // --- http_connection.cc: requests, one after another.
  Awaitable<void> Serve();
  Awaitable<void> ServeRequests();
  Awaitable<void> ReadHead();
  Awaitable<void> Linger();
  Awaitable<void> SayTimeout(absl::string_view why);
  Awaitable<void> Fill(absl::Span<char> room);
  Awaitable<void> FillBody(absl::Span<char> room);
  Awaitable<void> Flush();
  bool FlushAtOnce();
  void ForgetOutput();
  void Parse();
  void Progress(size_t bytes);
  void SetDeadline(absl::Duration patience);
  bool IsAlone() const;

  // --- http_control.cc: what is answered by a JSON object.
  bool RespondAtOnce();
  Awaitable<void> Respond();
  OptionalFailure Admit();
  OptionalFailure Route();
  std::shared_ptr<Call<Answer>> BeginOp(absl::string_view body);
  std::shared_ptr<Call<Answer>> BeginOp(Request request);
  Awaitable<void> FinishOp(std::shared_ptr<Call<Answer>> call);
  void QueueAnswer(Answer answer, absl::string_view seq);
  OptionalFailure PassWriters(const Request& request);
  OptionalFailure PassWriters(const LeaseId& lease);
  Awaitable<OptionalFailure> ReadJsonBody(std::string& body);
  Awaitable<void> Post();
  Awaitable<void> Query();
  Awaitable<void> Metrics();
  void EndAfter(OperationId operation, absl::Duration wait);

  Awaitable<void> Fail(HttpFailure failure);
  Awaitable<void> SkipBody();
  void QueueFailure(const HttpFailure& failure);
  void QueueHead(HttpResponseHead head);
  void QueueBody(int status, absl::string_view content_type, absl::string_view body,
                 absl::string_view headers = "");
  SessionId session();

  // --- http_events.cc: events as lines, all there are or as they come.
  Awaitable<void> GetEvents();
  Awaitable<void> FollowEvents(EventsRequest request);
  Awaitable<absl::StatusOr<EventPage>> AskEvents(EventsRequest request);
  void WatchForDeath();

  // --- http_download.cc: bytes to the client.
  Awaitable<void> GetObject();
  Awaitable<void> GetBlob();
  Awaitable<void> GetSums();
  Awaitable<void> SendBlobs(const Object& object, absl::Span<const std::shared_ptr<Blob>> blobs);
  Awaitable<void> SendBlob(const Blob& blob, uint64_t offset, uint64_t size);
  Awaitable<void> SendFile(int fd, uint64_t offset, uint64_t size, bool may_block);
  Awaitable<void> SendCopy(const Blob& blob, uint64_t offset, uint64_t size);
  Awaitable<absl::StatusOr<Grant>> LookUp();

  // --- http_upload.cc: bytes from the client.
  Awaitable<void> PutObject();
  Awaitable<void> PutBlob();
  Awaitable<void> DeleteObject();
  Awaitable<void> Continue();
  OptionalFailure CheckWritable(const Grant& grant);
  struct Writing;
  Awaitable<OptionalFailure> Receive(Blob& blob, uint64_t offset, absl::optional<uint64_t> size);
  Awaitable<OptionalFailure> ReceiveBody(Writing& writing, absl::optional<uint64_t> size);
  Awaitable<OptionalFailure> Settle(Writing& writing);
  void BeginWriting(Writing& writing);

  const std::unique_ptr<HttpStream> stream_;
  HttpNode& node_;
  const std::function<void(HttpConnection*)> closed_;
  Caller caller_;

  HttpParser parser_;
  ByteBuffer input_;
  std::vector<absl::string_view> pieces_;  // of a body, in input_
  HttpTarget target_;

  std::string output_;
  size_t sent_ = 0;         // of output_
  size_t answered_ = 0;     // requests, since output_ was empty
  std::string scratch_;     // a body while its length is not known
  std::string seq_;         // of the request that is under way
  bool keep_ = true;        // the connection goes on behind the request that is under way
  bool continued_ = false;  // the client need not be told to go on any more

  Instant deadline_ = absl::InfiniteDuration();
  uint64_t progress_ = 0;  // bytes since the deadline was set
  bool broken_ = false;    // no byte can be sent any more
  bool timed_out_ = false;
  bool draining_ = false;
  bool idle_ = false;  // between two requests

  std::shared_ptr<Call<Answer>> under_way_;     // from RespondAtOnce to Respond
  OperationId operation_ = OperationId::kNone;  // that is under way, and may wait
  SessionId session_ = SessionId::kNone;        // of leases that a request takes for itself
  std::vector<WriterGate::Pass> passes_;        // of the request that is under way
  boost::asio::steady_timer patience_;          // ends a wait for events
  boost::asio::steady_timer wake_;              // never fires: cancelled to wake UntilFinished
};

}  // namespace packice
