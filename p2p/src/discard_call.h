// One DISCARD under way at another node. Thread-compatible.
#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "engine_context.h"
#include "link_pool.h"
#include "packice/core/error.h"

namespace packice {

class DiscardCall final : public LinkPool::User {
 public:
  using Answer = absl::AnyInvocable<void(absl::Status)>;

  // All outlive the call. `answer` is called once, and may not end the call before it returns.
  DiscardCall(EngineContext& context, LinkPool& pool, const std::string& holder,
              const ObjectId& object_id, Answer answer)
      : context_(context), pool_(pool), holder_(holder), answer_(std::move(answer)) {
    until_ = context.Now() + context.options.request_timeout;
    context.WakeBy(until_);
    channel_ = pool_.Open(holder, *this);
    pool_.Send(channel_, DiscardFrame{channel_.number, object_id});
  }

  void Tick(Instant now) {
    if (over_) return;
    if (now < until_) return context_.WakeBy(until_);
    End(MakeError(ErrorKind::kUnavailable, absl::StrCat(holder_, " does not answer")));
  }

  bool OnFrame(const Frame& frame) override {
    const auto* const discarded = absl::get_if<DiscardedFrame>(&frame);
    if (discarded == nullptr) return false;
    End(discarded->ok ? absl::OkStatus()
                      : MakeError(discarded->kind, absl::StrCat(holder_, " did not discard it")));
    return true;
  }
  void OnPieceBegins(uint32_t) override {}
  void OnPiece(uint32_t, TransferEngine::PieceResult) override {}
  void OnLost(const absl::Status& why) override {
    End(MakeError(ErrorKind::kUnavailable,
                  absl::StrCat(holder_, " cannot be reached: ", why.message())));
  }

 private:
  void End(absl::Status result) {
    if (over_) return;
    over_ = true;
    pool_.Close(channel_);
    answer_(std::move(result));
  }

  EngineContext& context_;
  LinkPool& pool_;
  const std::string holder_;
  Answer answer_;
  LinkPool::Channel channel_{};
  Instant until_;
  bool over_ = false;
};

}  // namespace packice
