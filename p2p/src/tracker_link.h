// The connection to one tracker: calls and streams, each with its callback, and what became of the
// last one. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/proto/tracker.grpc.pb.h"

namespace packice {

class TrackerLink {
 public:
  using Stub = tracker::v1::Tracker::Stub;
  template <typename Response>
  using Answer = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;
  template <typename Request, typename Response>
  using Method = void (tracker::v1::Tracker::StubInterface::async_interface::*)(
      grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);

  // Connects when the first call is made.
  TrackerLink(std::string address, std::shared_ptr<grpc::ChannelCredentials> credentials,
              std::string token, Clock& clock);

  // `unavailable` when the tracker does not answer within `timeout`, or after Close.
  template <typename Request, typename Response>
  void Call(Method<Request, Response> method, Request request, absl::Duration timeout,
            Answer<Response> answer);

  // A stream of changes. `on_read` for each message, `on_end` once at the end; neither after that.
  // The stream ends at the end of its handle, too.
  class Stream {
   public:
    virtual ~Stream() = default;
    virtual void Cancel() = 0;
  };
  using OnRead = absl::AnyInvocable<void(const tracker::v1::WatchResponse&)>;
  using OnEnd = absl::AnyInvocable<void(absl::Status) &&>;
  // Without timeout: for ever.
  std::shared_ptr<Stream> Watch(tracker::v1::WatchRequest request, absl::Duration timeout,
                                OnRead on_read, OnEnd on_end);

  // Ends all calls and waits until their callbacks have run. None is made afterwards.
  void Close();

  struct State {
    bool reachable = false;
    std::string failure;
    Instant last_answer = -absl::InfiniteDuration();
  };
  State state() const;
  const std::string& address() const { return address_; }

 private:
  class Reader;

  // Null after Close.
  std::shared_ptr<grpc::ClientContext> Begin(absl::Duration timeout);
  void Heard(const absl::Status& status);
  // Of a call, whose last words these are. `context` is the last reference to it but for calls_.
  void Ended(std::shared_ptr<grpc::ClientContext> context);
  absl::Status Closed() const;

  const std::string address_;
  const std::string token_;
  Clock& clock_;
  const std::unique_ptr<Stub> stub_;

  mutable Mutex mutex_;
  CondVar ended_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t calls_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  // What Close cancels.
  absl::flat_hash_set<std::shared_ptr<grpc::ClientContext>> calls_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
};

absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context,
                          const std::string& tracker);

template <typename Request, typename Response>
void TrackerLink::Call(Method<Request, Response> method, Request request, absl::Duration timeout,
                       Answer<Response> answer) {
  struct Pending {
    std::shared_ptr<grpc::ClientContext> context;
    Request request;
    Response response;
    Answer<Response> answer;
  };
  auto pending = std::make_shared<Pending>();
  pending->context = Begin(timeout);
  if (pending->context == nullptr) return std::move(answer)(Closed());
  pending->request = std::move(request);
  pending->answer = std::move(answer);
  (stub_->async()->*method)(pending->context.get(), &pending->request, &pending->response,
                            [this, pending](const grpc::Status& status) mutable {
                              const absl::Status told =
                                  StatusOfCall(status, *pending->context, address_);
                              Heard(told);
                              if (told.ok()) {
                                std::move(pending->answer)(std::move(pending->response));
                              } else {
                                std::move(pending->answer)(told);
                              }
                              // Before the end is known: not even a copy of this closure, which
                              // gRPC may hold for longer, keeps the context then.
                              auto context = std::move(pending->context);
                              pending.reset();
                              Ended(std::move(context));
                            });
}

}  // namespace packice
